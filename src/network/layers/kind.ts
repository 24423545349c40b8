/** What a layer kind is: one object a kind, listed in the registry. */
import type { Config, Origin } from '../config.js';
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
  /** Another name that some version of Keras gives it. */
  readonly alias?: string;
  /** The object inside the layer that holds it in a .keras file ("cell"); the layer itself where absent. */
  readonly holder?: string;
  /** Its index among the holder's in a .keras file; where absent the order of the specs with the same holder. */
  readonly index?: number;
  /** The weight of the same layer whose pruning mask it is (tfmot's wrapper). */
  readonly maskOf?: string;
}

/**
 * What a kind does with the mask of its (first) input, as Keras has it: hands it on; makes one as a second output;
 * takes it as a further input; refuses it; the default is to drop it.
 */
export type Masking = 'pass' | 'make' | 'take' | 'take-and-pass' | 'merge' | 'refuse' | 'drop';

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
  /** Default 'drop'. */
  masking?(settings: S, origin: Origin): Masking;
  /** Settings of a call whose inputs have these masks; where absent a kind takes the first input's. */
  withMasks?(settings: S, masked: readonly boolean[]): S;
  /** Keyword arguments whose tensors come after the positional inputs, in this order. */
  readonly tensorArguments?: readonly string[];
  /** Settings of a call with further keyword arguments, which it takes out of `args`. */
  withArguments?(settings: S, args: Map<string, unknown>): S;
  /** Settings with which the kind, called on [batch, time, ...], does what TimeDistributed would; else undefined. */
  distribute?(settings: S): S | undefined;
  /** The plain reference: accumulates in float64, gives float32. */
  run(settings: S, weights: Weights, inputs: readonly Arr[]): Arr[];
}

export const float32 = (shape: readonly (number | null)[]): Value => ({ shape, dtype: 'float32' });
