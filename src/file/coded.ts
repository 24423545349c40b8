/** Matrices as the file has them, for the engine: the addon decodes them straight into what it keeps. */
import type { Matrix, Operation, Program } from '../program/program.js';
import type { CodedValues, ValueDType } from './values.js';

/** A matrix by rows whose lengths fit its bytes; whether the codes themselves make a matrix is for the addon. */
export interface CodedMatrix {
  readonly format: 'coded';
  readonly rows: number;
  readonly cols: number;
  readonly nnz: number;
  /** Bits of a code in `runs`, 0 to 16; see runs.ts. */
  readonly bits: number;
  readonly runs: Uint8Array;
  /** See values.ts. All parts are bytes, little-endian, at any alignment; those that the dtype lacks are empty. */
  readonly dtype: ValueDType;
  readonly codes: Uint8Array;
  readonly palette: Uint8Array;
  readonly tops: Uint8Array;
  readonly high: Uint8Array;
  readonly scales: Uint8Array;
}

type Coded<O> = O extends { readonly weight: Matrix }
  ? Omit<O, 'weight'> & { readonly weight: CodedMatrix }
  : O;

export interface CodedProgram extends Omit<Program, 'operations'> {
  readonly operations: readonly Coded<Operation>[];
}

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
