/** Rows of named values, gathered into batches of features. */
import { describe, invalid } from '../errors.js';
import type { RowEncoder } from './encode.js';

export interface Batch {
  readonly rows: number;
  /** rows * features numbers, row-major. */
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
  readonly encoder?: RowEncoder | undefined;
  /** Rows of a batch. */
  readonly batch: number;
}

export class Gatherer {
  readonly #options: SourceOptions;
  #order: readonly string[] = [];
  #data: Float32Array;
  #kept: unknown[][];
  #rows = 0;
  #seen = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#data = new Float32Array(options.batch * options.features);
    this.#kept = options.keep.map(() => []);
  }

  /** Rows gathered for the next batch, and in all. */
  get rows(): number {
    return this.#rows;
  }
  get seen(): number {
    return this.#seen;
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
    return (this.#order = order);
  }

  /** Adds a row; answers whether the batch is full. Throws INVALID_DATA for what is no number. */
  row(get: (name: string, index: number) => unknown, kept: (name: string) => unknown): boolean {
    const { features, encoder } = this.#options;
    const at = this.#rows * features;
    if (encoder !== undefined) encoder.write(get, this.#data, at, this.#seen + 1);
    else this.#numbers(get, at);
    this.#options.keep.forEach((name, i) => this.#kept[i]!.push(kept(name)));
    this.#rows += 1;
    this.#seen += 1;
    return this.#rows === this.#options.batch;
  }

  #numbers(get: (name: string, index: number) => unknown, at: number): void {
    this.#order.forEach((name, i) => {
      const value = get(name, i);
      const number = toNumber(value);
      if (number === undefined) {
        throw invalid('INVALID_DATA', `row ${this.#seen + 1}, column ${name}`, 'a number', value);
      }
      this.#data[at + i] = number;
    });
  }

  take(done: number): Batch {
    const { features, batch, keep } = this.#options;
    const rows = this.#rows;
    const data = this.#data.subarray(0, rows * features);
    const kept = new Map(keep.map((name, i) => [name, this.#kept[i]!]));
    this.#data = new Float32Array(batch * features);
    this.#kept = keep.map(() => []);
    this.#rows = 0;
    return { rows, data, kept, done };
  }
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
