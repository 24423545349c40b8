/** What `espalier bench` takes, checked. */
import { invalid } from '../errors.js';
import type { SplitSettings } from '../table/split.js';
import type { Scenario } from './result.js';
import { DEFAULT_AGAINST } from './race/roster.js';

export interface BenchOptions {
  /** Batch sizes; default 1 and 64. */
  batches?: readonly number[];
  /** Threads that each rival may use; default 1. */
  threads?: number;
  /** Names of AGAINST; default DEFAULT_AGAINST; "all" is every one. */
  against?: readonly string[];
  /** Files of the user's own rivals (see rival.ts). */
  rivals?: readonly string[];
  /** Sparsities in [0, 1) to impose in one shot, a measurement each; default: the model as it is. */
  sparsity?: readonly number[];
  /** Times that each rival has its turn, at least 1; default 10. */
  rounds?: number;
  /** Seconds timed for each rival and batch size, over all rounds; default 2. */
  minTime?: number;
  /** Of single-stream (always), server and offline; default single-stream alone. */
  scenarios?: readonly string[];
  /** Milliseconds that 99 % of the queries of the server scenario must keep; default 10. */
  latencyBound?: number;
  /** Flush the caches before each timed call; default false. */
  cold?: boolean;
  /** Tell where the time goes, a layer at a time, the roofs of the machine, and break-even sparsities; default true. */
  layers?: boolean;
  /** A table to tell accuracy on, its target column, and the dense model to compare with. */
  data?: string;
  target?: string;
  dense?: string;
  split?: SplitSettings;
  /** The Python of the rivals that live in it; default ESPALIER_PYTHON, else python3. */
  python?: string;
  /** Calls before the first timed one, at least 5; default 10. */
  warmUp?: number;
  /** Seconds until a rival that does not answer is given up; default 120. */
  timeout?: number;
  /** Of the inputs; default 1. */
  seed?: number;
  /** true (default): pin each rival to as many cores as it has threads, where taskset is; or a list of cores. */
  pin?: boolean | string;
  signal?: AbortSignal;
  /** Gets lines about what is being done. */
  say?: (line: string) => void;
  /** The command to tell in the result. */
  command?: string;
}

export interface CheckedOptions {
  batches: number[];
  threads: number;
  against: string[];
  rivals: string[];
  sparsity: number[];
  rounds: number;
  minTime: number;
  warmUp: number;
  timeout: number;
  seed: number;
  pin: boolean | string;
  scenarios: Scenario[];
  latencyBound: number;
  cold: boolean;
  layers: boolean;
  python: string;
}

function integer(name: string, value: number, low: number, high: number): number {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw invalid('INVALID_ARGUMENT', name, `a whole number from ${low} to ${high}`, value);
  }
  return value;
}

function seconds(name: string, value: number): number {
  if (!(value > 0 && value <= 86_400)) {
    throw invalid('INVALID_ARGUMENT', name, 'a number of seconds above 0, a day at most', value);
  }
  return value;
}

export const SCENARIOS: readonly Scenario[] = ['single-stream', 'server', 'offline'];

function scenariosOf(names: readonly string[]): Scenario[] {
  const unknown = names.find((name) => !SCENARIOS.includes(name as Scenario));
  if (unknown !== undefined) {
    throw invalid('INVALID_ARGUMENT', '--scenario', `some of ${SCENARIOS.join(', ')}`, unknown);
  }
  return SCENARIOS.filter((name) => name === 'single-stream' || names.includes(name));
}

function checkData({ data, target, dense }: BenchOptions): void {
  if (data !== undefined && target === undefined)
    throw invalid('INVALID_ARGUMENT', '--target', 'the column of --data that is predicted', undefined);
  if (data === undefined && (target !== undefined || dense !== undefined)) {
    throw invalid('INVALID_ARGUMENT', '--data', 'a table for --target and --dense', undefined);
  }
}

/** Throws INVALID_ARGUMENT. */
export function checkOptions(options: BenchOptions): CheckedOptions {
  const batches = [...new Set(options.batches ?? [1, 64])];
  if (batches.length === 0) throw invalid('INVALID_ARGUMENT', '--batch', 'one batch size or more', []);
  for (const batch of batches) integer('--batch', batch, 1, 65_536);
  const sparsity = [...new Set(options.sparsity ?? [])];
  for (const value of sparsity) {
    if (!(value >= 0 && value < 1)) {
      throw invalid('INVALID_ARGUMENT', '--sparsity', 'numbers in [0, 1)', value);
    }
  }
  const pin = options.pin ?? true;
  if (typeof pin === 'string' && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(pin)) {
    throw invalid('INVALID_ARGUMENT', '--pin', 'cores such as 1 or 0,2 or 0-3', pin);
  }
  checkData(options);
  const python = options.python ?? process.env['ESPALIER_PYTHON'] ?? 'python3';
  return {
    batches,
    threads: integer('--threads', options.threads ?? 1, 1, 256),
    against: [...(options.against ?? DEFAULT_AGAINST)],
    rivals: [...(options.rivals ?? [])],
    sparsity,
    rounds: integer('--rounds', options.rounds ?? 10, 1, 10_000),
    minTime: seconds('--min-time', options.minTime ?? 2),
    warmUp: integer('--warm-up', options.warmUp ?? 10, 5, 1_000_000),
    timeout: seconds('--timeout', options.timeout ?? 120),
    seed: integer('--seed', options.seed ?? 1, 0, 2 ** 32 - 1),
    pin,
    scenarios: scenariosOf(options.scenarios ?? []),
    latencyBound: 1000 * seconds('--latency-bound', (options.latencyBound ?? 10) / 1000),
    cold: options.cold ?? false,
    layers: options.layers ?? true,
    python,
  };
}
