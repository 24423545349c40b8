/**
 * The datatypes of the Open Inference Protocol, and how each becomes the float32 that models take: exactly or not at
 * all. FP16, BF16, BOOL and the 8- and 16-bit integers always convert; FP64 and the wider integers where every value
 * is a float32, as it is written where the numbers are JSON; BYTES never. Sizes and byte order: https://github.com/kserve/open-inference-protocol (little endian).
 */
import { EspalierError, invalid } from '../errors.js';
import type { Datatype } from './types.js';

interface DatatypeRule {
  /** Bytes an element; 0: not of a fixed size. */
  readonly bytes: number;
  /** Smallest and largest integer, for numbers in JSON and for typed contents. */
  readonly range?: readonly [number, number];
}

export const DATATYPES: Readonly<Record<Datatype, DatatypeRule>> = {
  BOOL: { bytes: 1, range: [0, 1] },
  UINT8: { bytes: 1, range: [0, 255] },
  UINT16: { bytes: 2, range: [0, 65535] },
  UINT32: { bytes: 4, range: [0, 2 ** 32 - 1] },
  UINT64: { bytes: 8, range: [0, 2 ** 64] },
  INT8: { bytes: 1, range: [-128, 127] },
  INT16: { bytes: 2, range: [-32768, 32767] },
  INT32: { bytes: 4, range: [-(2 ** 31), 2 ** 31 - 1] },
  INT64: { bytes: 8, range: [-(2 ** 63), 2 ** 63] },
  FP16: { bytes: 2 },
  BF16: { bytes: 2 },
  FP32: { bytes: 4 },
  FP64: { bytes: 8 },
  BYTES: { bytes: 0 },
};

/** The datatype by its name in a request; refused where no number of it is a float32. */
export function checkDatatype(value: unknown, parameter: string): Datatype {
  if (typeof value !== 'string' || !Object.hasOwn(DATATYPES, value)) {
    throw invalid('INVALID_INPUT', parameter, `one of ${Object.keys(DATATYPES).join(', ')}`, value);
  }
  if (value === 'BYTES') {
    throw new EspalierError('INVALID_INPUT', `${parameter}: BYTES does not convert to the model's FP32`, {
      parameter,
      received: value,
    });
  }
  return value as Datatype;
}

/** The protocol's name of a model's dtype. */
export function datatypeOf(dtype: string): Datatype {
  switch (dtype) {
    case 'float32':
      return 'FP32';
    case 'int32':
      return 'INT32';
    case 'bool':
      return 'BOOL';
    default:
      throw invalid('UNSUPPORTED_FORMAT', 'dtype', 'float32, int32 or bool', dtype);
  }
}

export function inexact(
  parameter: string,
  datatype: Datatype,
  index: number,
  value: number | bigint,
): EspalierError {
  return new EspalierError(
    'INVALID_INPUT',
    `${parameter}: element ${index} is ${value} (${datatype}), which no float32 equals; send FP32`,
    { parameter, index, received: String(value) },
  );
}

/** Throws INVALID_INPUT unless the bytes are those of so many elements; answers their number. */
export function checkLength(datatype: Datatype, bytes: Uint8Array, count: number, parameter: string): number {
  const expected = count * DATATYPES[datatype].bytes;
  if (bytes.length === expected) return expected;
  throw new EspalierError(
    'INVALID_INPUT',
    `${parameter}: expected ${expected} bytes for ${count} elements of ${datatype}, received ${bytes.length}`,
    { parameter, expected, received: bytes.length },
  );
}

/** Little-endian bytes of `count` elements to float32. The bytes are copied: the caller's buffer is not kept. */
export function fromBytes(
  datatype: Datatype,
  bytes: Uint8Array,
  count: number,
  parameter: string,
): Float32Array {
  const expected = checkLength(datatype, bytes, count, parameter);
  // A copy is aligned, whatever offset the header gave the bytes in the body.
  const buffer = new ArrayBuffer(expected);
  new Uint8Array(buffer).set(bytes);
  switch (datatype) {
    case 'FP32':
      return new Float32Array(buffer);
    case 'UINT8':
      return Float32Array.from(new Uint8Array(buffer));
    case 'INT8':
      return Float32Array.from(new Int8Array(buffer));
    case 'UINT16':
      return Float32Array.from(new Uint16Array(buffer));
    case 'INT16':
      return Float32Array.from(new Int16Array(buffer));
    case 'BOOL':
      return Float32Array.from(new Uint8Array(buffer), (v, i) => {
        if (v > 1) throw invalid('INVALID_INPUT', `${parameter}[${i}]`, '0 or 1', v);
        return v;
      });
    case 'UINT32':
      return exactly(new Uint32Array(buffer), datatype, parameter);
    case 'INT32':
      return exactly(new Int32Array(buffer), datatype, parameter);
    case 'FP64':
      return exactly(new Float64Array(buffer), datatype, parameter);
    case 'UINT64':
      return exactlyBig(new BigUint64Array(buffer), datatype, parameter);
    case 'INT64':
      return exactlyBig(new BigInt64Array(buffer), datatype, parameter);
    case 'FP16':
      return Float32Array.from(new Uint16Array(buffer), halfToNumber);
    case 'BF16': {
      const bits = Uint32Array.from(new Uint16Array(buffer), (v) => (v << 16) >>> 0);
      return new Float32Array(bits.buffer);
    }
    case 'BYTES':
      throw invalid('INVALID_INPUT', parameter, 'a datatype of numbers', datatype);
  }
}

function exactly(values: ArrayLike<number>, datatype: Datatype, parameter: string): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    out[i] = value;
    if (out[i] !== value && !Number.isNaN(value)) throw inexact(parameter, datatype, i, value);
  }
  return out;
}

function exactlyBig(
  values: BigInt64Array | BigUint64Array,
  datatype: Datatype,
  parameter: string,
): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const rounded = Math.fround(Number(value));
    if (BigInt(rounded) !== value) throw inexact(parameter, datatype, i, value);
    out[i] = rounded;
  }
  return out;
}

/** IEEE 754 binary16 to a number: every one is a float32. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** A number of JSON or of typed gRPC contents as float32: FP32 is rounded, every other datatype must be exact. */
export function fromNumber(datatype: Datatype, value: unknown, index: number, parameter: string): number {
  if (datatype === 'BOOL' && typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'number') {
    const expected = datatype === 'BOOL' ? 'true, false, 0 or 1' : 'a number';
    throw invalid('INVALID_INPUT', `${parameter}[${index}]`, expected, value);
  }
  const rounded = Math.fround(value);
  if (datatype === 'FP32') {
    if (Number.isFinite(value) && !Number.isFinite(rounded)) {
      throw invalid('INVALID_INPUT', `${parameter}[${index}]`, 'a number in the range of FP32', value);
    }
    return rounded;
  }
  const range = DATATYPES[datatype].range;
  if (range !== undefined && !(Number.isInteger(value) && value >= range[0] && value <= range[1])) {
    throw invalid('INVALID_INPUT', `${parameter}[${index}]`, `an integer of ${datatype}`, value);
  }
  if (rounded !== value && !Number.isNaN(value)) throw inexact(parameter, datatype, index, value);
  return rounded;
}
