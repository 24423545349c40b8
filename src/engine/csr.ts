/** Dense weights → CSR, by the addon. */
import { types } from 'node:util';
import type { Matrix, Program } from '../program/program.js';
import { invalid } from '../errors.js';
import type { Csr } from './addon.js';
import { addon } from './find.js';
import { fromNative } from './native-errors.js';

/**
 * The non-zeros of a dense, row-major matrix of rows x cols float32 numbers; 0 and -0 count as zero.
 * Returns rowPtr (rows + 1), colIdx and values (nnz each), columns rising inside a row.
 * Throws INVALID_ARGUMENT for wrong types or lengths, INVALID_INPUT for NaN and infinities, ADDON_MISSING.
 */
export function csrFromDense(weights: Float32Array, rows: number, cols: number): Csr {
  if (!types.isFloat32Array(weights)) throw invalid('INVALID_ARGUMENT', 'weights', 'a Float32Array', weights);
  for (const [name, value] of [
    ['rows', rows],
    ['cols', cols],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > 0x7fffffff) {
      throw invalid('INVALID_ARGUMENT', name, 'a whole number from 0 to 2147483647', value);
    }
  }
  if (weights.length !== rows * cols) {
    throw invalid('INVALID_ARGUMENT', 'weights', `rows * cols = ${rows * cols} numbers`, weights);
  }
  try {
    return addon().csrFromDense(weights, rows, cols);
  } catch (error) {
    throw fromNative(error);
  }
}

/** The program with its dense matrices as CSR; matrices that operations share stay shared. */
export function withCsr(program: Program): Program {
  const made = new Map<Matrix, Matrix>();
  const csr = (matrix: Matrix): Matrix => {
    if (matrix.format === 'csr') return matrix;
    const known = made.get(matrix);
    if (known !== undefined) return known;
    const { rows, cols, values } = matrix;
    const result: Matrix = { format: 'csr', rows, cols, ...csrFromDense(values, rows, cols) };
    made.set(matrix, result);
    return result;
  };
  return {
    ...program,
    operations: program.operations.map((operation) =>
      'weight' in operation ? { ...operation, weight: csr(operation.weight) } : operation,
    ),
  };
}
