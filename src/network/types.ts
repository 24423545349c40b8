/**
 * Network: what a network *is*, as plain data. Every source (a tfjs model in memory, TFJS layers files, Keras .h5
 * and .keras) becomes one; nothing after `import` knows tfjs, Keras or HDF5.
 */

/** One extent is null where it is flexible; the batch (first extent) always is. */
export type Shape = readonly (number | null)[];

export type DType = 'float32' | 'int32' | 'bool';

/**
 * A dense, row-major tensor of weights, in Keras layout (a Dense kernel is [in, out]). Values are finite.
 * `data` may be shared by layers, and several may be views of one buffer: never written to.
 */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A layer: its settings and weights, once, however often it is called (a shared layer has several nodes). */
export interface Layer {
  /** Unique in the network; the name users see in messages and `explain()`. Nested models give "outer/inner". */
  readonly name: string;
  /** Keras class name, the first of its kind's `names` in the registry of `network/layers`. */
  readonly kind: string;
  /** Settings as the kind's `parse` returned them: checked, defaults filled in. */
  readonly settings: unknown;
  /** By Keras's weight name ("kernel", "bias", "gamma", ...); inside wrappers "forward/kernel". */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Entries of its Keras config that matter in training only (rate, momentum, regularizers), for training on. */
  readonly training?: Readonly<Record<string, unknown>>;
}

/** A value that flows: the output of a node or an input of the network. */
export interface Value {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One call of a layer. Nodes are in an order in which they can be computed. */
export interface Node {
  /** Index into `layers`. */
  readonly layer: number;
  /**
   * Indices into `values`. Masks are explicit: a layer that makes one (Masking, Embedding with mask_zero) has it
   * as a second output, and a node that one changes (recurrent layers, averages over time, attention) has it as
   * its last input, of dtype bool and shape [batch, time]. A network without masks has none of these.
   */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface Port {
  readonly name: string;
  /** Index into `values`. */
  readonly value: number;
}

export interface Network {
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly values: readonly Value[];
  readonly nodes: readonly Node[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}
