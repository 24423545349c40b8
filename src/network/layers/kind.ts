/** What a layer kind is: one object a kind, in the record of its family. */
import type { Tensor, Value } from '../tensors.js';

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
  /** Another name that some version of Keras gives it. */
  readonly alias?: string;
  /** The object inside the layer that holds it in a .keras file ("cell"); the layer itself where absent. */
  readonly holder?: string;
  /** Its index among the holder's in a .keras file; where absent the order of the specs with the same holder. */
  readonly index?: number;
  /** The weight of the same layer whose pruning mask it is (tfmot's wrapper). */
  readonly maskOf?: string;
}

export type Weights = Readonly<Record<string, Tensor>>;

/**
 * A layer kind. `weights` and `outputs` throw EspalierError with the setting's name; the importer adds the layer's.
 * Every function is pure.
 */
export interface LayerKind<S> {
  /** None where absent. */
  weights?(settings: S, inputs: readonly Value[]): WeightSpec[];
  /** The shape rule; checks the number and ranks of inputs. */
  outputs(settings: S, inputs: readonly Value[]): Value[];
  /** Settings with which the kind, called on [batch, time, ...], does what TimeDistributed would; else undefined. */
  distribute?(settings: S): S | undefined;
  /** The plain reference: accumulates in float64, gives float32. */
  run(settings: S, weights: Weights, inputs: readonly Arr[]): Arr[];
}

export const float32 = (shape: readonly (number | null)[]): Value => ({ shape, dtype: 'float32' });
