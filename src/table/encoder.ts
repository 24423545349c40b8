/**
 * From the columns of a table to the inputs of a network. Fitted on training rows only and stored with the model, so
 * that whoever runs it later feeds it exactly what it was trained on.
 */
import { z } from 'zod';
import { invalid } from '../errors.js';
import { columnOf, type Table } from './table.js';

const numberEncoding = z.strictObject({
  kind: z.literal('number'),
  column: z.string(),
  mean: z.number(),
  /** Above 0. */
  deviation: z.number().positive(),
  /** A second input: 1 where the value is missing (training rows had such), and the first is 0 there. */
  missing: z.boolean(),
});
const textEncoding = z.strictObject({
  kind: z.literal('text'),
  column: z.string(),
  /** One input each, after one for everything else (unknown or missing). */
  categories: z.array(z.string()).max(4096),
});
export const encoderSchema = z.strictObject({
  columns: z.array(z.discriminatedUnion('kind', [numberEncoding, textEncoding])).min(1),
  /** Columns left out, and why. */
  dropped: z.record(z.string(), z.string()),
});
export type EncoderSettings = z.infer<typeof encoderSchema>;
type ColumnEncoding = EncoderSettings['columns'][number];

/** A text column with more categories than this keeps the most frequent ones. */
const MAX_CATEGORIES = 256;

function widthOf(encoding: ColumnEncoding): number {
  if (encoding.kind === 'number') return encoding.missing ? 2 : 1;
  return 1 + encoding.categories.length;
}

export function inputWidth(settings: EncoderSettings): number {
  return settings.columns.reduce((sum, column) => sum + widthOf(column), 0);
}

function fitNumbers(column: string, values: Float64Array, rows: Uint32Array): ColumnEncoding | string {
  let count = 0;
  let mean = 0;
  let squares = 0;
  for (const row of rows) {
    const value = values[row]!;
    if (Number.isNaN(value)) continue;
    count += 1;
    const step = value - mean;
    mean += step / count;
    squares += step * (value - mean);
  }
  const missing = count < rows.length;
  const deviation = count > 0 ? Math.sqrt(squares / count) : 0;
  if (count === 0) return 'every value is missing';
  if (!Number.isFinite(mean) || !Number.isFinite(deviation)) return 'its values are too large';
  if (deviation <= Math.abs(mean) * 1e-12) {
    if (!missing) return 'every value is the same';
    return { kind: 'number', column, mean, deviation: 1, missing };
  }
  return { kind: 'number', column, mean, deviation, missing };
}

function fitTexts(
  column: string,
  codes: Int32Array,
  texts: string[],
  rows: Uint32Array,
): ColumnEncoding | string {
  const counts = new Float64Array(texts.length);
  let present = 0;
  for (const row of rows) {
    const code = codes[row]!;
    if (code < 0) continue;
    counts[code]! += 1;
    present += 1;
  }
  const found = texts.map((text, code) => ({ text, count: counts[code]! })).filter(({ count }) => count > 0);
  if (found.length === 0) return 'every value is missing';
  if (found.length > MAX_CATEGORIES && found.length > present / 2) {
    return `${found.length} texts in ${present} rows: names, not categories`;
  }
  if (found.length === 1 && present === rows.length) return 'every value is the same';
  found.sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1));
  const categories = found.slice(0, MAX_CATEGORIES).map(({ text }) => text);
  return { kind: 'text', column, categories: categories.sort() };
}

/**
 * Numbers are standardised (mean and deviation over the rows where there is one), texts become one input a category,
 * the most frequent 256 at most. Columns that tell nothing are dropped, with the reason.
 */
export function fitEncoder(table: Table, rows: Uint32Array, leaveOut: readonly string[]): EncoderSettings {
  const settings: EncoderSettings = { columns: [], dropped: {} };
  for (const [name, column] of table.columns) {
    if (leaveOut.includes(name)) continue;
    const fitted =
      column.kind === 'number'
        ? fitNumbers(name, column.values, rows)
        : fitTexts(name, column.codes, column.texts, rows);
    if (typeof fitted === 'string') settings.dropped[name] = fitted;
    else settings.columns.push(fitted);
  }
  if (settings.columns.length === 0) {
    throw invalid(
      'INVALID_DATA',
      table.path,
      'a column besides the target that tells rows apart',
      settings.dropped,
    );
  }
  return settings;
}

