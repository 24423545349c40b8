/**
 * A training run on disk: one safetensors file with a checksum, so that it is there whole or as it was before, and what
 * changed since is found. The run's state is JSON in the metadata.
 */
import { readFile } from 'node:fs/promises';
import { EspalierError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { readSafetensors, writeSafetensors, type SafeFile } from '../safetensors.js';

export interface StoredTensor {
  shape: number[];
  values: Float32Array;
}

export interface Checkpoint<State> {
  state: State;
  tensors: Map<string, StoredTensor>;
}

const FORMAT = 'espalier-checkpoint';

export async function writeCheckpoint<State>(path: string, checkpoint: Checkpoint<State>): Promise<void> {
  const bytes = writeSafetensors({
    metadata: { format: FORMAT, state: JSON.stringify(checkpoint.state) },
    tensors: [...checkpoint.tensors].map(([name, { shape, values }]) => ({
      ...{ name, dtype: 'F32', shape },
      data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    })),
  });
  await writeFileAtomic(path, bytes);
}

function damaged(path: string, what: string, cause?: unknown): EspalierError {
  const message = `${path}: expected a whole checkpoint of espalier; ${what}`;
  return new EspalierError('INVALID_DATA', message, { parameter: path }, cause);
}

function parse(bytes: Uint8Array, path: string): SafeFile {
  try {
    return readSafetensors(bytes, { what: 'checkpoint' });
  } catch (cause) {
    throw damaged(path, (cause as Error).message, cause);
  }
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
  const file = parse(bytes, path);
  const { format, state: text } = file.metadata;
  if (format !== FORMAT || text === undefined) throw damaged(path, 'this is another kind of file');
  let state: State;
  try {
    state = JSON.parse(text) as State;
  } catch (cause) {
    throw damaged(path, `its state does not parse (${(cause as Error).message})`, cause);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, data } of file.tensors) {
    if (dtype !== 'F32') throw damaged(path, `${name} is no float32 tensor`);
    const copy = Uint8Array.from(data);
    tensors.set(name, { shape: [...shape], values: new Float32Array(copy.buffer) });
  }
  return { state, tensors };
}
