/** Scores as csv, jsonl, npy or arrow. Every batch is appended whole, so that a run can go on after a break. */
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { EspalierError, invalid } from '../errors.js';
import type { Scores } from './scores.js';
import type { TableFormat } from '../table/stream/source.js';

export interface ScoredBatch {
  readonly rows: number;
  readonly kept: ReadonlyMap<string, readonly unknown[]>;
  readonly scores: Scores;
}

export interface ScoreEncoder {
  /** Bytes to append. `first`: nothing was written before. */
  batch(batch: ScoredBatch, first: boolean): Uint8Array;
  /** Bytes after the last batch. */
  end(): Uint8Array;
  /** Bytes for the very start once all rows are known. */
  start?(rows: number): Uint8Array;
}

const nothing = () => new Uint8Array(0);

export async function scoreEncoder(format: TableFormat, outputs: number): Promise<ScoreEncoder> {
  switch (format) {
    case 'csv':
      return csvEncoder();
    case 'jsonl':
      return { batch: jsonLines, end: nothing };
    case 'npy':
      return npyEncoder(outputs);
    case 'arrow':
      return arrowEncoder();
    case 'parquet':
      throw invalid('INVALID_ARGUMENT', '--output-format', 'csv, jsonl, npy or arrow', format);
  }
}

async function csvEncoder(): Promise<ScoreEncoder> {
  const { default: papa } = await import('papaparse');
  return {
    batch({ rows, kept, scores }, first) {
      const names = [...kept.keys(), ...scores.names.map(({ name }) => name)];
      let text = first ? `${papa.unparse([names])}\n` : '';
      if (kept.size > 0) {
        const own = scores.columns().map(({ values }) => values);
        const columns: ArrayLike<unknown>[] = [...kept.values(), ...own];
        const data = Array.from({ length: rows }, (_, row) => columns.map((column) => column[row]));
        if (rows > 0) text += `${papa.unparse(data, { newline: '\n' })}\n`;
        return Buffer.from(text);
      }
      // Numbers need no quotes.
      const values = scores.interleaved();
      for (let at = 0, k = 1; at < values.length; at++, k++) {
        text += values[at]!;
        if (k < names.length) text += ',';
        else {
          text += '\n';
          k = 0;
        }
      }
      return Buffer.from(text);
    },
    end: nothing,
  };
}

function jsonLines({ rows, kept, scores }: ScoredBatch): Uint8Array {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
  const columns = scores.columns();
  let text = '';
  for (let row = 0; row < rows; row++) {
    const entries: [string, unknown][] = [];
    for (const [name, values] of kept) entries.push([name, values[row]]);
    for (const { name, values } of columns) entries.push([name, values[row]]);
    text += `${JSON.stringify(Object.fromEntries(entries), plain)}\n`;
  }
  return Buffer.from(text);
}

const NPY_HEADER = 128;

/** The header is of fixed size, so that the rows can be told at the end. */
function npyEncoder(outputs: number): ScoreEncoder {
  const start = (rows: number) => {
    const shape = outputs === 1 ? `(${rows},)` : `(${rows}, ${outputs})`;
    const bytes = Buffer.alloc(NPY_HEADER, ' ');
    bytes.write('\x93NUMPY\x01\x00', 0, 'latin1');
    bytes.writeUInt16LE(NPY_HEADER - 10, 8);
    bytes.write(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`, 10, 'latin1');
    bytes[NPY_HEADER - 1] = 10;
    return bytes;
  };
  return {
    batch({ scores }, first) {
      const data = scores.interleaved();
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return first ? Buffer.concat([start(0), bytes]) : bytes;
    },
    end: nothing,
    start,
  };
}

/** Arrow IPC stream: after the schema, batches are appended one by one. */
async function arrowEncoder(): Promise<ScoreEncoder> {
  const arrow = await import('apache-arrow');
  const { makeVector, RecordBatchStreamWriter, Table, vectorFromArray } = arrow;
  const types = new Map<string, InstanceType<typeof arrow.DataType>>();
  // Plain types, the same in every batch: a dictionary would belong to one batch only.
  const typeOf = (name: string, values: readonly unknown[]) => {
    let type = types.get(name);
    if (type === undefined) {
      const first = typeof values.find((value) => value !== null && value !== undefined);
      if (first === 'number') type = new arrow.Float64();
      else if (first === 'bigint') type = new arrow.Int64();
      else type = first === 'boolean' ? new arrow.Bool() : new arrow.Utf8();
      types.set(name, type);
    }
    return type;
  };
  const END = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  return {
    batch({ kept, scores }, first) {
      const columns: Record<string, unknown> = {};
      for (const [name, values] of kept) columns[name] = vectorFromArray(values, typeOf(name, values));
      for (const { name, values } of scores.columns()) columns[name] = makeVector(values);
      const bytes = Buffer.from(
        RecordBatchStreamWriter.writeAll(new Table(columns as never)).toUint8Array(true),
      );
      const body = bytes.subarray(0, bytes.length - END.length);
      // An encapsulated message: mark, length of its metadata, metadata. A schema has no body.
      return first ? body : body.subarray(8 + body.readInt32LE(4));
    },
    end: () => END,
  };
}

/** Where bytes go: PATH.partial, which gets its name at the end, or standard output. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  finish(start: Uint8Array | undefined): Promise<void>;
  close(): Promise<void>;
}

export function standardOutput(): Sink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) =>
          error == null ? resolve() : reject(unwritten('standard output', error)),
        );
      }),
    finish: async () => undefined,
    close: async () => undefined,
  };
}

export const partialName = (path: string): string => `${path}.partial`;
export const progressName = (path: string): string => `${path}.progress.json`;

/** Appends to PATH.partial after its first `bytes`. */
export async function fileSink(path: string, bytes: number): Promise<Sink> {
  let file: FileHandle;
  const writing = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      throw unwritten(path, cause);
    }
  };
  await writing(async () => {
    file = await open(partialName(path), bytes === 0 ? 'w+' : 'r+');
    await file.truncate(bytes);
  });
  /** The system may take less than it is given, as where a disk becomes full. */
  const writeAll = async (chunk: Uint8Array, place: number): Promise<void> => {
    for (let from = 0; from < chunk.length;) {
      const { bytesWritten } = await file.write(chunk, from, chunk.length - from, place + from);
      from += bytesWritten;
    }
  };
  let at = bytes;
  let closed = false;
  const close = async () => {
    if (!closed) await file.close();
    closed = true;
  };
  return {
    async write(chunk) {
      await writing(() => writeAll(chunk, at));
      at += chunk.length;
    },
    async finish(start) {
      await writing(async () => {
        if (start !== undefined) await writeAll(start, 0);
        await file.sync();
        await close();
        await rename(partialName(path), path);
        await rm(progressName(path), { force: true });
      });
    },
    close,
  };
}

const unwritten = (path: string, cause: unknown): EspalierError =>
  new EspalierError(
    'IO_FAILED',
    `cannot write ${path}: ${(cause as Error).message}`,
    { parameter: '--output', received: path },
    cause,
  );
