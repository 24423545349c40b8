/**
 * Network: what a network *is*, as plain data. Every source (a tfjs model in memory, TFJS layers files, Keras .h5
 * and .keras) becomes one; nothing after `import` knows tfjs, Keras or HDF5.
 */
import type { Kind, Settings } from './layers/registry.js';
import type { Tensor, Value } from './tensors.js';

export type { DType, Shape, Tensor, Value } from './tensors.js';

/** What a layer of any kind has. */
export interface LayerBase {
  /** Unique in the network; the name users see in messages and `explain()`. Nested models give "outer/inner". */
  readonly name: string;
  /** By Keras's weight name ("kernel", "bias", "gamma", ...); inside wrappers "forward/kernel". */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Entries of its Keras config that matter in training only (rate, momentum, regularizers), for training on. */
  readonly training?: Readonly<Record<string, unknown>>;
}

/** A layer whose kind (the Keras class name) is K: the kind tells the type of its settings. */
export interface LayerOf<K extends Kind> extends LayerBase {
  readonly kind: K;
  /** Checked, with defaults filled in. */
  readonly settings: Settings[K];
}

/** A layer: its settings and weights, once, however often it is called (a shared layer has several nodes). */
export type Layer = { readonly [K in Kind]: LayerOf<K> }[Kind];

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
