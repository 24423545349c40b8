/** Reading a CSV file into columns: numbers as Float64Array, everything else as codes into a list of texts. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import Papa from 'papaparse';
import { EspalierError, invalid } from '../errors.js';

export interface NumberColumn {
  kind: 'number';
  /** NaN where the value is missing. */
  values: Float64Array;
}

export interface TextColumn {
  kind: 'text';
  /** Index into `texts`; -1 where the value is missing. */
  codes: Int32Array;
  texts: string[];
}

export type Column = NumberColumn | TextColumn;

export interface Table {
  path: string;
  rows: number;
  columns: Map<string, Column>;
}

/** What counts as missing, besides nothing at all (upper and lower case alike). */
const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '-', '?']);

export function isMissing(text: string): boolean {
  return text.length <= 4 && MISSING.has(text.trim().toLowerCase());
}

/** A column while the file is read: grows by doubling. */
class Growing {
  private numbers: Float64Array | undefined = new Float64Array(1024);
  private codes: Int32Array | undefined;
  private readonly texts: string[] = [];
  private readonly codeOf = new Map<string, number>();
  private length = 0;

  constructor(asText: boolean) {
    if (asText) {
      this.numbers = undefined;
      this.codes = new Int32Array(1024);
    }
  }

  /** False if a text came into a column of numbers: the file must be read again, this column as text. */
  push(text: string): boolean {
    const at = this.length;
    this.length += 1;
    if (this.numbers !== undefined) {
      if (at === this.numbers.length) {
        const grown = new Float64Array(at * 2);
        grown.set(this.numbers);
        this.numbers = grown;
      }
      const value = text === '' ? NaN : Number(text);
      if (Number.isFinite(value) && text.trim() !== '') this.numbers[at] = value;
      else if (isMissing(text)) this.numbers[at] = NaN;
      else return false;
      return true;
    }
    if (at === this.codes!.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.codes!);
      this.codes = grown;
    }
    this.codes![at] = isMissing(text) ? -1 : this.code(text.trim());
    return true;
  }

  private code(text: string): number {
    let code = this.codeOf.get(text);
    if (code === undefined) {
      code = this.texts.length;
      this.texts.push(text);
      this.codeOf.set(text, code);
    }
    return code;
  }

  finish(): Column {
    if (this.numbers !== undefined) return { kind: 'number', values: this.numbers.slice(0, this.length) };
    return { kind: 'text', codes: this.codes!.slice(0, this.length), texts: this.texts };
  }
}

/** Columns while rows come, the header first. */
class Rows {
  private names: string[] | undefined;
  private columns: Growing[] = [];
  private count = 0;

  constructor(
    private readonly path: string,
    private readonly asText: ReadonlySet<string>,
  ) {}

  /** For messages: the data row that comes next, from 1. */
  get next(): number {
    return this.count + 1;
  }

  /** Answers the name of a column of numbers into which a text came. Throws INVALID_DATA. */
  take(row: readonly string[]): string | undefined {
    if (this.names === undefined) {
      this.header(row);
      return undefined;
    }
    const { names, columns } = this;
    // A line with nothing in it, as many files have at their end.
    if (row.length === 1 && row[0]!.trim() === '' && names.length > 1) return undefined;
    if (row.length !== names.length) {
      throw new EspalierError(
        'INVALID_DATA',
        `${this.path}: expected ${names.length} values in data row ${this.next}, received ${row.length}`,
        { parameter: this.path, expected: names.length, received: row.length, row: this.next },
      );
    }
    for (let i = 0; i < row.length; i += 1) {
      if (!columns[i]!.push(row[i]!)) return names[i]!;
    }
    this.count += 1;
    return undefined;
  }

  private header(row: readonly string[]): void {
    const names = row.map((name) => name.trim());
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw invalid('INVALID_DATA', this.path, 'column names that differ', twice, { column: twice });
    }
    this.names = names;
    this.columns = names.map((name) => new Growing(this.asText.has(name)));
  }

  /** Throws INVALID_DATA for a table without rows. */
  finish(): Table {
    const { path, names, columns, count } = this;
    if (names === undefined || count === 0) {
      throw invalid('INVALID_DATA', path, 'a header and at least one row', `${count} rows`);
    }
    return {
      path,
      rows: count,
      columns: new Map(names.map((name, i) => [name, columns[i]!.finish()] as const)),
    };
  }
}

