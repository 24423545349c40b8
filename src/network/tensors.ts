/** Shapes, and what has one: weights, and values that flow. */

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

/** A value that flows: the output of a node or an input of the network. */
export interface Value {
  readonly shape: Shape;
  readonly dtype: DType;
}
