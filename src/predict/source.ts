/** Tables as streams of batches of float32 features: csv, jsonl, npy, parquet, arrow. Memory is constant. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { EspalierError, invalid } from '../errors.js';
import { Gatherer, type Batch, type SourceOptions } from './gather.js';
import { npy } from './npy.js';

export type Format = 'csv' | 'jsonl' | 'npy' | 'parquet' | 'arrow';

export interface Source {
  /** In the unit of `done`; 0 where it is not known. */
  readonly total: number;
  batches(): AsyncIterable<Batch>;
}

const EXTENSIONS: Record<string, Format> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.npy': 'npy',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
  '.arrows': 'arrow',
};

/** The format by a name's end; "-" is Arrow IPC. Throws INVALID_ARGUMENT. */
export function formatOf(path: string, given: string | undefined, parameter: string): Format {
  const format = given ?? (path === '-' ? 'arrow' : EXTENSIONS[extname(path).toLowerCase()]);
  const known = Object.values(EXTENSIONS).find((name) => name === format);
  if (known !== undefined) return known;
  const expected = 'a name ending in .csv, .jsonl, .npy, .parquet or .arrow, or one of these formats';
  throw invalid('INVALID_ARGUMENT', parameter, expected, given ?? path);
}

const input = (path: string): AsyncIterable<Buffer> =>
  path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 });

/** Opens a table. Throws INVALID_DATA, NOT_FOUND or INVALID_ARGUMENT. */
export async function openSource(options: SourceOptions, format: Format): Promise<Source> {
  const { path } = options;
  const found = path === '-' ? undefined : await stat(path).catch(() => undefined);
  if (path !== '-' && found?.isFile() !== true) {
    throw new EspalierError('NOT_FOUND', `--input: no such file ${path}`, {
      parameter: '--input',
      received: path,
    });
  }
  const total = found?.size ?? 0;
  switch (format) {
    case 'csv':
      return { total, batches: () => csv(options) };
    case 'jsonl':
      return { total, batches: () => jsonl(options) };
    case 'npy':
      return { total, batches: () => npy(input(path), options) };
    case 'arrow':
      return { total: 0, batches: () => arrow(options) };
    case 'parquet':
      if (path === '-')
        throw invalid('INVALID_ARGUMENT', '--input', 'a file: parquet is read from its end', path);
      return parquet(options);
  }
}

const MOST_TEXT = 1 << 26;

/** Text in pieces that end with a whole line; where fields may be quoted, with the quotes even. */
async function* lines(path: string, quoted: boolean): AsyncGenerator<{ text: string; done: number }> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let done = 0;
  for await (const chunk of input(path)) {
    done += chunk.length;
    rest += decoder.write(chunk);
    const end = quoted ? lastLineEnd(rest) : rest.lastIndexOf('\n');
    if (end < 0) {
      if (rest.length > MOST_TEXT)
        throw invalid('INVALID_DATA', '--input', 'lines of at most 64 MB', rest.length);
      continue;
    }
    yield { text: rest.slice(0, end + 1), done };
    rest = rest.slice(end + 1);
  }
  rest += decoder.end();
  if (rest.trim() !== '') yield { text: rest, done };
}

/** The last line end that is not inside quotes. */
function lastLineEnd(text: string): number {
  let end = -1;
  let from = 0;
  for (;;) {
    const quote = text.indexOf('"', from);
    const last = text.lastIndexOf('\n', quote < 0 ? text.length : quote);
    if (last >= from) end = last;
    if (quote < 0) return end;
    const closing = text.indexOf('"', quote + 1);
    if (closing < 0) return end;
    from = closing + 1;
  }
}