/** One pass; answers the name of a column that turned out to be text, or the table. */
function pass(path: string, asText: ReadonlySet<string>): Promise<Table | string> {
  return new Promise((resolve, reject) => {
    const rows = new Rows(path, asText);
    let settled = false;
    const stream = createReadStream(path, { highWaterMark: 1 << 20 });
    /** The first answer ends the reading; what is thrown instead of one refuses. */
    const settle = (answer: () => Table | string) => {
      if (settled) return;
      settled = true;
      stream.destroy();
      try {
        resolve(answer());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const fail = (error: unknown) =>
      settle(() => {
        throw error;
      });
    Papa.parse<string[]>(stream, {
      chunk: ({ data, errors }) => {
        if (settled) return;
        try {
          requireQuotes(errors, path, rows.next);
          for (const row of data) {
            const text = rows.take(row);
            if (text === undefined) continue;
            settle(() => text);
            return;
          }
        } catch (error) {
          fail(error);
        }
      },
      complete: () => settle(() => rows.finish()),
      error: (cause: Error) => {
        const message = `cannot read ${path}: ${cause.message}`;
        fail(new EspalierError('IO_FAILED', message, { parameter: path }, cause));
      },
    });
  });
}

/** Other complaints (no delimiter in a file of one column) are none. */
function requireQuotes(errors: readonly Papa.ParseError[], path: string, row: number): void {
  const quotes = errors.find(({ type }) => type === 'Quotes');
  if (quotes === undefined) return;
  throw new EspalierError('INVALID_DATA', `${path}: ${quotes.message} near data row ${row}`, {
    parameter: path,
    row,
  });
}

/**
 * Reads a CSV file with a header. A column whose every value is a number (or missing) holds numbers, any other texts.
 * Throws NOT_FOUND, INVALID_DATA (with the row) or IO_FAILED.
 */
export async function readTable(path: string): Promise<Table> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new EspalierError('NOT_FOUND', `${path}: no such file`, { parameter: path });
  if (!found.isFile()) throw invalid('INVALID_DATA', path, 'a CSV file', 'a folder');
  const asText = new Set<string>();
  for (;;) {
    const outcome = await pass(path, asText);
    if (typeof outcome !== 'string') return outcome;
    asText.add(outcome);
  }
}

/** The named column. Throws INVALID_DATA naming it, and what there is, if the table has none. */
export function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name);
  if (column !== undefined) return column;
  const names = [...table.columns.keys()];
  throw new EspalierError(
    'INVALID_DATA',
    `${table.path}: expected a column ${JSON.stringify(name)}, found ${names.slice(0, 40).join(', ')}${names.length > 40 ? ', …' : ''}`,
    { parameter: name, expected: `a column ${name}`, received: names, column: name },
  );
}

/** The named column, which must hold numbers in every row. */
export function targetValues(table: Table, name: string): Float64Array {
  const column = columnOf(table, name);
  if (column.kind === 'text') {
    const row = column.codes.findIndex((code) => code >= 0 && !Number.isFinite(Number(column.texts[code])));
    throw invalid(
      'INVALID_DATA',
      `${table.path}, target ${name}, data row ${row + 1}`,
      'a number',
      column.texts[column.codes[row] ?? 0],
      { column: name },
    );
  }
  const row = column.values.findIndex((value) => Number.isNaN(value));
  if (row >= 0) {
    throw invalid(
      'INVALID_DATA',
      `${table.path}, target ${name}, data row ${row + 1}`,
      'a number',
      'a missing value',
      {
        column: name,
      },
    );
  }
  return column.values;
}

/** By column what it holds, as a digest: another table is known by it, whatever its path and its number of rows. */
export function tableMarks({ columns }: Table): Record<string, string> {
  const mark = (column: Column): string => {
    const hash = createHash('sha256').update(column.kind);
    if (column.kind === 'number') hash.update(column.values);
    else hash.update(JSON.stringify(column.texts)).update(column.codes);
    return hash.digest('hex').slice(0, 16);
  };
  return Object.fromEntries([...columns].map(([name, column]) => [name, mark(column)]));
}
