/** Tables as streams of batches of float32 features: csv, jsonl, npy, parquet, arrow. Memory is constant. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { DataType, RecordBatch, Vector } from 'apache-arrow';
import type { ColumnData } from 'hyparquet';
import { EspalierError, invalid } from '../../errors.js';
import { checkedMessages } from './arrow-messages.js';
import { csv } from './csv.js';
import { Gatherer, type Batch, type SourceOptions, type Values } from './gather.js';
import { npy } from './npy.js';

export type TableFormat = 'csv' | 'jsonl' | 'npy' | 'parquet' | 'arrow';

export interface RowSource {
  /** In the unit of `done`; 0 where it is not known. */
  readonly total: number;
  batches(): AsyncIterable<Batch>;
}

const EXTENSIONS: Record<string, TableFormat> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.npy': 'npy',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
  '.arrows': 'arrow',
};

/** The format by a name's end; "-" is Arrow IPC. Throws INVALID_ARGUMENT. */
export function formatOf(path: string, given: string | undefined, parameter: string): TableFormat {
  const format = given ?? (path === '-' ? 'arrow' : EXTENSIONS[extname(path).toLowerCase()]);
  const known = Object.values(EXTENSIONS).find((name) => name === format);
  if (known !== undefined) return known;
  const expected = 'a name ending in .csv, .jsonl, .npy, .parquet or .arrow, or one of these formats';
  throw invalid('INVALID_ARGUMENT', parameter, expected, given ?? path);
}

