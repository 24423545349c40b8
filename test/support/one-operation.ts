/** Programs of a single operation, of every type, so that any number can be put at any place of its input. */
import { RECURRENT_GATES } from '../../src/program/operations/recurrent.js';
import { frameFloats, planeFloats, windowInputFloats, type Window } from '../../src/program/images.js';
import { ACTIVATION_KINDS } from '../../src/program/activation.js';
import type { Activation, ActivationKind, Operation, Program } from '../../src/program/program.js';
import { csr, LINEAR, normal, prune, random, RELU } from './programs.js';

export interface Single {
  readonly name: string;
  readonly program: Program;
}

type Body = Operation extends infer O ? (O extends Operation ? Omit<O, 'name' | 'output'> : never) : never;

/** The parameters that each kind of activation takes; kinds without an entry have none. */
const PARAMETERS: Partial<Record<ActivationKind, readonly [alpha: number, beta: number][]>> = {
  leaky_relu: [[0.25, 0]],
  elu: [[0.5, 0]],
  hard_sigmoid: [
    [0.25, 0.5],
    [0, 0.5],
  ],
  hard_shrink: [[0.5, 0]],
  soft_shrink: [[0.5, 0]],
  threshold: [
    [0.5, 0],
    [0.5, 0.25],
  ],
  clip: [[-1, 2]],
  clipped_leaky_relu: [[0.25, 1.5]],
};

export const EVERY_ACTIVATION: readonly Activation[] = ACTIVATION_KINDS.flatMap((kind) =>
  (PARAMETERS[kind] ?? [[0, 0]]).map(([alpha, beta]) => ({ kind, alpha, beta })),
);

/** The lengths of the inputs, then of the output. */
function single(name: string, sizes: readonly number[], body: Body): Single {
  const last = sizes.length - 1;
  const inputs = sizes.slice(0, last).map((features, value) => ({
    name: `x${value}`,
    shape: [null, features],
    dtype: 'float32' as const,
    value,
  }));
  const whole = { ...body, ...('input' in body ? { input: 0 } : {}), name, output: last } as Operation;
  return {
    name,
    program: {
      version: 1,
      name,
      values: sizes.map((features) => ({ features })),
      inputs,
      outputs: [{ name: 'y', shape: [null, sizes[last] as number], dtype: 'float32', value: last }],
      operations: [whole],
    },
  };
}

const BOTH = [0, 1];

function windows(kernel: number, stride: number, framed: boolean): Window {
  const extent = 7;
  return {
    ...{ framed, frameHeight: extent, frameWidth: extent, strideY: stride, strideX: stride },
    ...{ kernelHeight: kernel, kernelWidth: kernel, dilationY: 1, dilationX: 1 },
    outHeight: Math.floor((extent - kernel) / stride) + 1,
    outWidth: Math.floor((extent - kernel) / stride) + 1,
  };
}