async function* csv(options: SourceOptions): AsyncGenerator<Batch> {
  const { default: papa } = await import('papaparse');
  const gatherer = new Gatherer(options);
  let positions: number[] | undefined;
  let names: string[] = [];
  for await (const { text, done } of lines(options.path, true)) {
    const { data, errors } = papa.parse<string[]>(text, { delimiter: ',', skipEmptyLines: true });
    const [wrong] = errors;
    if (wrong !== undefined) throw invalid('INVALID_DATA', '--input', 'CSV', wrong.message);
    for (const fields of data) {
      if (positions === undefined) {
        names = fields.map((name, i) => (i === 0 ? name.replace(/^\uFEFF/, '') : name));
        positions = gatherer.header(names).map((name) => names.indexOf(name));
        continue;
      }
      if (fields.length !== names.length) {
        throw invalid('INVALID_DATA', `row ${gatherer.seen + 1}`, `${names.length} fields`, fields.length);
      }
      const at = positions;
      const full = gatherer.row(
        (_, i) => fields[at[i]!],
        (name) => fields[names.indexOf(name)],
      );
      if (full) yield gatherer.take(done);
    }
  }
  if (gatherer.rows > 0) yield gatherer.take(0);
}

async function* jsonl(options: SourceOptions): AsyncGenerator<Batch> {
  const gatherer = new Gatherer(options);
  let first = true;
  for await (const { text, done } of lines(options.path, false)) {
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        throw invalid('INVALID_DATA', `row ${gatherer.seen + 1}`, 'a line of JSON', line);
      }
      if (typeof value !== 'object' || value === null) {
        throw invalid('INVALID_DATA', `row ${gatherer.seen + 1}`, 'an object or an array', value);
      }
      // An array is a row by position, an object by name.
      if (first) gatherer.header(Object.keys(value));
      first = false;
      const row = value as Record<string, unknown>;
      const get = (name: string) => (Object.hasOwn(row, name) ? row[name] : undefined);
      if (gatherer.row(get, get)) yield gatherer.take(done);
    }
  }
  if (gatherer.rows > 0) yield gatherer.take(0);
}

interface ArrowBatch {
  readonly numRows: number;
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  getChild(name: string): { get(row: number): unknown } | null;
}

async function* arrow(options: SourceOptions): AsyncGenerator<Batch> {
  const { RecordBatchReader } = await import('apache-arrow');
  const gatherer = new Gatherer(options);
  const reader = await (RecordBatchReader.from(input(options.path) as never) as unknown as Promise<unknown>);
  for await (const batch of reader as AsyncIterable<ArrowBatch>) {
    const columns = gatherer
      .header(batch.schema.fields.map(({ name }) => name))
      .map((name) => batch.getChild(name)!);
    const kept = new Map(options.keep.map((name) => [name, batch.getChild(name)!]));
    for (let row = 0; row < batch.numRows; row++) {
      const full = gatherer.row(
        (_, i) => columns[i]!.get(row),
        (name) => kept.get(name)!.get(row),
      );
      if (full) yield gatherer.take(0);
    }
  }
  if (gatherer.rows > 0) yield gatherer.take(0);
}

/** Rows of a parquet file that are decoded together. */
const PARQUET_ROWS = 16_384;

/** Row groups are read in pieces, and of them the needed columns only. */
async function parquet(options: SourceOptions): Promise<Source> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
  const handle = await open(options.path);
  const { size: byteLength } = await handle.stat();
  const file = {
    byteLength,
    slice: async (start: number, end = byteLength): Promise<ArrayBuffer> => {
      const bytes = new Uint8Array(end - start);
      await handle.read(bytes, 0, bytes.length, start);
      return bytes.buffer;
    },
  };
  try {
    const metadata = await parquetMetadataAsync(file);
    const gatherer = new Gatherer(options);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const columns = [...new Set([...gatherer.header(names), ...options.keep])];
    const total = Number(metadata.num_rows);
    return {
      total,
      async *batches() {
        try {
          for (let rowStart = 0; rowStart < total; rowStart += PARQUET_ROWS) {
            const rowEnd = Math.min(total, rowStart + PARQUET_ROWS);
            const rows = await parquetReadObjects({ file, metadata, columns, rowStart, rowEnd });
            for (const [i, row] of rows.entries()) {
              const get = (name: string) => row[name] as unknown;
              if (gatherer.row(get, get)) yield gatherer.take(rowStart + i + 1);
            }
          }
          if (gatherer.rows > 0) yield gatherer.take(total);
        } finally {
          await handle.close();
        }
      },
    };
  } catch (error) {
    await handle.close();
    if (error instanceof EspalierError) throw error;
    throw invalid('INVALID_DATA', '--input', 'a parquet file that can be read', (error as Error).message);
  }
}
