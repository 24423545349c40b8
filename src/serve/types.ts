/**
 * What serving needs of a model: no more than this, so that anything that runs off the event loop can be served and
 * tests need no engine. `Model` of the door "espalier" fits.
 */

export interface ServablePort {
  readonly name: string;
  /** The batch first, null; every other extent is fixed. */
  readonly shape: readonly (number | null)[];
  readonly dtype: string;
}

/** Float32 numbers, row-major over `shape`, whose first extent is the batch. */
export interface ServableTensor {
  readonly data: Float32Array;
  readonly shape: number[];
}

export interface ServableModel {
  readonly inputs: readonly ServablePort[];
  readonly outputs: readonly ServablePort[];
  /**
   * Computes off the event loop. Tensors come in the order of `inputs`. The answer is one typed array (or { data }) for
   * a model with one output, else a record by name of these.
   */
  run(inputs: ServableTensor[]): Promise<unknown>;
  dispose(): void;
}

export interface LoaderOptions {
  readonly threads?: number;
  /** Batches that will be run: what can be prepared for them is prepared while loading. */
  readonly batchSizes?: readonly number[];
  /** Each row by itself, so that its answer does not depend on its batch. */
  readonly reproducible?: boolean;
}

/** Opens a model from a file, or from a folder that holds one. Rejects with an EspalierError. */
export type ModelLoader = (source: string, options: LoaderOptions) => Promise<ServableModel>;

/** The datatypes of the Open Inference Protocol. */
export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'BF16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

/** A port as the protocol tells it, with what checks need worked out once. */
export interface ServedPort {
  readonly name: string;
  readonly datatype: Datatype;
  /** The batch first, -1. */
  readonly shape: readonly number[];
  /** Numbers a row: the product of the other extents. */
  readonly features: number;
}

export type Parameter = string | number | boolean;
export type Parameters = Readonly<Record<string, Parameter>>;

/** How one output is to be answered. */
export interface RequestedOutput {
  /** Index into the model's outputs. */
  readonly port: number;
  /** Raw bytes after the JSON header instead of numbers in it (REST only). */
  readonly binary: boolean;
  /** The k largest as "value:index" strings; 0 for the numbers themselves. */
  readonly classes: number;
}

/** Float32 numbers, or their little-endian bytes wherever they lie in a request. */
export type RowData = Float32Array | Uint8Array;

/** What requests with the same JSON header have in common (`plans.ts`). */
export interface Plan {
  readonly request: Omit<InferRequest, 'inputs'>;
  /** Bytes of tensors after the header. */
  readonly length: number;
  /** By port: where its bytes begin after the header, and how many there are. */
  readonly inputs: readonly { readonly at: number; readonly size: number }[];
  /** The JSON header of the answer, from the first answer on, where all outputs are binary. */
  answer: Buffer | undefined;
}

/** A checked request, the same for REST and gRPC. */
export interface InferRequest {
  readonly id: string | undefined;
  /** What the client sent besides the protocol's own: echoed. */
  readonly parameters: Parameters | undefined;
  readonly rows: number;
  /** In the order of the model's inputs, rows * features numbers each. */
  readonly inputs: readonly RowData[];
  readonly outputs: readonly RequestedOutput[];
  /** Microseconds that the client will wait; undefined: the server's limit. */
  readonly timeoutMicros: number | undefined;
  readonly plan?: Plan;
}
