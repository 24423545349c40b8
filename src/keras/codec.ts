/** What Keras knows of a layer kind: one object a kind, in the record of its family. */
import type { Config, Origin } from './config.js';
import type { Dialect } from './dialect.js';

/**
 * What a layer does with the mask of its (first) input: hands it on; makes one as a second output; takes it as a
 * further input; refuses it; the default is to drop it. In a Network masks are values like any other.
 */
export type Masking = 'pass' | 'make' | 'take' | 'take-and-pass' | 'merge' | 'refuse' | 'drop';

/** A layer's config as it is written: plain JSON. */
export type WrittenConfig = Record<string, unknown>;

export interface Target {
  readonly dialect: Dialect;
  /** Of the layer, in the file. */
  readonly name: string;
}

/** How a kind stands in Keras's and tfjs's files. Every function is pure. */
export interface KerasCodec<S> {
  /** Other class names that mean it. */
  readonly aliases?: readonly string[];
  /** One line for docs/layers.md: what of the Keras layer is supported. */
  readonly supports: string;
  /** Whether tfjs has a layer that computes the same. */
  readonly tfjs?: true;
  /**
   * Config → settings, with the defaults and the meaning of the library that wrote it. Throws EspalierError with the
   * setting's name; the importer adds the layer's.
   */
  read(config: Config): S;
  /** Settings → the config that Keras 2 and tfjs read; absent where neither has the layer, and `instead` helps. */
  write?(settings: S, target: Target): WrittenConfig;
  readonly instead?: string;
  /** What the layer does at inference has no use for the entries of training (rate, regularizers): they are not written. */
  readonly untrained?: true;
  /** Default 'drop'. */
  masking?(settings: S, origin: Origin): Masking;
  /** Settings of a call whose inputs have these masks. */
  withMasks?(settings: S, masked: readonly boolean[]): S;
  /** Keyword arguments whose tensors come after the positional inputs, in this order. */
  readonly tensorArguments?: readonly string[];
  /** Settings of a call with further keyword arguments, which it takes out of `args`. */
  withArguments?(settings: S, args: Map<string, unknown>): S;
}

/** JSON has one number as it is, several as a list. */
export const one = (values: readonly number[]): number | readonly number[] =>
  values.length === 1 ? values[0]! : values;
