/** Networks written for others: TFJS layers models and Keras .h5 files. */
import { types } from 'node:util';
import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openEsp } from '../file/source.js';
import { EspalierError, invalid } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import type { ImportOptions } from '../import/index.js';
import type { Network } from '../network/types.js';

export type ExportFormat = 'tfjs' | 'h5';

export interface ExportOptions extends ImportOptions {
  /** Default: by the destination, 'h5' for a name that ends in .h5, .hdf5 or .keras.h5, else 'tfjs'. */
  readonly format?: ExportFormat;
}

export interface Exported {
  readonly format: ExportFormat;
  /** The file to load: the model.json, or the .h5 file. */
  readonly path: string;
  /** All files that were written, and their bytes. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Weights, and how many of them are not zero. */
  readonly parameters: number;
  readonly nonZero: number;
}

const OWN_WEIGHTS = /^weights-[0-9a-f]{12}\.bin$/;

/**
 * Writes a model for others to load: as a TFJS layers model (a folder, or the path of its model.json) or as a Keras .h5
 * file that Keras 2 and 3 load. Zeros stay zeros; outputs are the same. The network is functional, nested models
 * flattened. A file appears whole or not at all; model.json comes last, older weights beside it go.
 * @param source any source that importModel takes, a Network, or an .esp file whose operations Keras has layers for.
 * @param destination 'tfjs': a folder or a path that ends in .json; 'h5': the path of the file.
 * @throws EspalierError: UNSUPPORTED_LAYER for what the format cannot hold, with the layer's name; INVALID_ARGUMENT,
 *   IO_FAILED, and what importModel throws.
 */
export async function exportModel(
  source: string | Uint8Array | Network,
  destination: string,
  options: ExportOptions = {},
): Promise<Exported> {
  if (typeof destination !== 'string' || destination === '') {
    throw invalid('INVALID_ARGUMENT', 'destination', 'a path', destination);
  }
  const format = options.format ?? (/\.(h5|hdf5)$/i.test(destination) ? 'h5' : 'tfjs');
  if (format !== 'tfjs' && format !== 'h5') {
    throw invalid('INVALID_ARGUMENT', 'format', 'tfjs or h5', format);
  }
  const network = await networkOf(source, options);
  const weights = new Set(network.layers.flatMap((layer) => Object.values(layer.weights)));
  let [parameters, nonZero] = [0, 0];
  for (const { data } of weights) {
    parameters += data.length;
    for (let i = 0; i < data.length; i++) if (data[i] !== 0) nonZero++;
  }
  const files = format === 'h5' ? await writeH5(network, destination) : await writeTfjs(network, destination);
  return { format, path: files[files.length - 1]!.path, files, parameters, nonZero };
}

async function networkOf(source: string | Uint8Array | Network, options: ImportOptions): Promise<Network> {
  if (typeof source === 'object' && source !== null && !types.isUint8Array(source)) {
    if (!Array.isArray((source as Partial<Network>).layers))
      throw invalid('INVALID_ARGUMENT', 'source', 'a path, the bytes of a model or a Network', source);
    return source;
  }
  const esp = await openEsp(source);
  if (esp === null) return (await import('../import/index.js')).importModel(source, options);
  const { readProgram } = await import('../file/read.js');
  return (await import('./from-program.js')).networkOfProgram(readProgram(esp));
}

async function writeH5(network: Network, path: string): Promise<Exported['files']> {
  const bytes = await (await import('./keras-h5.js')).toKerasH5(network);
  await writeFileAtomic(path, bytes);
  return [{ path, bytes: bytes.length }];
}

async function writeTfjs(network: Network, destination: string): Promise<Exported['files']> {
  const isFile = destination.endsWith('.json');
  const folder = isFile ? dirname(destination) : destination;
  const found = await stat(folder).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) {
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `destination: expected a folder, received the file ${folder}`,
      {
        parameter: 'destination',
        expected: 'a folder',
        received: folder,
      },
    );
  }
  const { modelTopology, weightSpecs, weightData } = (await import('./tfjs.js')).toTfjsModel(network);
  const name = `weights-${createHash('sha256').update(weightData).digest('hex').slice(0, 12)}.bin`;
  const model = join(folder, isFile ? basename(destination) : 'model.json');
  const text = JSON.stringify({
    format: 'layers-model',
    generatedBy: 'espalier',
    convertedBy: null,
    modelTopology,
    weightsManifest: [{ paths: [name], weights: weightSpecs }],
  });
  await writeFileAtomic(join(folder, name), weightData);
  await writeFileAtomic(model, text);
  for (const other of isFile ? [] : await readdir(folder)) {
    if (OWN_WEIGHTS.test(other) && other !== name) await rm(join(folder, other), { force: true });
  }
  return [
    { path: join(folder, name), bytes: weightData.length },
    { path: model, bytes: Buffer.byteLength(text) },
  ];
}
