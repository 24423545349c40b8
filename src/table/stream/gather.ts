/** Named values, gathered into batches of features. */
import { types } from 'node:util';
import { describe, invalid } from '../../errors.js';
import { plainCells, type Cells } from './cells.js';
import type { BatchEncoder, StoredEncoder } from './encode.js';

export interface Batch {
  readonly rows: number;
  /** rows * features numbers, row-major. Their memory is that of the next batch, too. */
  readonly data: Float32Array;
  /** Columns to copy to the output, by name. */
  readonly kept: ReadonlyMap<string, readonly unknown[]>;
  /** Bytes, or rows, of the input that lie behind; 0 at its end. */
  readonly done: number;
}

export interface SourceOptions {
  readonly path: string;
  /** Numbers a row that the model takes. */
  readonly features: number;
  /** The columns that hold them, in the model's order; undefined: all of the file in its order. */
  readonly columns: readonly string[] | undefined;
  readonly keep: readonly string[];
  /** Makes the features of raw columns; undefined: the columns are the features. */
  readonly encoder?: StoredEncoder | undefined;
  /** Rows of a batch. */
  readonly batch: number;
}

/** The values of a column of some rows: numbers, or anything. */
export type Values = ArrayLike<unknown> | { readonly length: number; get(row: number): unknown };

export class Gatherer {
  /** What tells a place to who reads the file, before "row 1"; "" or such as "line 2, ". */
  where: () => string = () => '';
  readonly #options: SourceOptions;
  readonly #encoder: BatchEncoder | undefined;
  #cells: readonly Cells[] = [];
  #data = new Float32Array(0);
  #kept: unknown[][];
  #rows = 0;
  #seen = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#encoder = options.encoder?.start(options.batch);
    this.#kept = options.keep.map(() => []);
  }

  /** Rows gathered for the next batch, and in all. */
  get rows(): number {
    return this.#rows;
  }
  get seen(): number {
    return this.#seen;
  }
  /** Places of the values of the next batch, a column each, in the order that `header` answered. */
  get cells(): readonly Cells[] {
    return this.#cells;
  }
  /** Values of the next batch to copy to the output, a column each. */
  get kept(): readonly unknown[][] {
    return this.#kept;
  }

  /** The columns of features, of those that the file has. Throws INVALID_DATA where one is missing or they are not as many. */
  header(names: readonly string[]): readonly string[] {
    const { keep, features, encoder } = this.#options;
    const columns = encoder?.columns ?? this.#options.columns;
    const missing = [...(columns ?? []), ...keep].find((name) => !names.includes(name));
    if (missing !== undefined) {
      const shown = names.slice(0, 10).join(', ');
      throw invalid('INVALID_DATA', 'columns', `a column ${describe(missing)} in the input`, shown);
    }
    const order = columns ?? names.filter((name) => !keep.includes(name));
    if (encoder === undefined && order.length !== features) {
      throw invalid(
        'INVALID_DATA',
        'columns',
        `${features}, one for each feature of the model`,
        order.length,
      );
    }
    if (this.#cells.length === 0) {
      if (this.#encoder === undefined) this.#data = new Float32Array(this.#options.batch * features);
      this.#cells = this.#encoder?.cells ?? order.map((name, i) => plainCells(name, this.#data, i, features));
    }
    return order;
  }

  /** The place of the next row, as errors name it. */
  place(row = this.#seen): string {
    return `${this.where()}row ${row + 1}`;
  }

  /** Adds a row by its values; answers whether the batch is full. Throws INVALID_DATA for what is no number. */
  row(get: (name: string, index: number) => unknown, kept: (name: string) => unknown): boolean {
    this.#cells.forEach((cells, i) => this.set(cells, get(cells.name, i)));
    this.#options.keep.forEach((name, i) => this.#kept[i]!.push(kept(name)));
    return this.added();
  }

  /** Puts one value of the next row into its place. */
  set(cells: Cells, value: unknown): void {
    if (cells.kind === 'text') cells.codes[this.#rows] = cells.code(value);
    else {
      const where = () => `${this.place()}, column ${cells.name}`;
      cells.target[cells.offset + this.#rows * cells.stride] = cells.of(value, where);
    }
  }

  /** The next row is in its places; answers whether the batch is full. */
  added(): boolean {
    this.#rows += 1;
    this.#seen += 1;
    return this.#rows === this.#options.batch;
  }

  /** Adds `rows` rows by their columns, a batch after the other; `done` tells of rows of them what lies behind. */
  *columns(
    rows: number,
    columns: readonly Values[],
    kept: readonly Values[],
    done: (rows: number) => number,
  ): Generator<Batch> {
    const { batch } = this.#options;
    for (let from = 0; from < rows;) {
      const count = Math.min(batch - this.#rows, rows - from);
      this.#cells.forEach((cells, i) => this.#fill(cells, columns[i]!, from, count));
      kept.forEach((values, i) => {
        const get = getter(values);
        for (let row = from; row < from + count; row++) this.#kept[i]!.push(get(row));
      });
      this.#rows += count;
      this.#seen += count;
      from += count;
      if (this.#rows === batch) yield this.take(done(from));
    }
  }

  #fill(cells: Cells, values: Values, from: number, count: number): void {
    const row = this.#rows;
    if (cells.kind === 'text') {
      const get = getter(values);
      for (let i = 0; i < count; i++) cells.codes[row + i] = cells.code(get(from + i));
      return;
    }
    const { target, offset, stride } = cells;
    const where = (i: number) => () => `${this.place(this.#seen + i)}, column ${cells.name}`;
    let at = offset + row * stride;
    if (isNumbers(values)) {
      for (let i = 0; i < count; i++, at += stride) {
        const value = values[from + i]!;
        target[at] = value;
        if (cells.finite && !Number.isFinite(value)) cells.of(value, where(i));
      }
      return;
    }
    const get = getter(values);
    for (let i = 0; i < count; i++, at += stride) target[at] = cells.of(get(from + i), where(i));
  }

  take(done: number): Batch {
    const rows = this.#rows;
    const { features, keep } = this.#options;
    const data = this.#encoder?.encode(rows) ?? this.#data.subarray(0, rows * features);
    const kept = new Map(keep.map((name, i) => [name, this.#kept[i]!]));
    this.#kept = keep.map(() => []);
    this.#rows = 0;
    return { rows, data, kept, done };
  }
}

type Numbers = Float32Array | Float64Array | Int32Array | Int16Array | Int8Array | Uint8Array | Uint16Array;

function isNumbers(values: Values): values is Numbers {
  return types.isTypedArray(values) && !types.isBigInt64Array(values) && !types.isBigUint64Array(values);
}

function getter(values: Values): (row: number) => unknown {
  if ('get' in values && typeof values.get === 'function') {
    const vector = values as { get(row: number): unknown };
    return (row) => vector.get(row);
  }
  return (row) => (values as ArrayLike<unknown>)[row];
}
