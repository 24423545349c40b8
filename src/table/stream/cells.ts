/** Where the values of one column of a batch go, and what counts as a value. */
import { invalid } from '../../errors.js';
import type { EncoderSettings } from '../encoder.js';

/** Numbers, at `offset + row * stride` of `target`. */
export interface NumberCells {
  readonly kind: 'number';
  readonly name: string;
  readonly target: Float32Array | Float64Array;
  readonly offset: number;
  readonly stride: number;
  /** The number of a value of any kind; throws INVALID_DATA, at the place `where` tells. */
  of(value: unknown, where: () => string): number;
  /** Whether a number that is not finite is one. */
  readonly finite: boolean;
}

/** Texts of a column, as places in its list of categories; -1 for all others. */
export interface TextCells {
  readonly kind: 'text';
  readonly name: string;
  readonly codes: Int32Array;
  code(value: unknown): number;
}

export type Cells = NumberCells | TextCells;

/** One of the model's own inputs: float32 between those of the other columns. */
export function plainCells(name: string, target: Float32Array, offset: number, stride: number): NumberCells {
  return {
    ...{ kind: 'number', name, target, offset, stride, finite: false },
    of(value, where) {
      const number = toNumber(value);
      if (number === undefined) throw invalid('INVALID_DATA', where(), 'a number', value);
      return number;
    },
  };
}

function toNumber(value: unknown): number | undefined {
  switch (typeof value) {
    case 'number':
      return value;
    case 'bigint':
    case 'boolean':
      return Number(value);
    case 'string': {
      const number = Number(value);
      // Nothing but blanks is 0 to Number.
      return Number.isNaN(number) || (number === 0 && value.trim() === '') ? undefined : number;
    }
    default:
      return undefined;
  }
}

/** A raw column, read as training read it (src/table/table.ts): numbers with NaN for missing ones, or categories. */
export function rawCells(
  column: EncoderSettings['columns'][number],
  batch: number,
  isMissing: (text: string) => boolean,
): Cells {
  const missing = (value: unknown) =>
    value === null ||
    value === undefined ||
    value !== value ||
    (typeof value === 'string' && isMissing(value));
  const name = column.column;
  if (column.kind === 'text') {
    const codes = new Map(column.categories.map((text, code) => [text, code]));
    return {
      ...{ kind: 'text', name, codes: new Int32Array(batch) },
      code(value) {
        if (missing(value)) return -1;
        const text = String(value).trim();
        // Categories such as "1": a table of numbers may say "1.0".
        return codes.get(text) ?? codes.get(String(Number(text))) ?? -1;
      },
    };
  }
  return {
    ...{ kind: 'number', name, offset: 0, stride: 1, finite: true },
    target: new Float64Array(batch),
    of(value, where) {
      if (missing(value)) return NaN;
      const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value);
      if (!Number.isFinite(number)) {
        throw invalid('INVALID_DATA', where(), 'a number, as in training', value);
      }
      return number;
    },
  };
}