/** Chunks of bytes; each is gone when the next one is asked for. */
async function* input(path: string): AsyncGenerator<Buffer> {
  if (path === '-') {
    yield* process.stdin as AsyncIterable<Buffer>;
    return;
  }
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafeSlow(1 << 20);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Opens a table. Throws INVALID_DATA, NOT_FOUND or INVALID_ARGUMENT. */
export async function openSource(options: SourceOptions, format: TableFormat): Promise<RowSource> {
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
      return { total, batches: () => csv(input(path), options) };
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

/** Text in pieces that end with a whole line. */
async function* lines(path: string): AsyncGenerator<{ text: string; done: number }> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let done = 0;
  for await (const chunk of input(path)) {
    done += chunk.length;
    rest += decoder.write(chunk);
    const end = rest.lastIndexOf('\n');
    if (end < 0) {
      if (rest.length > MOST_TEXT)
        throw invalid('INVALID_DATA', '--input', 'lines of at most 64 MB', rest.length);
      continue;
    }
    // Without the last line end: there is no line after it.
    yield { text: rest.slice(0, end), done };
    rest = rest.slice(end + 1);
  }
  rest += decoder.end();
  if (rest.trim() !== '') yield { text: rest, done };
}

async function* jsonl(options: SourceOptions): AsyncGenerator<Batch> {
  const gatherer = new Gatherer(options);
  let line = 0;
  gatherer.where = () => `line ${line}, `;
  let first = true;
  for await (const { text, done } of lines(options.path)) {
    for (const own of text.split('\n')) {
      line += 1;
      if (own.trim() === '') continue;
      let value: unknown;
      try {
        value = JSON.parse(own);
      } catch {
        throw invalid('INVALID_DATA', gatherer.place(), 'a line of JSON', own);
      }
      if (typeof value !== 'object' || value === null) {
        throw invalid('INVALID_DATA', gatherer.place(), 'an object or an array', value);
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

async function* arrow(options: SourceOptions): AsyncGenerator<Batch> {
  const { DataType: Types, Precision, RecordBatchReader } = await import('apache-arrow');
  /** The array of a column of numbers without a gap; else what is asked value by value. */
  const values = (vector: Vector): Values => {
    const type = vector.type as DataType;
    const number = Types.isInt(type) || (Types.isFloat(type) && type.precision !== Precision.HALF);
    return number && vector.nullCount === 0 ? (vector.toArray() as Values) : vector;
  };
  const gatherer = new Gatherer(options);
  const { path } = options;
  // The reader keeps the chunks that it is given.
  const stream = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 });
  let read = false;
  try {
    const checked = checkedMessages(stream as AsyncIterable<Buffer>);
    const reader = await (RecordBatchReader.from(checked as never) as unknown as Promise<unknown>);
    for await (const batch of reader as AsyncIterable<RecordBatch>) {
      const column = (name: string) => values(batch.getChild(name)!);
      const order = gatherer.header(batch.schema.fields.map(({ name }) => String(name)));
      const kept = options.keep.map((name) => batch.getChild(name)! as Values);
      read = true;
      yield* gatherer.columns(batch.numRows, order.map(column), kept, () => 0);
    }
    // What is cut off inside of a message throws; what ends before the first is taken for a table of nothing.
    read ||= (reader as { schema?: unknown }).schema !== undefined;
  } catch (error) {
    throw unreadable('an Arrow stream or file that can be read', error);
  }
  if (!read) throw invalid('INVALID_DATA', '--input', 'an Arrow stream or file', 'nothing that is one');
  if (gatherer.rows > 0) yield gatherer.take(0);
}

/** Values of a parquet file that are decoded together: 16 MB of numbers. */
const PARQUET_VALUES = 1 << 21;

/** Row groups are read in pieces, and of them the needed columns only. */
async function parquet(options: SourceOptions): Promise<RowSource> {
  const { parquetMetadataAsync, parquetRead, parquetSchema } = await import('hyparquet');
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
    const order = gatherer.header(names);
    const columns = [...new Set([...order, ...options.keep])];
    const total = Number(metadata.num_rows);
    const most = Math.max(4096, Math.floor(PARQUET_VALUES / Math.max(1, columns.length)));
    return {
      total,
      async *batches() {
        try {
          // A piece lies in one row group: no group is decoded for two.
          let group = 0;
          for (const { num_rows } of metadata.row_groups) {
            const groupEnd = group + Number(num_rows);
            for (let rowStart = group; rowStart < groupEnd; rowStart += most) {
              const rowEnd = Math.min(groupEnd, rowStart + most);
              const found = new Map<string, ColumnData[]>(columns.map((name) => [name, []]));
              await parquetRead({
                ...{ file, metadata, columns, rowStart, rowEnd, useOffsetIndex: true },
                onChunk: (chunk) => found.get(chunk.columnName)?.push(chunk),
              });
              const column = (name: string) => joined(found.get(name)!, rowStart, rowEnd);
              const kept = options.keep.map(column);
              const done = (rows: number) => rowStart + rows;
              yield* gatherer.columns(rowEnd - rowStart, order.map(column), kept, done);
            }
            group = groupEnd;
          }
          if (gatherer.rows > 0) yield gatherer.take(total);
        } catch (error) {
          throw unreadable('a parquet file that can be read', error);
        } finally {
          await handle.close();
        }
      },
    };
  } catch (error) {
    await handle.close();
    throw unreadable('a parquet file that can be read', error);
  }
}

/** The rows from `rowStart` up to `rowEnd` of a column's chunks, which may reach beyond. */
function joined(chunks: readonly ColumnData[], rowStart: number, rowEnd: number): Values {
  const parts = chunks
    .filter((chunk) => chunk.rowStart < rowEnd && chunk.rowEnd > rowStart)
    .map(({ columnData, rowStart: start }) =>
      columnData.slice(Math.max(0, rowStart - start), Math.max(0, rowEnd - start)),
    );
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length !== rowEnd - rowStart) {
    throw invalid('INVALID_DATA', '--input', `${rowEnd - rowStart} values of a column`, length);
  }
  return parts.length === 1 ? parts[0]! : parts.flatMap((part) => Array.from<unknown>(part));
}

const unreadable = (expected: string, error: unknown): EspalierError =>
  error instanceof EspalierError
    ? error
    : invalid('INVALID_DATA', '--input', expected, (error as Error).message);
