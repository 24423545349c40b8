/** Running a model on tensors in files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel } from '../load.js';
import type { Port, TensorOutput } from '../engine/model.js';
import { EspalierError, invalid } from '../errors.js';
import { writeFileAtomic } from '../files.js';

export interface Written {
  readonly path: string;
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Reads a raw little-endian float32 tensor for each input, the batch from the file's size, and writes outputs.N.bin
 * likewise into `folder`: all of them, or none where the work fails before. An input whose sizes are flexible needs its
 * whole shape in `shapes`, the batch first. Throws EspalierError.
 */
export async function runFiles(
  source: string,
  files: readonly string[],
  folder: string,
  threads?: number,
  shapes: readonly (readonly number[])[] = [],
): Promise<Written[]> {
  const model = await loadModel(source, threads === undefined ? {} : { threads });
  try {
    if (files.length !== model.inputs.length) {
      const names = model.inputs.map((port) => port.name).join(', ');
      throw invalid(
        'INVALID_ARGUMENT',
        '--input',
        `${model.inputs.length} files (${names})`,
        `${files.length}`,
      );
    }
    if (shapes.length > files.length) {
      throw invalid(
        'INVALID_ARGUMENT',
        '--shape',
        `at most ${files.length}, one for each --input`,
        shapes.length,
      );
    }
    const inputs = await Promise.all(
      files.map(async (file, index) => readTensor(file, model.inputs[index] as Port, shapes[index])),
    );
    const batch = (inputs[0] as TensorOutput).shape[0] as number;
    const different = inputs.findIndex(({ shape }) => shape[0] !== batch);
    if (different >= 0) {
      throw invalid(
        'INVALID_INPUT',
        files[different] as string,
        `a batch of ${batch}, as ${files[0]} has`,
        inputs[different]?.shape,
      );
    }
    const answer = await model.run(inputs);
    const tensors = (model.outputs.length === 1 ? [answer] : Object.values(answer)) as TensorOutput[];
    const written: Written[] = [];
    for (const [index, { data, shape }] of tensors.entries()) {
      const path = join(folder, `outputs.${index}.bin`);
      await writeFileAtomic(path, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      written.push({ path, name: (model.outputs[index] as Port).name, shape });
    }
    return written;
  } finally {
    model.dispose();
  }
}

async function readTensor(file: string, port: Port, given?: readonly number[]): Promise<TensorOutput> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new EspalierError(
      missing ? 'NOT_FOUND' : 'IO_FAILED',
      missing ? `--input: no file at ${file}` : `cannot read ${file}: ${message}`,
      { parameter: '--input', received: file },
      cause,
    );
  }
  const extents = sampleExtents(port, given);
  const sample = 4 * extents.reduce((product, extent) => product * extent, 1);
  if (bytes.length === 0 || bytes.length % sample !== 0) {
    throw invalid(
      'INVALID_INPUT',
      file,
      `a multiple of ${sample} bytes: float32 [batch, ${extents.join(', ')}] for ${port.name}`,
      `${bytes.length} bytes`,
    );
  }
  const batch = bytes.length / sample;
  if (given !== undefined && given[0] !== batch) {
    throw invalid(
      'INVALID_INPUT',
      file,
      `${(given[0] as number) * sample} bytes for --shape ${given.join(',')}`,
      `${bytes.length} bytes`,
    );
  }
  const data = new Float32Array(bytes.length / 4);
  new Uint8Array(data.buffer).set(bytes);
  return { data, shape: [batch, ...extents] };
}

/** What a sample of this input measures: as the model says, or as the caller does. */
function sampleExtents(port: Port, given?: readonly number[]): number[] {
  const own = port.shape.slice(1);
  if (given === undefined) {
    if (own.every((extent) => extent !== null)) return own;
    const shown = own.map((extent) => extent ?? '?').join(', ');
    throw invalid(
      'INVALID_ARGUMENT',
      '--shape',
      `the shape of ${port.name}, whose sizes are flexible ([batch, ${shown}]), as in --shape 1,${own.map((extent) => extent ?? 32).join(',')}`,
      'none',
    );
  }
  const fits =
    given.length === port.shape.length && own.every((extent, i) => (extent ?? given[i + 1]) === given[i + 1]);
  if (!fits) {
    const shown = port.shape.map((extent) => extent ?? '?').join(',');
    throw invalid('INVALID_ARGUMENT', '--shape', `${shown} for ${port.name}`, given.join(','));
  }
  return given.slice(1);
}
