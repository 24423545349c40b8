/** Options of loadModel. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { describe, invalid } from '../errors.js';
import type { AddonOptions, IsaName } from './addon.js';

export interface LoadOptions {
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
}

const MOST_THREADS = 1024;
const DEFAULT_MOST_THREADS = 8;

/** Checked, with defaults. Throws INVALID_ARGUMENT. */
export function addonOptions(options: LoadOptions = {}): AddonOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid('INVALID_ARGUMENT', 'options', 'an object', options);
  }
  const { threads = defaultThreads(), batchSizes = [1], isa, layout } = options;
  whole(threads, MOST_THREADS, 'threads');
  if (!Array.isArray(batchSizes)) throw invalid('INVALID_ARGUMENT', 'batchSizes', 'an array', batchSizes);
  for (const batch of batchSizes) whole(batch, 2 ** 31 - 1, 'batchSizes');
  for (const [name, value] of Object.entries({ isa, layout })) {
    if (value !== undefined && typeof value !== 'string')
      throw invalid('INVALID_ARGUMENT', name, 'a name', value);
  }
  return {
    threads,
    batchSizes,
    ...(isa === undefined ? {} : { isa }),
    ...(layout === undefined ? {} : { layout }),
  };
}

export function defaultThreads(): number {
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
