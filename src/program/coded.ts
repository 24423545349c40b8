/** Matrices as a file has them, for the engine: the addon decodes them straight into what it keeps. */
import type { Matrix, Operation, Program } from './program.js';

/** How the values of a coded matrix lie; see file/values.ts. */
export const VALUE_CODES = ['F32', 'split', 'F16', 'BF16', 'I8', 'U16', 'U8'] as const;
export type ValueDType = (typeof VALUE_CODES)[number];

/** A matrix by rows whose lengths fit its bytes; whether the codes themselves make a matrix is for the addon. */
export interface CodedMatrix {
  readonly format: 'coded';
  readonly rows: number;
  readonly cols: number;
  readonly nnz: number;
  /** Bits of a code in `runs`, 0 to 16; see file/runs.ts. */
  readonly bits: number;
  readonly runs: Uint8Array;
  /** All parts are bytes, little-endian, at any alignment; those that the dtype lacks are empty. */
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
