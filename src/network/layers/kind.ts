/** What a layer kind is: one object a kind, listed in the registry. */
import type { Config } from '../config.js';
import type { Tensor, Value } from '../types.js';

/** A tensor while the reference executor computes: the batch is a number, integers are held as float32. */
export interface Arr {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A weight that a layer has, in the order in which Keras lists and stores them. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Keras stores trainable weights first, also across the layers of a nested model. */
  readonly trainable: boolean;
  /** Sources may leave it out, and what it holds is not used (Normalization's count). */
  readonly unused?: boolean;
}

export type Weights = Readonly<Record<string, Tensor>>;

/**
 * A layer kind. `parse`, `weights` and `outputs` throw EspalierError with the setting's name; the importer adds
 * the layer's. Every function is pure.
 */
export interface LayerKind<S> {
  /** Keras class names that mean it; the first is its name in a Network. */
  readonly names: readonly [string, ...string[]];
  /** One line for docs/layers.md: what of the Keras layer is supported. */
  readonly supports: string;
  /** Keras config → settings, with the defaults and the meaning of the library that wrote it. */
  parse(config: Config): S;
  /** None where absent. */
  weights?(settings: S, inputs: readonly Value[]): WeightSpec[];
  /** The shape rule; checks the number and ranks of inputs. */
  outputs(settings: S, inputs: readonly Value[]): Value[];
  /** The plain reference: accumulates in float64, gives float32. */
  run(settings: S, weights: Weights, inputs: readonly Arr[]): Arr[];
}

export const float32 = (shape: readonly (number | null)[]): Value => ({ shape, dtype: 'float32' });
