/** Numbers for the cases of operations: the same each time, of both signs, none of them zero. */
import type { Matrix } from './matrix.js';

export function exampleNumbers(length: number): number[] {
  return Array.from({ length }, (_, i) => (((i * 37 + 11) % 19) - 9.5) / 8);
}

export function exampleFloats(length: number): Float32Array {
  return Float32Array.from(exampleNumbers(length));
}

/** Every third weight is zero. */
export function exampleMatrix(rows: number, cols: number): Matrix {
  const all = exampleNumbers(rows * cols);
  const kept = all.map((_, i) => i).filter((i) => i % 3 !== 1);
  const rowPtr = Int32Array.from({ length: rows + 1 }, (_, row) => kept.filter((i) => i < row * cols).length);
  return {
    format: 'csr',
    rows,
    cols,
    rowPtr,
    colIdx: Int32Array.from(kept, (i) => i % cols),
    values: Float32Array.from(kept, (i) => all[i] as number),
  };
}
