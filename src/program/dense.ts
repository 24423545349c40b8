/** Dense weights of a program, as rivals want them, and zeros imposed on them. */
import type { Matrix, Operation, Program } from './program.js';

/** Row-major, rows x cols, zeros filled in. A dense matrix answers its own values. */
export function denseValues(matrix: Matrix): Float32Array {
  if (matrix.format === 'dense') return matrix.values;
  const { rows, cols, rowPtr, colIdx, values } = matrix;
  const dense = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let at = rowPtr[row] ?? 0; at < (rowPtr[row + 1] ?? 0); at++) {
      dense[row * cols + (colIdx[at] ?? 0)] = values[at] ?? 0;
    }
  }
  return dense;
}

/** cols × rows, row-major: the [in, out] kernel of Keras. */
export function transposed(values: Float32Array, rows: number, cols: number): Float32Array {
  const answer = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) answer[col * rows + row] = values[row * cols + col] ?? 0;
  }
  return answer;
}

/**
 * The weights with their smallest magnitudes set to zero, so that at least `sparsity` of them are; of equal magnitudes
 * those with the lower index go first. What is zero already counts.
 */
export function imposeSparsity(values: Float32Array, sparsity: number): Float32Array {
  const zeros = Math.round(values.length * sparsity);
  if (zeros === 0) return values;
  const magnitudes = values.map(Math.abs).sort();
  const threshold = magnitudes[zeros - 1] ?? 0;
  let below = 0;
  while (below < zeros && (magnitudes[below] ?? 0) < threshold) below++;
  let ties = zeros - below;
  return values.map((value) => {
    const magnitude = Math.abs(value);
    if (magnitude < threshold || (magnitude === threshold && ties-- > 0)) return 0;
    return value;
  });
}

/** The program with its matrices dense; with `sparsity`, zeros imposed in one shot on each of them. */
export function denseProgram(program: Program, sparsity?: number): Program {
  const operations = program.operations.map((operation): Operation => {
    if (!('weight' in operation)) return operation;
    const { rows, cols } = operation.weight;
    const dense = denseValues(operation.weight);
    const values = sparsity === undefined ? dense : imposeSparsity(dense, sparsity);
    return { ...operation, weight: { format: 'dense', rows, cols, values } };
  });
  return { ...program, operations };
}

/** The weights of one operation. */
export function weightsOf(operation: Operation): Float32Array[] {
  switch (operation.op) {
    case 'embedding':
      return [denseValues(operation.weight)];
    case 'linear':
    case 'conv':
    case 'recurrent':
      return [denseValues(operation.weight), ...(operation.bias === null ? [] : [operation.bias])];
    case 'depthwise':
      return [operation.weights, ...(operation.bias === null ? [] : [operation.bias])];
    case 'affine':
    case 'channel_affine':
      return [operation.scale, operation.offset];
    default:
      return [];
  }
}

/** An operation whose matrix may be coded still: its size is known. */
type Sized<O = Operation> = O extends { weight: Matrix }
  ? Omit<O, 'weight'> & { weight: Pick<Matrix, 'rows' | 'cols'> }
  : O;

/** How many numbers `weightsOf` would answer, without making them. */
export function weightCount(operation: Sized): number {
  const matrix = 'weight' in operation ? operation.weight.rows * operation.weight.cols : 0;
  switch (operation.op) {
    case 'embedding':
      return matrix;
    case 'linear':
    case 'conv':
    case 'recurrent':
      return matrix + (operation.bias?.length ?? 0);
    case 'depthwise':
      return operation.weights.length + (operation.bias?.length ?? 0);
    case 'affine':
    case 'channel_affine':
      return operation.scale.length + operation.offset.length;
    default:
      return 0;
  }
}

export interface Density {
  /** Of the weight matrices, biases not counted. */
  weights: number;
  nonzeros: number;
  sparsity: number;
}

export function density(program: Program): Density {
  let weights = 0;
  let nonzeros = 0;
  for (const operation of program.operations) {
    if (!('weight' in operation)) continue;
    weights += operation.weight.rows * operation.weight.cols;
    for (const value of operation.weight.values) if (value !== 0) nonzeros++;
  }
  return { weights, nonzeros, sparsity: weights === 0 ? 0 : 1 - nonzeros / weights };
}
