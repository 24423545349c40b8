/** Options of loadModel that the engine heeds. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { describe, invalid, requireKeys } from '../errors.js';
import { VALUE_FORMATS, type ValueFormat } from '../program/value-formats.js';
import type { AddonOptions, IsaName } from './addon.js';

export interface EngineOptions {
  /**
   * Threads that a call may use, from 1 to 1024. Default: the physical cores that this process may use, at most 8; in a
   * worker thread 1. Layers too small to gain from threads use fewer.
   */
  readonly threads?: number;
  /** Batch sizes to prepare for while loading, default [1]; others are prepared when they first come. */
  readonly batchSizes?: readonly number[];
  /** Forces an instruction set, as ESPALIER_ISA does: 'portable', 'neon', 'avx2', 'avx512'. */
  readonly isa?: IsaName;
  /** Forces a layout for every matrix where it can serve; 'dense' is the dense path. */
  readonly layout?: string;
  /**
   * Measures the layouts that could be the fastest for each matrix, instead of trusting the cost model, whenever a batch
   * size is prepared: some milliseconds a matrix. `explain` then tells `measuredNs`. Default false.
   */
  readonly tune?: boolean;
  /**
   * Chooses layouts for weights that come from memory, as they do where calls are far apart or many models take turns:
   * small layouts then win over quick ones. A model whose weights exceed the last-level cache is taken so anyway.
   * Default false.
   */
  readonly cold?: boolean;
  /**
   * Computes each sample by itself, as a batch of 1, so that its answer has the same bits in every batch and at every
   * place of it. Without it the last bits depend on the size of the batch, as kernels and the order of sums do. Costs
   * what the kernels gain from batches: docs/serving.md. Default false.
   */
  readonly reproducible?: boolean;
  /**
   * Rounds the weights of matrices to this format, 'float32', 'bfloat16', 'float16' or 'int8' (a scale a row), and lets
   * layouts store them in it; sums stay float32. 'float32' also keeps layouts to float32. Default: nothing is rounded,
   * and weights that are such numbers already (`espalier convert --values int8`) may be stored as such.
   */
  readonly values?: ValueFormat;
}

const ENGINE_OPTIONS = {
  threads: true,
  batchSizes: true,
  isa: true,
  layout: true,
  tune: true,
  cold: true,
  reproducible: true,
  values: true,
} satisfies Record<keyof EngineOptions, true>;

const MOST_THREADS = 1024;
const DEFAULT_MOST_THREADS = 8;

/** Checked, with defaults. Throws INVALID_ARGUMENT. */
export function addonOptions(options: EngineOptions = {}): AddonOptions {
  requireKeys('options', options, ENGINE_OPTIONS);
  const {
    threads = defaultThreads(),
    batchSizes = [1],
    isa,
    layout,
    tune,
    cold,
    reproducible,
    values,
  } = options;
  whole(threads, MOST_THREADS, 'threads');
  if (!Array.isArray(batchSizes)) throw invalid('INVALID_ARGUMENT', 'batchSizes', 'an array', batchSizes);
  for (const batch of batchSizes) whole(batch, 2 ** 31 - 1, 'batchSizes');
  for (const [name, value] of Object.entries({ isa, layout })) {
    if (value !== undefined && typeof value !== 'string')
      throw invalid('INVALID_ARGUMENT', name, 'a name', value);
  }
  for (const [name, value] of Object.entries({ tune, cold, reproducible })) {
    if (value !== undefined && typeof value !== 'boolean') {
      throw invalid('INVALID_ARGUMENT', name, 'true or false', value);
    }
  }
  return {
    threads,
    batchSizes,
    ...(isa === undefined ? {} : { isa }),
    ...(layout === undefined ? {} : { layout }),
    ...(tune === undefined ? {} : { tune }),
    ...(cold === undefined ? {} : { cold }),
    ...(reproducible === undefined ? {} : { reproducible }),
    ...(values === undefined ? {} : { values: valueFormat(values) }),
  };
}

/** Throws INVALID_ARGUMENT unless it is one. */
export function valueFormat(value: unknown, parameter = 'values'): ValueFormat {
  const known = VALUE_FORMATS.find((name) => name === value);
  if (known === undefined) {
    throw invalid('INVALID_ARGUMENT', parameter, `one of ${VALUE_FORMATS.join(', ')}`, value);
  }
  return known;
}

function defaultThreads(): number {
  if (!isMainThread) return 1;
  const logical = availableParallelism();
  return Math.max(1, Math.min(DEFAULT_MOST_THREADS, hasSiblings() ? Math.floor(logical / 2) : logical));
}

/** Whether two logical processors share a core (only Linux tells cheaply; elsewhere no is assumed). */
function hasSiblings(): boolean {
  try {
    return readFileSync('/sys/devices/system/cpu/smt/active', 'latin1').trim() === '1';
  } catch {
    return false;
  }
}

function whole(value: unknown, most: number, name: string): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
    throw invalid('INVALID_ARGUMENT', name, `a whole number from 1 to ${most}`, describe(value));
  }
}
