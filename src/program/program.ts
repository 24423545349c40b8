/**
 * Program: what the engine *does*. Plain data, made from a Network by `compile` (pure TypeScript), stored in
 * an .esp file, checked again and run by the addon.
 *
 * A value is `features` float32 numbers a sample, row-major over the sample's own shape. Inside the engine
 * values lie features x batch.
 */

import type { ImageOperation } from './operations/images.js';
import type { SequenceOperation } from './operations/sequences.js';

export const PROGRAM_VERSION = 1;

export type ActivationKind =
  | 'linear'
  | 'relu'
  | 'relu6'
  | 'leaky_relu'
  | 'elu'
  | 'selu'
  | 'sigmoid'
  | 'hard_sigmoid'
  | 'tanh'
  | 'softplus'
  | 'softsign'
  | 'gelu'
  | 'gelu_tanh'
  | 'swish'
  | 'exponential'
  | 'mish'
  | 'hard_swish'
  | 'log_sigmoid'
  | 'tanh_shrink'
  | 'squareplus'
  | 'hard_shrink'
  | 'soft_shrink'
  | 'threshold'
  | 'clip'
  | 'clipped_leaky_relu';

/**
 * alpha and beta, by kind:
 * - relu: max(x, 0); relu6: min(max(x, 0), 6).
 * - leaky_relu: alpha = slope for x < 0. elu: alpha. hard_sigmoid: clip(alpha * x + beta, 0, 1) (Keras 2: 0.2, 0.5; Keras 3: 1/6, 0.5).
 * - hard_shrink, soft_shrink: alpha = lambda, not negative.
 * - threshold: x where x >= alpha, else beta * (x - alpha). clip: min(max(x, alpha), beta).
 * - clipped_leaky_relu: min(leaky_relu(x), beta).
 * - the others have none (0, 0).
 */
export interface Activation {
  readonly kind: ActivationKind;
  readonly alpha: number;
  readonly beta: number;
}

/** A matrix by rows (rows = outputs). Dense while compiling; CSR once stored or handed to the engine. */
export type Matrix =
  | { readonly format: 'dense'; readonly rows: number; readonly cols: number; readonly values: Float32Array }
  | {
      readonly format: 'csr';
      readonly rows: number;
      readonly cols: number;
      /** rows + 1, starts at 0, never decreases, ends at nnz. */
      readonly rowPtr: Int32Array;
      /** nnz, strictly increasing inside a row, each in [0, cols). */
      readonly colIdx: Int32Array;
      /** nnz, finite, not zero. */
      readonly values: Float32Array;
    };

export type Operation =
  | ImageOperation
  | SequenceOperation
  /** y[p, :] = act(W x[p, :] + b) for each of `positions` (1 for a vector; T for Dense on [T, F]). */
  | {
      readonly op: 'linear';
      readonly name: string;
      readonly input: number;
      readonly output: number;
      readonly positions: number;
      readonly weight: Matrix;
      readonly bias: Float32Array | null;
      readonly activation: Activation;
    }
  /** y[i] = act(x[i] * scale[i % period] + offset[i % period]); period = scale.length divides the features. */
  | {
      readonly op: 'affine';
      readonly name: string;
      readonly input: number;
      readonly output: number;
      readonly scale: Float32Array;
      readonly offset: Float32Array;
      readonly activation: Activation;
    }
  /** Elementwise. */
  | {
      readonly op: 'activate';
      readonly name: string;
      readonly input: number;
      readonly output: number;
      readonly activation: Activation;
    }
  /** Softmax over each run of `group` consecutive features; group divides the features. */
  | {
      readonly op: 'softmax';
      readonly name: string;
      readonly input: number;
      readonly output: number;
      readonly group: number;
    }
  /** y = act(sum of the inputs), all of the same number of features. Two inputs or more. */
  | {
      readonly op: 'add';
      readonly name: string;
      readonly inputs: readonly number[];
      readonly output: number;
      readonly activation: Activation;
    }
  /** For each of `outer` runs: the next features/outer numbers of each input, one input after the other. */
  | {
      readonly op: 'concat';
      readonly name: string;
      readonly inputs: readonly number[];
      readonly output: number;
      readonly outer: number;
    };

export interface ProgramValue {
  /** float32 numbers a sample. */
  readonly features: number;
}

export interface ProgramPort {
  readonly name: string;
  /** With the batch first, null. */
  readonly shape: readonly (number | null)[];
  readonly dtype: 'float32';
  /** Index into `values`. */
  readonly value: number;
}

/**
 * Operations are in an order in which they can be computed; each value is an input of the program or the
 * output of exactly one operation. An input may be an output too. Reshapes are no operations: they share a value.
 */
export interface Program {
  readonly version: number;
  readonly name: string;
  readonly values: readonly ProgramValue[];
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  readonly operations: readonly Operation[];
}