/** One of each type of operation, and of each of its ways to compute. Frames' gaps are places too. */
export function everySingle(): Single[] {
  const next = random(11);
  const list: Single[] = [];
  const add = (name: string, sizes: readonly number[], body: Body): void => {
    list.push(single(name, sizes, body));
  };
  const matrix = (rows: number, cols: number, sparsity: number) =>
    csr(prune(normal(rows * cols, next), sparsity), rows, cols);
  for (const sparsity of [0, 0.5, 0.9]) {
    for (const [rows, cols] of [
      [5, 3],
      [33, 40],
    ] as const) {
      const weight = matrix(rows, cols, sparsity);
      const bias = normal(rows, next);
      const body = { op: 'linear', input: 0, positions: 1, weight, bias } as const;
      add(`linear ${rows} x ${cols}, ${sparsity}`, [cols, rows], { ...body, activation: RELU });
      add(`linear of two positions, ${rows} x ${cols}, ${sparsity}`, [2 * cols, 2 * rows], {
        ...body,
        positions: 2,
        activation: { kind: 'relu6', alpha: 0, beta: 0 },
      });
    }
  }
  const shared = matrix(17, 19, 0.6);
  for (const activation of EVERY_ACTIVATION) {
    const name = `${activation.kind} ${activation.alpha} ${activation.beta}`;
    add(`activate ${name}`, [9, 9], { op: 'activate', input: 0, activation });
    add(`linear with ${name}`, [19, 17], {
      ...{ op: 'linear', input: 0, positions: 1, weight: shared, bias: null, activation },
    });
  }
  add('affine', [10, 10], {
    ...{ op: 'affine', input: 0, scale: normal(5, next), offset: normal(5, next), activation: LINEAR },
  });
  add('affine by zero', [10, 10], {
    ...{ op: 'affine', input: 0, scale: new Float32Array(5), offset: normal(5, next), activation: RELU },
  });
  for (const group of [1, 3, 21]) {
    add(`softmax of ${group}`, [21, 21], { op: 'softmax', input: 0, group });
    add(`log_softmax of ${group}`, [21, 21], { op: 'log_softmax', input: 0, group });
  }
  add('add', [9, 9, 9], { op: 'add', inputs: BOTH, activation: LINEAR });
  add('concat', [4, 6, 10], { op: 'concat', inputs: BOTH, outer: 2 });
  for (const kind of ['product', 'maximum', 'minimum', 'quotient'] as const)
    add(`combine ${kind}`, [9, 9, 9], { op: 'combine', inputs: BOTH, kind });
  add('gather', [8, 10], { op: 'gather', input: 0, repeat: 2, index: Int32Array.of(3, -1, 0, 0, 2) });

  const [channels, pixels] = [2, 21];
  const plane = planeFloats(pixels);
  const image = { input: 0, channels, pixels } as const;
  add('to_planes', [channels * pixels, channels * plane], { op: 'to_planes', ...image });
  add('to_pixels', [channels * plane, channels * pixels], { op: 'to_pixels', ...image });
  for (const kind of ['maximum', 'mean'] as const) {
    add(`global_pool ${kind}`, [channels * plane, channels], { op: 'global_pool', ...image, kind });
  }
  add('channel_affine', [channels * plane, channels * plane], {
    ...{ op: 'channel_affine', ...image, activation: RELU },
    ...{ scale: normal(channels, next), offset: normal(channels, next) },
  });
  add('channel_scale', [channels * plane, channels, channels * plane], {
    ...{ op: 'channel_scale', inputs: BOTH, channels, pixels },
  });
  for (const fill of ['zero', 'lowest'] as const) {
    for (const [stride, up] of [
      [1, 1],
      [2, 1],
      [1, 2],
    ] as const) {
      const frame = { frameHeight: 8, frameWidth: 9, strideY: stride, strideX: stride };
      add(`frame, fill ${fill}, stride ${stride}, up ${up}`, [2 * planeFloats(12), 2 * frameFloats(frame)], {
        ...{ op: 'frame', input: 0, channels: 2, height: 3, width: 4, top: 1, left: 2, upY: up, upX: up },
        ...frame,
        fill,
      });
    }
  }
  for (const [kernel, stride, framed] of [
    [2, 1, false],
    [2, 2, true],
    [3, 2, true],
  ] as const) {
    const window = windows(kernel, stride, framed);
    const size = 2 * windowInputFloats(window);
    const out = planeFloats(window.outHeight * window.outWidth);
    const name = `${kernel} by ${kernel}, stride ${stride}`;
    const base = { input: 0, channels: 2, ...window } as const;
    add(`pool ${name}`, [size, 2 * out], { op: 'pool', ...base, scale: null });
    const scale = new Float32Array(window.outHeight * window.outWidth).fill(1 / kernel ** 2);
    add(`mean pool ${name}`, [size, 2 * out], { op: 'pool', ...base, scale });
    const weight = matrix(4, 2 * kernel ** 2, 0.5);
    add(`conv ${name}`, [size, 4 * out], {
      ...{ op: 'conv', ...base, groups: 1, weight, bias: normal(4, next), activation: RELU },
    });
    add(`conv in groups ${name}`, [size, 4 * out], {
      ...{ op: 'conv', ...base, groups: 2, weight: matrix(4, kernel ** 2, 0.5), bias: null },
      activation: { kind: 'tanh', alpha: 0, beta: 0 },
    });
    const weights = prune(normal(4 * kernel ** 2, next), 0.3);
    add(`depthwise ${name}`, [size, 4 * out], {
      ...{ op: 'depthwise', ...base, multiplier: 2, weights, bias: normal(4, next), activation: RELU },
    });
  }

  for (const statistic of ['standard', 'root_mean_square', 'unit'] as const) {
    const base = { op: 'normalize', input: 0, statistic, epsilon: 1e-3, activation: LINEAR } as const;
    const [scale, offset] = [normal(7, next), normal(7, next)];
    add(`normalize ${statistic}`, [14, 14], { ...base, rows: 1, valid: 7, stride: 7, scale, offset });
    add(`normalize ${statistic} in rows`, [32, 32], {
      ...{ ...base, rows: 2, valid: 16, stride: 16, scale: null, offset: null },
    });
  }
  for (const cell of ['simple', 'lstm', 'gru_reset_before', 'gru_reset_after'] as const) {
    const [units, steps, gates] = [3, 2, RECURRENT_GATES[cell]];
    const states = cell === 'lstm' ? [units, units] : [units];
    const activations = {
      cellActivation: { kind: 'tanh', alpha: 0, beta: 0 },
      recurrentActivation: { kind: 'sigmoid', alpha: 0, beta: 0 },
    } as const;
    const sizes = [steps * gates * units, ...states, steps, steps * units];
    add(`recurrent ${cell}`, sizes, {
      ...{ op: 'recurrent', inputs: sizes.slice(0, -1).map((_, i) => i), cell, units, steps },
      ...{ backwards: false, inPlace: false, sequences: true, states: false, initial: true },
      ...{ masked: true, zeroOutput: true },
      weight: matrix(gates * units, units, 0.3),
      bias: cell === 'gru_reset_after' ? normal(gates * units, next) : null,
      ...activations,
    });
  }
  for (const [heads, rows] of [
    [1, 1],
    [2, 3],
  ] as const) {
    const [columns, depth] = [3, 5];
    add(`matmul ${heads} ${rows}`, [heads * rows * depth, heads * columns * depth, heads * rows * columns], {
      ...{ op: 'matmul', inputs: BOTH, heads, rows, columns, depth },
      ...{ aHead: rows * depth, aRow: depth, aCol: 1, bHead: columns * depth, bRow: depth, bCol: 1 },
      ...{ yHead: rows * columns, yRow: columns },
    });
  }
  add('step_mask', [12, 4], { op: 'step_mask', input: 0, group: 3, whole: false, value: 0 });
  add('step_mask, whole', [12, 4], { op: 'step_mask', input: 0, group: 3, whole: true, value: 0 });
  add('mask_scores', [12, 2, 3, 12], {
    ...{ op: 'mask_scores', inputs: [0, 1, 2], heads: 2, targets: 2, sources: 3 },
    ...{ causal: true, queryMask: true, valueMask: true },
  });
  return list;
}
