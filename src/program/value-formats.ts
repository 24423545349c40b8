/** Weights in fewer bits: a program whose matrices hold nothing but bfloat16, float16 or int8 numbers. */
import type { Matrix, Program } from './program.js';

/**
 * - float32: as they are.
 * - bfloat16: rounded to 8 significant bits (relative error at most 2^-8).
 * - float16: rounded to 11 significant bits (2^-11; absolute 2^-25 below 6.1e-5), at most 65504.
 * - int8: whole numbers of -127 to 127 times a scale of the row (at most half a scale, 1/254 of the row's largest).
 */
export const VALUE_FORMATS = ['float32', 'bfloat16', 'float16', 'int8'] as const;
export type ValueFormat = (typeof VALUE_FORMATS)[number];

/** The program with its CSR matrices rounded; weights that become zero are dropped. Biases stay float32. */
export function roundValues(program: Program, format: ValueFormat): Program {
  if (format === 'float32') return program;
  const made = new Map<Matrix, Matrix>();
  const rounded = (matrix: Matrix): Matrix => {
    const known = made.get(matrix) ?? roundMatrix(matrix, format);
    made.set(matrix, known);
    return known;
  };
  return {
    ...program,
    operations: program.operations.map((operation) =>
      'weight' in operation ? { ...operation, weight: rounded(operation.weight) } : operation,
    ),
  };
}

/** A matrix as roundValues makes it: of CSR. */
export function roundMatrix(matrix: Matrix, format: ValueFormat): Extract<Matrix, { format: 'csr' }> {
  if (matrix.format !== 'csr') throw new TypeError('only CSR matrices are rounded');
  if (format === 'float32') return matrix;
  const { rows, cols, rowPtr, colIdx, values } = matrix;
  const keptPtr = new Int32Array(rows + 1);
  const keptIdx = new Int32Array(values.length);
  const kept = new Float32Array(values.length);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const begin = rowPtr[row] as number;
    const end = rowPtr[row + 1] as number;
    const scale = format === 'int8' ? int8Scale(values, begin, end) : 0;
    for (let i = begin; i < end; i++) {
      const value = roundValue(values[i] as number, format, scale);
      if (value === 0) continue;
      kept[at] = value;
      keptIdx[at++] = colIdx[i] as number;
    }
    keptPtr[row + 1] = at;
  }
  return {
    format: 'csr',
    rows,
    cols,
    rowPtr: keptPtr,
    colIdx: keptIdx.slice(0, at),
    values: kept.slice(0, at),
  };
}

function roundValue(value: number, format: ValueFormat, scale: number): number {
  if (format === 'bfloat16') return toBfloat16(value);
  if (format === 'float16') return toFloat16(value);
  return scale === 0 ? 0 : Math.fround(toCode(value / scale) * scale);
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/**
 * The scale of the values [begin, end), a row of int8: at least their largest magnitude over 127, of 17 significant
 * bits, so that every whole number of it up to 127 is a float32, and rounding again changes nothing.
 */
export function int8Scale(values: Float32Array, begin: number, end: number): number {
  let most = 0;
  for (let i = begin; i < end; i++) most = Math.max(most, Math.abs(values[i] as number));
  float[0] = most / 127;
  word[0] = ((word[0] as number) + 0x7f) & ~0x7f;
  return float[0];
}

/** Halves away from zero, of the quotient as a float32. */
function toCode(quotient: number): number {
  const size = Math.floor(Math.abs(Math.fround(quotient)) + 0.5);
  return quotient < 0 ? -size : size;
}

/** To even; what would become infinite becomes the largest finite one. */
function toBfloat16(value: number): number {
  float[0] = value;
  const bits = word[0] as number;
  word[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  if (!Number.isFinite(float[0])) word[0] = word[0] - 0x10000;
  return float[0];
}

function toFloat16(value: number): number {
  const size = Math.abs(value);
  // The distance of neighbours: 11 significant bits, and no less than 2^-24.
  const step = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  const rounded = Math.min(toEven(size / step) * step, 65504);
  return value < 0 ? -rounded : rounded;
}

function toEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
