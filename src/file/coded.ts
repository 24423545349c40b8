/** The parts of a coded matrix as bytes. */
import type { CodedValues } from './values.js';

/** The parts of coded values as bytes, without a copy of the large ones. */
export function valueBytes({ dtype, codes, palette, tops = [], high, scales }: CodedValues) {
  return {
    dtype,
    codes: bytesOf(codes),
    palette: bytesOf(palette),
    tops: Uint8Array.from(tops),
    high: bytesOf(high),
    scales: bytesOf(scales),
  };
}

const NOTHING = new Uint8Array(0);

/** The same memory as bytes; of a pool that the file lacks, none. */
export function bytesOf(array: ArrayBufferView | undefined): Uint8Array {
  return array === undefined ? NOTHING : new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
