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
export type Flag = 0 | 1;

/** x - max - log(sum of e^(x - max)) over each run of `group` consecutive features. */
export type LogSoftmax = Base & { readonly op: 'log_softmax'; readonly group: number };

/**
 * Statistics over each group of `rows` rows of `valid` numbers, each row taking up `stride`:
 * statistic 0: (x - mean) / sqrt(variance + epsilon); 1: x / sqrt(mean of x^2 + epsilon); 2: x / sqrt(max(sum of x^2,
 * epsilon)). Then y = act(that * scale[i] + offset[i]), i in the group; scale and offset of `valid` numbers or null
 * (null unless rows is 1 and stride is valid).
 */
export type Normalize = Base & {
  readonly op: 'normalize';
  readonly rows: number;
  readonly valid: number;
  readonly stride: number;
  readonly statistic: 0 | 1 | 2;
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

/**
 * The recurrent half of a layer. cell 0: SimpleRNN, 1: LSTM (gates i, f, c, o), 2: GRU (z, r, h) that resets h before
 * the product, 3: after it. Inputs: the projections [steps, gates * units] (W x + b); the initial states if `initial`
 * (h; LSTM h and c); the mask [steps] if `masked`. weight: [gates * units, units]; bias: of the recurrent product, cell
 * 3 only. Output: h of each step if `sequences`, else of the last; then the last states if `states`.
 */
export type Recurrent = Several & {
  readonly op: 'recurrent';
  readonly cell: 0 | 1 | 2 | 3;
  readonly units: number;
  readonly steps: number;
  /** From the last step to the first. */
  readonly backwards: Flag;
  /** Backwards: the outputs lie at the steps of their inputs, not in the order of computing. */
  readonly inPlace: Flag;
  readonly sequences: Flag;
  readonly states: Flag;
  readonly initial: Flag;
  readonly masked: Flag;
  /** The output at a masked step is 0 instead of the one before. */
  readonly zeroOutput: Flag;
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
  /** Not named `activation`: it is inside of the cell, and nothing may be fused into it. */
  readonly cellActivation: Activation;
  readonly recurrentActivation: Activation;
};

export const RECURRENT_GATES = [1, 4, 3, 3] as const;

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

/** y[g] = 1 where some number of the group is not `value` (whole 1: with its fraction cut off), else 0. */
export type StepMask = Base & {
  readonly op: 'step_mask';
  readonly group: number;
  readonly whole: Flag;
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
  readonly causal: Flag;
  readonly queryMask: Flag;
  readonly valueMask: Flag;
};

export type SequenceOperation =
  LogSoftmax | Normalize | Embedding | Recurrent | Matmul | StepMask | MaskScores;
