/** Programs made by hand for tests, from seeds. */
import type { Activation, Matrix, Operation, Program } from '../../src/program/program.js';

export const LINEAR: Activation = { kind: 'linear', alpha: 0, beta: 0 };
export const RELU: Activation = { kind: 'relu', alpha: 0, beta: 0 };

/** Uniform numbers in [0, 1), the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Normally distributed float32 numbers. */
export function normal(length: number, next: () => number): Float32Array {
  return Float32Array.from(
    { length },
    () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  );
}

/** Zeros the smallest magnitudes, so that round(length * sparsity) are zero. */
export function prune(weights: Float32Array, sparsity: number): Float32Array {
  const zeros = Math.round(weights.length * sparsity);
  const threshold = Float32Array.from(weights, Math.abs).sort()[zeros] ?? Infinity;
  return weights.map((w) => (Math.abs(w) < threshold ? 0 : w));
}

/** CSR of a dense, row-major matrix, plainly. */
export function csr(dense: ArrayLike<number>, rows: number, cols: number): Matrix & { format: 'csr' } {
  const rowPtr = new Int32Array(rows + 1);
  const colIdx: number[] = [];
  const values: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const value = dense[row * cols + col] as number;
      if (value !== 0) {
        colIdx.push(col);
        values.push(value);
      }
    }
    rowPtr[row + 1] = colIdx.length;
  }
  return {
    format: 'csr',
    rows,
    cols,
    rowPtr,
    colIdx: Int32Array.from(colIdx),
    values: Float32Array.from(values),
  };
}

/** A chain of linear operations of these sizes, relu between them. */
export function mlp(
  sizes: readonly number[],
  sparsity: number,
  seed = 1,
  weights: (length: number, next: () => number) => Float32Array = normal,
): { program: Program; dense: Float32Array[] } {
  const next = random(seed);
  const dense: Float32Array[] = [];
  const operations = sizes.slice(1).map((rows, layer): Operation => {
    const cols = sizes[layer] as number;
    const kernel = prune(weights(rows * cols, next), sparsity);
    const bias = normal(rows, next);
    dense.push(kernel, bias);
    const activation = layer === sizes.length - 2 ? LINEAR : RELU;
    const name = layer === 0 ? 'dense' : `dense_${layer}`;
    const weight = csr(kernel, rows, cols);
    return { op: 'linear', name, input: layer, output: layer + 1, positions: 1, weight, bias, activation };
  });
  const last = sizes.length - 1;
  const program: Program = {
    version: 1,
    name: 'sequential',
    values: sizes.map((features) => ({ features })),
    inputs: [{ name: 'input_1', shape: [null, sizes[0] as number], dtype: 'float32', value: 0 }],
    outputs: [
      { name: `dense_${last - 1}`, shape: [null, sizes[last] as number], dtype: 'float32', value: last },
    ],
    operations,
  };
  return { program, dense };
}

/** Two inputs, three outputs, a matrix and a bias that two operations share, and names that are none of the usual. */
export function sharedMatrix(seed = 7): Program {
  const next = random(seed);
  const shared = csr(prune(normal(15, next), 0.4), 5, 3);
  const bias = normal(5, next);
  return {
    version: 1,
    name: 'every "operation" ü',
    values: [6, 6, 10, 10, 10, 10, 20, 20, 2].map((features) => ({ features })),
    inputs: [
      { name: 'a', shape: [null, 2, 3], dtype: 'float32', value: 0 },
      { name: '__proto__', shape: [null, 6], dtype: 'float32', value: 1 },
    ],
    outputs: [
      { name: 'probabilities', shape: [null, 2, 10], dtype: 'float32', value: 7 },
      { name: 'score', shape: [null, 2], dtype: 'float32', value: 8 },
      { name: 'again', shape: [null, 10], dtype: 'float32', value: 5 },
    ],
    operations: [
      {
        op: 'linear',
        name: 'left',
        input: 0,
        output: 2,
        positions: 2,
        weight: shared,
        bias,
        activation: { kind: 'hard_sigmoid', alpha: Math.fround(0.2), beta: 0.5 },
      },
      {
        op: 'linear',
        name: 'right',
        input: 1,
        output: 3,
        positions: 2,
        weight: shared,
        bias,
        activation: LINEAR,
      },
      {
        op: 'add',
        name: 'sum',
        inputs: [2, 3],
        output: 4,
        activation: { kind: 'leaky_relu', alpha: 0.3, beta: 0 },
      },
      {
        op: 'affine',
        name: 'norm',
        input: 4,
        output: 5,
        scale: normal(5, next),
        offset: normal(5, next),
        activation: LINEAR,
      },
      { op: 'concat', name: 'both', inputs: [5, 2], output: 6, outer: 2 },
      { op: 'softmax', name: 'softmax', input: 6, output: 7, group: 10 },
      {
        op: 'linear',
        name: 'head',
        input: 3,
        output: 8,
        positions: 1,
        weight: csr(normal(20, next), 2, 10),
        bias: null,
        activation: { kind: 'gelu', alpha: 0, beta: 0 },
      },
    ],
  };
}

/** The largest magnitude of `values`, at least 1: what errors of rounding are held against. */
export function scaleOf(values: ArrayLike<number>): number {
  // a loop: as arguments of Math.max, a hundred thousand numbers overflow the stack
  let scale = 1;
  for (let i = 0; i < values.length; i++) scale = Math.max(scale, Math.abs(values[i] as number));
  return scale;
}
