/**
 * The values of a matrix in the fewest bytes that give back exactly the same float32 numbers:
 * - F32: as they are.
 * - split: the highest byte of each (sign and 7 bits of the exponent) takes a handful of values, as the weights that
 *   pruning leaves are of like magnitude: an index of a few bits into a list of them, and the 3 other bytes as they are.
 * - F16: where all are float16 numbers.
 * - BF16: where all are bfloat16 numbers: the upper halves.
 * - I8: where those of each row are whole numbers of -127 to 127 times the row's scale (`convert --values int8`).
 * - U8, U16: indices into a palette where few differ (weights that were quantised once).
 */
import type { ValueDType } from '../program/coded.js';
import { int8Scale } from '../program/value-formats.js';
import { packBits } from './bits.js';

export type ValueArray = Float32Array | Uint16Array | Uint8Array | Int8Array;

export interface CodedValues {
  readonly dtype: ValueDType;
  /** One a value; 3 bytes a value for split; bit patterns for F16 and BF16; indices into `palette` for U8 and U16. */
  readonly codes: ValueArray;
  /** U8, U16: the distinct values in the order in which they first appear. */
  readonly palette?: Float32Array;
  /** split: the distinct highest bytes, rising. */
  readonly tops?: readonly number[];
  /** split: for each value its index in `tops`, in `topBits(tops)` bits. */
  readonly high?: Uint8Array;
  /** I8: of each row. */
  readonly scales?: Float32Array;
}

/** More distinct highest bytes than this are left as they are. */
export const MAX_TOPS = 32;
/** A file of its own needs this much of a gain: the header pays for what tells of a split. */
const SPLIT_GAIN = 2048;

export function topBits(tops: number): number {
  return Math.max(1, Math.ceil(Math.log2(tops)));
}

/** rowPtr: where the values of each row begin. */
export function encodeValues(values: Float32Array, rowPtr: Int32Array): CodedValues {
  let best: CodedValues = { dtype: 'F32', codes: values };
  const codings = [
    toSplit(values),
    toBfloat(values),
    toHalf(values),
    toInt8(values, rowPtr),
    toPalette(values),
  ];
  for (const next of codings) {
    if (next !== null && bytesOf(next) < bytesOf(best)) best = next;
  }
  return best;
}

function bytesOf({ dtype, codes, palette, high, scales }: CodedValues): number {
  const bytes =
    codes.byteLength + (palette?.byteLength ?? 0) + (high?.byteLength ?? 0) + (scales?.byteLength ?? 0);
  return dtype === 'split' ? bytes + SPLIT_GAIN : bytes;
}

/** As float32, F32 without a copy; null if an index lies outside of its list. rowPtr: as encodeValues. */
export function decodeValues(coded: CodedValues, rowPtr: Int32Array): Float32Array | null {
  const { dtype, codes, palette, tops = [], high, scales } = coded;
  if (dtype === 'F32') return codes as Float32Array;
  if (dtype === 'F16') return Float32Array.from(codes, fromHalf);
  if (dtype === 'BF16') {
    return new Float32Array(Uint32Array.from(codes, (code) => (code << 16) >>> 0).buffer);
  }
  if (dtype === 'split') return joinSplit(codes, tops, high as Uint8Array);
  const values = new Float32Array(codes.length);
  if (dtype === 'I8') {
    for (let row = 0; row + 1 < rowPtr.length; row++) {
      const scale = (scales as Float32Array)[row] as number;
      for (let i = rowPtr[row] as number; i < (rowPtr[row + 1] as number); i++) {
        values[i] = (codes[i] as number) * scale;
      }
    }
    return values;
  }
  const { length } = palette as Float32Array;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code >= length) return null;
    values[i] = (palette as Float32Array)[code] as number;
  }
  return values;
}

