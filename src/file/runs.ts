/**
 * Where the non-zeros of a matrix are, in k bits each: the matrix is read row by row, and each code tells how many
 * zeros come next. E = 2^k - 1 is the escape: "E zeros and no value"; any other code c is "c zeros, then a value".
 * k = 1 is a bit mask (0: a value, 1: a zero); k = 8 the usual deltas in bytes; k = 0 says that there is no zero.
 * Zeros after the last value have no code.
 */
import { EspalierError } from '../errors.js';

export const MAX_BITS = 16;

export interface Positions {
  readonly rowPtr: Int32Array;
  readonly colIdx: Int32Array;
}

/** Calls `visit` with the number of zeros before each value, row by row. */
function eachRun(positions: Positions, rows: number, cols: number, visit: (zeros: number) => void): void {
  const { rowPtr, colIdx } = positions;
  let next = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    for (let at = rowPtr[row] as number; at < (rowPtr[row + 1] as number); at++) {
      const index = start + (colIdx[at] as number);
      visit(index - next);
      next = index + 1;
    }
  }
}

/** Bytes of the codes for each k from 0 to MAX_BITS; Infinity where k cannot be used. */
export function runBytes(positions: Positions, rows: number, cols: number): number[] {
  const codes = new Float64Array(MAX_BITS + 1);
  const short = new Float64Array(1024);
  eachRun(positions, rows, cols, (zeros) => {
    if (zeros < short.length) short[zeros] = (short[zeros] as number) + 1;
    else
      for (let k = 1; k <= MAX_BITS; k++)
        codes[k] = (codes[k] as number) + 1 + Math.floor(zeros / (2 ** k - 1));
  });
  for (let zeros = 0; zeros < short.length; zeros++) {
    const times = short[zeros] as number;
    if (times === 0) continue;
    for (let k = 1; k <= MAX_BITS; k++) {
      codes[k] = (codes[k] as number) + times * (1 + Math.floor(zeros / (2 ** k - 1)));
    }
  }
  const full = positions.colIdx.length === rows * cols;
  return Array.from(codes, (number, k) => (k === 0 ? (full ? 0 : Infinity) : Math.ceil((number * k) / 8)));
}

/** The codes of `bits` bits, the first in the lowest bits of the first byte; the last byte is filled up with ones. */
export function encodeRuns(
  positions: Positions,
  rows: number,
  cols: number,
  bits: number,
  bytes: number,
): Uint8Array {
  const out = new Uint8Array(bytes);
  if (bits === 0) return out;
  const escape = 2 ** bits - 1;
  let held = 0;
  let width = 0;
  let at = 0;
  const put = (code: number): void => {
    held |= code << width;
    for (width += bits; width >= 8; width -= 8) {
      out[at++] = held & 255;
      held >>>= 8;
    }
  };
  eachRun(positions, rows, cols, (zeros) => {
    let left = zeros;
    for (; left >= escape; left -= escape) put(escape);
    put(left);
  });
  if (width > 0) out[at++] = (held | (0xff << width)) & 255;
  return out;
}

/**
 * The rows and columns of `nnz` values of a rows x cols matrix. `codes` is not trusted: throws INVALID_MODEL when it
 * ends too early, goes on too long or leaves the matrix.
 */
export function decodeRuns(
  codes: Uint8Array,
  rows: number,
  cols: number,
  bits: number,
  nnz: number,
): Positions {
  const rowPtr = new Int32Array(rows + 1);
  const colIdx = new Int32Array(nnz);
  if (bits === 0) {
    if (nnz !== rows * cols || codes.length > 0) throw damaged('a matrix without zeros has other lengths');
    for (let row = 0; row <= rows; row++) rowPtr[row] = row * cols;
    for (let at = 0; at < nnz; at++) colIdx[at] = at % cols;
    return { rowPtr, colIdx };
  }
  const escape = 2 ** bits - 1;
  let held = 0;
  let width = 0;
  let from = 0;
  let row = 0;
  let col = 0;
  for (let at = 0; at < nnz;) {
    while (width < bits) {
      if (from === codes.length) throw damaged('codes end before the last value');
      held |= (codes[from++] as number) << width;
      width += 8;
    }
    const code = held & escape;
    held >>>= bits;
    width -= bits;
    col += code;
    while (col >= cols) {
      // A row with fewer columns than a code can be long is left behind many times: rows bound the loop.
      col -= cols;
      row++;
      if (row >= rows) {
        // At the very end of the matrix only when no value follows, and there a value or a code always does.
        throw damaged('codes leave the matrix');
      }
      rowPtr[row] = at;
    }
    if (code !== escape) {
      colIdx[at++] = col;
      col++;
      if (col === cols && at < nnz) {
        col = 0;
        row++;
        if (row >= rows) throw damaged('codes leave the matrix');
        rowPtr[row] = at;
      }
    }
  }
  for (let left = row + 1; left <= rows; left++) rowPtr[left] = nnz;
  if (from !== codes.length || held !== (1 << width) - 1) throw damaged('codes go on after the last value');
  return { rowPtr, colIdx };
}

function damaged(why: string): EspalierError {
  return new EspalierError('INVALID_MODEL', `the positions of the weights are damaged: ${why}`, {
    parameter: 'runs',
  });
}
