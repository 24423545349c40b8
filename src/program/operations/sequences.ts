/**
 * Operations of normalisations, sequences and attention. A sequence is [steps, features], step by step; a mask is a
 * value of one number a step, 0 where the step is masked.
 */
import type { Activation, Matrix } from '../program.js';

interface Base {
  readonly name: string;
  readonly input: number;
  readonly output: number;
}
interface Several {
  readonly name: string;
  readonly inputs: readonly number[];
  readonly output: number;
}

/** x - max - log(sum of e^(x - max)) over each run of `group` consecutive features. */
export type LogSoftmax = Base & { readonly op: 'log_softmax'; readonly group: number };

export const STATISTICS = ['standard', 'root_mean_square', 'unit'] as const;
export type Statistic = (typeof STATISTICS)[number];

/**
 * Statistics over each group of `rows` rows of `valid` numbers, each row taking up `stride`:
 * standard: (x - mean) / sqrt(variance + epsilon); root_mean_square: x / sqrt(mean of x^2 + epsilon); unit: x /
 * sqrt(max(sum of x^2, epsilon)). Then y = act(that * scale[i] + offset[i]), i in the group; scale and offset of `valid` numbers or null
 * (null unless rows is 1 and stride is valid).
 */
export type Normalize = Base & {
  readonly op: 'normalize';
  readonly rows: number;
  readonly valid: number;
  readonly stride: number;
  readonly statistic: Statistic;
  readonly epsilon: number;
  readonly scale: Float32Array | null;
  readonly offset: Float32Array | null;
  readonly activation: Activation;
};

/** y[p, :] = weight[trunc(x[p]), :] for each of `positions`; an index outside of the rows fails the call (INVALID_INPUT). */
export type Embedding = Base & {
  readonly op: 'embedding';
  readonly positions: number;
  readonly weight: Matrix;
};

export const CELLS = ['simple', 'lstm', 'gru_reset_before', 'gru_reset_after'] as const;
export type Cell = (typeof CELLS)[number];

/**
 * The recurrent half of a layer: of SimpleRNN, LSTM (gates i, f, c, o), GRU (z, r, h) that resets h before the product,
 * or after it. Inputs: the projections [steps, gates * units] (W x + b); the initial states if `initial`
 * (h; LSTM h and c); the mask [steps] if `masked`. weight: [gates * units, units]; bias: of the recurrent product,
 * gru_reset_after only. Output: h of each step if `sequences`, else of the last; then the last states if `states`.
 */
export type Recurrent = Several & {
  readonly op: 'recurrent';
  readonly cell: Cell;
  readonly units: number;
  readonly steps: number;
  /** From the last step to the first. */
  readonly backwards: boolean;
  /** Backwards: the outputs lie at the steps of their inputs, not in the order of computing. */
  readonly inPlace: boolean;
  readonly sequences: boolean;
  readonly states: boolean;
  readonly initial: boolean;
  readonly masked: boolean;
  /** The output at a masked step is 0 instead of the one before. */
  readonly zeroOutput: boolean;
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
  /** Not named `activation`: it is inside of the cell, and nothing may be fused into it. */
  readonly cellActivation: Activation;
  readonly recurrentActivation: Activation;
};

export const RECURRENT_GATES: { readonly [C in Cell]: number } = {
  simple: 1,
  lstm: 4,
  gru_reset_before: 3,
  gru_reset_after: 3,
};

/**
 * y[h, i, j] = sum over l of a[h, i, l] * b[h, j, l]: heads x rows x columns, depth is summed. a[h, i, l] is number
 * h * aHead + i * aRow + l * aCol of the first input, b likewise of the second; y[h, i, j] is number h * yHead +
 * i * yRow + j. The inputs have as many numbers as that is, and the rows of y fill it.
 */
export type Matmul = Several & {
  readonly op: 'matmul';
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly aHead: number;
  readonly aRow: number;
  readonly aCol: number;
  readonly bHead: number;
  readonly bRow: number;
  readonly bCol: number;
  readonly yHead: number;
  readonly yRow: number;
};

export const MATMUL_KEYS = [
  'heads',
  'rows',
  'columns',
  'depth',
  'aHead',
  'aRow',
  'aCol',
  'bHead',
  'bRow',
  'bCol',
  'yHead',
  'yRow',
] as const satisfies readonly (keyof Matmul)[];

/** y[g] = 1 where some number of the group is not `value` (`whole`: with its fraction cut off), else 0. */
export type StepMask = Base & {
  readonly op: 'step_mask';
  readonly group: number;
  readonly whole: boolean;
  readonly value: number;
};

/**
 * Scores [heads, targets, sources]: -1e9 is added to those of masked targets (the second input if `queryMask`) or
 * sources (the last if `valueMask`), and of sources after the target if `causal`.
 */
export type MaskScores = Several & {
  readonly op: 'mask_scores';
  readonly heads: number;
  readonly targets: number;
  readonly sources: number;
  readonly causal: boolean;
  readonly queryMask: boolean;
  readonly valueMask: boolean;
};

export type SequenceOperation =
  LogSoftmax | Normalize | Embedding | Recurrent | Matmul | StepMask | MaskScores;