function joinSplit(low: ValueArray, tops: readonly number[], high: Uint8Array): Float32Array | null {
  const bits = topBits(tops.length);
  const mask = 2 ** bits - 1;
  const words = new Uint32Array(low.length / 3);
  const shifted = Uint32Array.from(tops, (top) => top << 24);
  let held = 0;
  let width = 0;
  let from = 0;
  for (let i = 0, at = 0; i < words.length; i++, at += 3) {
    if (width < bits) {
      held |= (high[from++] as number) << width;
      width += 8;
    }
    const index = held & mask;
    held >>>= bits;
    width -= bits;
    if (index >= shifted.length) return null;
    words[i] =
      (low[at] as number) |
      ((low[at + 1] as number) << 8) |
      ((low[at + 2] as number) << 16) |
      (shifted[index] as number);
  }
  return new Float32Array(words.buffer);
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function toSplit(values: Float32Array): CodedValues | null {
  if (values.length < SPLIT_GAIN) return null;
  const bits = bitsOf(values);
  const index = new Uint8Array(256);
  for (let i = 0; i < bits.length; i++) index[(bits[i] as number) >>> 24] = 1;
  const tops = [...index.keys()].filter((top) => index[top] === 1);
  if (tops.length > MAX_TOPS) return null;
  tops.forEach((top, at) => (index[top] = at));
  const codes = new Uint8Array(values.length * 3);
  const indices = new Uint8Array(values.length);
  for (let i = 0, at = 0; i < bits.length; i++, at += 3) {
    const word = bits[i] as number;
    codes[at] = word;
    codes[at + 1] = word >>> 8;
    codes[at + 2] = word >>> 16;
    indices[i] = index[word >>> 24] as number;
  }
  return { dtype: 'split', codes, tops, high: packBits(indices, topBits(tops.length)) };
}

function toPalette(values: Float32Array): CodedValues | null {
  const bits = bitsOf(values);
  const codes = new Uint16Array(values.length);
  // Past half as many entries as values a palette cannot win any more.
  const limit = Math.min(65_536, values.length / 2);
  // A hash table of codes + 1 with open addressing, at most half full: a Map takes ten times as long.
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * limit + 2)));
  const shift = Math.clz32(slots.length) + 1;
  const entries = new Uint32Array(Math.ceil(limit));
  let size = 0;
  for (let i = 0; i < bits.length; i++) {
    const key = bits[i] as number;
    let slot = Math.imul(key, 0x9e3779b1) >>> shift;
    let code: number;
    while ((code = (slots[slot] as number) - 1) >= 0 && entries[code] !== key) {
      slot = (slot + 1) & (slots.length - 1);
    }
    if (code < 0) {
      code = size;
      if (code >= limit) return null;
      entries[size++] = key;
      slots[slot] = size;
    }
    codes[i] = code;
  }
  const palette = new Float32Array(entries.slice(0, size).buffer);
  return size <= 256
    ? { dtype: 'U8', codes: Uint8Array.from(codes), palette }
    : { dtype: 'U16', codes, palette };
}

function toBfloat(values: Float32Array): CodedValues | null {
  const bits = bitsOf(values);
  const codes = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    if ((word & 0xffff) !== 0) return null;
    codes[i] = word >>> 16;
  }
  return { dtype: 'BF16', codes };
}

function toInt8(values: Float32Array, rowPtr: Int32Array): CodedValues | null {
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(rowPtr.length - 1);
  for (let row = 0; row < scales.length; row++) {
    const begin = rowPtr[row] as number;
    const end = rowPtr[row + 1] as number;
    const scale = int8Scale(values, begin, end);
    scales[row] = scale;
    for (let i = begin; i < end; i++) {
      const code = Math.round((values[i] as number) / scale);
      if (Math.fround(code * scale) !== values[i]) return null;
      codes[i] = code;
    }
  }
  return { dtype: 'I8', codes, scales };
}

function toHalf(values: Float32Array): CodedValues | null {
  const codes = new Uint16Array(values.length);
  const bits = bitsOf(values);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const sign = (word >>> 16) & 0x8000;
    const exponent = ((word >>> 23) & 255) - 127;
    const mantissa = word & 0x7fffff;
    if ((word & 0x7fffffff) === 0) codes[i] = sign;
    else if (exponent >= -14 && exponent <= 15 && (mantissa & 0x1fff) === 0) {
      codes[i] = sign | ((exponent + 15) << 10) | (mantissa >>> 13);
    } else if (exponent >= -24 && exponent < -14) {
      const shift = -exponent - 1;
      const full = mantissa | 0x800000;
      if (full % 2 ** shift !== 0) return null;
      codes[i] = sign | (full / 2 ** shift);
    } else return null;
  }
  return { dtype: 'F16', codes };
}

/** The number that a float16 bit pattern stands for. */
export function fromHalf(code: number): number {
  const sign = (code & 0x8000) === 0 ? 1 : -1;
  const exponent = (code >>> 10) & 31;
  const mantissa = code & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
