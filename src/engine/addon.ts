/**
 * The contract between TypeScript and the native addon (native/addon). Only `src/engine` touches the addon.
 *
 * JavaScript checks meaning and gives good messages; C++ checks again all that memory safety needs, once, at load.
 * The addon never throws across its boundary and never crashes, whatever is passed: a call that is refused throws an
 * Error whose message names what is wrong, with `code` one of ErrorCode.
 */
import type { Program } from '../program/program.js';
import type { ValueFormat } from '../program/value-formats.js';
import type { CodedProgram } from '../program/coded.js';

/** In the order of preference, least first, as kIsas of native/cpu/features.h. */
export const ISA_NAMES = ['portable', 'neon', 'avx2', 'avx512'] as const;
export type IsaName = (typeof ISA_NAMES)[number];

export interface AddonOptions {
  /** Threads that a call may use, at least 1. */
  threads: number;
  /** Batches to pack for at load; others are packed when first run. */
  batchSizes: readonly number[];
  /** Forces the instruction set; undefined: ESPALIER_ISA, else the best of this machine. */
  isa?: IsaName;
  /** Forces a layout for every matrix where it can serve ("dense": the dense path). */
  layout?: string;
  /** Measures layouts when a batch is prepared. */
  tune?: boolean;
  /** Chooses for weights that come from memory, as is done anyway where they exceed the last-level cache. */
  cold?: boolean;
  /** Computes each sample by itself. */
  reproducible?: boolean;
  /** Rounds the weights; undefined: the format of the fewest bits that holds them as they are. */
  values?: ValueFormat;
}

/** What was chosen for one operation at one batch size. */
export interface OperationInfo {
  name: string;
  op: string;
  rows: number;
  cols: number;
  nnz: number;
  layout: string;
  kernel: string;
  /** One short sentence. */
  reason: string;
  predictedNs: number;
  denseNs: number;
  /** Of what was chosen, where it was tuned; else 0. */
  measuredNs: number;
  /** The format of the packed weights; '' without a matrix. */
  values: ValueFormat | '';
  bytes: number;
}

/**
 * A loaded program. Buffers are sample-major: batch * features float32 numbers, in the order of the program's inputs
 * and outputs. `runSync` and bound calls use the caller's thread and the pool; `run` copies in and computes elsewhere.
 */
export interface NativeModel {
  runSync(batch: number, inputs: readonly Float32Array[], outputs: readonly Float32Array[]): void;
  run(batch: number, inputs: readonly Float32Array[]): Promise<Float32Array[]>;
  bind(batch: number, inputs: readonly Float32Array[], outputs: readonly Float32Array[]): () => void;
  explain(batch: number): OperationInfo[];
  /**
   * Nanoseconds of each operation in a call with this batch, in the order of explain. Each runs `repeats` times in a row
   * and the mean is told: 1 where a call takes longer than some microseconds.
   */
  profile(batch: number, inputs: readonly Float32Array[], repeats: number): Float64Array;
  /** Bytes of weights, packs and buffers. */
  memory(): number;
  /** Waits for calls in flight, then frees; every later call throws DISPOSED. Safe to call twice. */
  dispose(): void;
}

export interface Csr {
  rowPtr: Int32Array;
  colIdx: Int32Array;
  values: Float32Array;
}

/** What a program may hold, as the addon reads it: held against src/program by a test. */
export interface Contract {
  operations: {
    op: string;
    /** `inputs`, else `input`. */
    manyInputs: boolean;
    fields: { name: string; kind: FieldKind; choices: string[] }[];
  }[];
  activations: string[];
  valueFormats: string[];
  /** How the values of a coded matrix lie. */
  valueCodes: string[];
  /** All instruction sets, available here or not. */
  isas: string[];
  /** By instruction set: the layouts that AddonOptions.layout may name. */
  layouts: Record<string, string[]>;
}

export type FieldKind =
  'size' | 'flag' | 'choice' | 'number' | 'floats' | 'optional floats' | 'indices' | 'matrix' | 'activation';

export interface Addon {
  /** The instruction sets that this build has and this machine can run, best first, and the one in use. */
  cpu(): {
    isa: IsaName;
    available: IsaName[];
    caches: { l1d: number; l2: number; l3: number };
  };
  contract(): Contract;
  /** The roofs of this machine for so many threads, measured now: about a second. GFLOP/s, 10^9 bytes a second. */
  peaks(threads: number): { fmaGflops: number; cacheGBs: number; memoryGBs: number };
  csrFromDense(weights: Float32Array, rows: number, cols: number): Csr;
  /** The threshold of tfmot's rule on a large tensor: the k-th largest |w| (k from 1), by selection. */
  kthLargestMagnitude(weights: Float32Array, k: number): number;
  /**
   * Matrices of the program are CSR, or coded as in a file. Checks all of it before anything is computed, and keeps
   * nothing of the caller's memory. `consumed`, which the program may lie in, is detached once it is decoded: a file's
   * bytes need not wait for the garbage collector.
   */
  load(program: Program | CodedProgram, options: AddonOptions, consumed?: ArrayBuffer): NativeModel;
}