/** Numbers of all columns as they are, for a model that came without an encoder: its inputs in the table's order. */
export function plainEncoder(table: Table, leaveOut: readonly string[]): EncoderSettings {
  const settings: EncoderSettings = { columns: [], dropped: {} };
  for (const [column, { kind }] of table.columns) {
    if (leaveOut.includes(column)) continue;
    if (kind === 'number') settings.columns.push({ kind, column, mean: 0, deviation: 1, missing: false });
    else settings.dropped[column] = 'a text, and the model came without an encoder';
  }
  return settings;
}

/**
 * Writes one column's inputs for the rows from `from` up to `to`: the first at `at` of each row of `width` numbers.
 * A column at a time, as a loop over columns in every row costs a call a value.
 */
type Writer = (
  rows: Uint32Array,
  from: number,
  to: number,
  target: Float32Array,
  at: number,
  width: number,
) => void;

function numberWriter(table: Table, encoding: Extract<ColumnEncoding, { kind: 'number' }>): Writer {
  const column = columnOf(table, encoding.column);
  if (column.kind === 'text') {
    const row = column.codes.findIndex((code) => code >= 0 && !Number.isFinite(Number(column.texts[code])));
    throw invalid(
      'INVALID_DATA',
      `${table.path}, column ${encoding.column}, data row ${row + 1}`,
      'a number, as in training',
      column.texts[column.codes[row] ?? 0],
      { column: encoding.column },
    );
  }
  const { mean, deviation, missing } = encoding;
  const { values } = column;
  return (rows, from, to, target, at, width) => {
    for (let i = from, place = at; i < to; i += 1, place += width) {
      const value = values[rows[i]!]!;
      if (Number.isNaN(value)) {
        if (missing) target[place + 1] = 1;
      } else target[place] = (value - mean) / deviation;
    }
  };
}

function textWriter(table: Table, encoding: Extract<ColumnEncoding, { kind: 'text' }>): Writer {
  const column = columnOf(table, encoding.column);
  const placeOf = new Map(encoding.categories.map((text, i) => [text, i + 1]));
  if (column.kind === 'number') {
    // Categories such as "1" and "2": in another table every one may look like a number.
    const { values } = column;
    return (rows, from, to, target, at, width) => {
      for (let i = from; i < to; i += 1) {
        target[(i - from) * width + at + (placeOf.get(String(values[rows[i]!])) ?? 0)] = 1;
      }
    };
  }
  // The first is the place of a missing value, whose code is -1.
  const places = new Int32Array(column.texts.length + 1);
  column.texts.forEach((text, code) => {
    places[code + 1] = placeOf.get(text) ?? 0;
  });
  const { codes } = column;
  return (rows, from, to, target, at, width) => {
    for (let i = from, place = at; i < to; i += 1, place += width) {
      target[place + places[codes[rows[i]!]! + 1]!] = 1;
    }
  };
}

/** Encodes rows of one table. */
export class Encoder {
  readonly width: number;
  private readonly writers: { write: Writer; at: number }[] = [];

  /** Throws INVALID_DATA naming a column that is missing or holds texts where training had numbers. */
  constructor(settings: EncoderSettings, table: Table) {
    let at = 0;
    for (const column of settings.columns) {
      const write = column.kind === 'number' ? numberWriter(table, column) : textWriter(table, column);
      this.writers.push({ write, at });
      at += widthOf(column);
    }
    this.width = at;
  }

  /** The rows from `from` up to `to` of `rows`, as (to - from) × width float32. */
  encode(rows: Uint32Array, from = 0, to = rows.length): Float32Array {
    const inputs = new Float32Array((to - from) * this.width);
    for (const { write, at } of this.writers) write(rows, from, to, inputs, at, this.width);
    return inputs;
  }
}
