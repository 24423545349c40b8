/**
 * A training run on disk: one file, so that it is there whole or as it was before. The format is safetensors (header
 * length, JSON header, float32 tensors), with the run's state as JSON in the metadata.
 */
import { readFile } from 'node:fs/promises';
import { EspalierError, invalid } from '../errors.js';
import { writeFileAtomic } from '../files.js';

export interface StoredTensor {
  shape: number[];
  values: Float32Array;
}

export interface Checkpoint<State> {
  state: State;
  tensors: Map<string, StoredTensor>;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const METADATA = '__metadata__';

export async function writeCheckpoint<State>(path: string, checkpoint: Checkpoint<State>): Promise<void> {
  const header: Record<string, Entry | Record<string, string>> = {
    [METADATA]: { format: 'espalier-checkpoint', state: JSON.stringify(checkpoint.state) },
  };
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { shape, values }] of checkpoint.tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + values.byteLength] };
    parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    at += values.byteLength;
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const head = Buffer.from(json);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  await writeFileAtomic(path, Buffer.concat([length, head, ...parts]));
}

function damaged(path: string, what: string): EspalierError {
  return new EspalierError('INVALID_DATA', `${path}: expected a checkpoint of espalier, ${what}`, {
    parameter: path,
  });
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null;
  return (
    entry !== null &&
    typeof entry === 'object' &&
    entry.dtype === 'F32' &&
    Array.isArray(entry.shape) &&
    entry.shape.every((size) => Number.isInteger(size) && size >= 0) &&
    Array.isArray(entry.data_offsets) &&
    entry.data_offsets.length === 2 &&
    entry.data_offsets.every((offset) => Number.isInteger(offset) && offset >= 0)
  );
}

/** Undefined where there is no such file. Throws INVALID_DATA for one that is damaged. */
export async function readCheckpoint<State>(path: string): Promise<Checkpoint<State> | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new EspalierError(
      'IO_FAILED',
      `cannot read ${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
  const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE()) : 0;
  if (length < 2 || length > bytes.length - 8) throw damaged(path, 'found a header that does not fit');
  let header: Record<string, unknown>;
  let state: State;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>;
    const metadata = header[METADATA] as { format?: string; state: string };
    if (metadata.format !== 'espalier-checkpoint')
      throw invalid('INVALID_DATA', 'format', 'espalier-checkpoint', metadata.format);
    state = JSON.parse(metadata.state) as State;
  } catch (cause) {
    throw damaged(path, `found a header that does not parse (${(cause as Error).message})`);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) continue;
    if (!isEntry(entry)) throw damaged(path, `found no float32 tensor under ${name}`);
    const [from, to] = entry.data_offsets;
    const count = entry.shape.reduce((product, size) => product * size, 1);
    if (to - from !== count * 4 || to > bytes.length - 8 - length)
      throw damaged(path, `${name} does not fit`);
    const copy = new Uint8Array(count * 4);
    copy.set(bytes.subarray(8 + length + from, 8 + length + to));
    tensors.set(name, { shape: entry.shape, values: new Float32Array(copy.buffer) });
  }
  return { state, tensors };
}
