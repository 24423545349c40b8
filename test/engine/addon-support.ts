/** Programs for the tests of the addon, and a plain run of them. */
import type { Activation, Operation, Program } from '../../src/program/program.js';
import { addon } from '../../src/engine/find.js';

/** Numbers in [0, 1), the same for the same seed. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const activation = (kind: Activation['kind']): Activation => ({ kind, alpha: 0, beta: 0 });

export interface Mlp {
  program: Program;
  /** float64, one sample. */
  expected: (x: Float32Array) => number[];
}

/** Dense layers with relu, the last one linear. */
export function mlp(sizes: readonly number[], sparsity = 0.75, seed = 1): Mlp {
  const random = generator(seed);
  const layers: { rows: number; cols: number; dense: Float32Array; bias: Float32Array }[] = [];
  const operations: Operation[] = [];
  for (let i = 1; i < sizes.length; i += 1) {
    const [cols, rows] = [sizes[i - 1]!, sizes[i]!];
    const scale = 2 / Math.sqrt(cols * (1 - sparsity) + 1);
    const dense = Float32Array.from({ length: rows * cols }, () =>
      random() < sparsity ? 0 : (random() - 0.5) * scale,
    );
    const bias = Float32Array.from({ length: rows }, () => random() - 0.5);
    layers.push({ rows, cols, dense, bias });
    operations.push({
      op: 'linear',
      name: `dense_${i}`,
      input: i - 1,
      output: i,
      positions: 1,
      weight: { format: 'csr', rows, cols, ...addon().csrFromDense(dense, rows, cols) },
      bias,
      activation: activation(i === sizes.length - 1 ? 'linear' : 'relu'),
    });
  }
  const port = (name: string, value: number) => ({
    name,
    shape: [null, sizes[value]!],
    dtype: 'float32' as const,
    value,
  });
  return {
    program: {
      version: 1,
      name: 'mlp',
      values: sizes.map((features) => ({ features })),
      inputs: [port('x', 0)],
      outputs: [port('y', sizes.length - 1)],
      operations,
    },
    expected: (x) =>
      layers.reduce<number[]>(
        (input, { rows, cols, dense, bias }, index) =>
          Array.from({ length: rows }, (_, row) => {
            let sum = bias[row]!;
            for (let col = 0; col < cols; col += 1) sum += dense[row * cols + col]! * input[col]!;
            return index === layers.length - 1 ? sum : Math.max(0, sum);
          }),
        Array.from(x),
      ),
  };
}

/** Two inputs of four features; outputs: their sum, and both side by side. */
export function twoByTwo(): Program {
  const port = (name: string, value: number, features: number) => ({
    name,
    shape: [null, features],
    dtype: 'float32' as const,
    value,
  });
  return {
    version: 1,
    name: 'two',
    values: [4, 4, 4, 8].map((features) => ({ features })),
    inputs: [port('a', 0, 4), port('b', 1, 4)],
    outputs: [port('sum', 2, 4), port('both', 3, 8)],
    operations: [
      { op: 'add', name: 'sum', inputs: [0, 1], output: 2, activation: activation('linear') },
      { op: 'concat', name: 'both', inputs: [0, 1], output: 3, outer: 1 },
    ],
  };
}

export const OPTIONS = { threads: 1, batchSizes: [] } as const;

export function noise(length: number, seed = 7): Float32Array {
  const random = generator(seed);
  return Float32Array.from({ length }, () => random() * 2 - 1);
}
