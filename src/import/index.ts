/** Sources → Network. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesOf } from '../arrays.js';
import { EspalierError, invalid } from '../errors.js';
import type { Network } from '../network/types.js';
import { decodeUtf8, parseJson } from './json.js';
import { importKerasH5 } from './keras-h5.js';
import { importKerasZip } from './keras-zip.js';
import { importModelJson } from './tfjs.js';

export { importLayersModel } from './tfjs.js';

export interface ImportOptions {
  /** Bytes that weights may take while a model is imported, default 4 GiB. */
  readonly maxMemory?: number;
}

export const DEFAULT_MAX_MEMORY = 4 * 1024 ** 3;

/**
 * Imports a model, told by its content: the path of a TFJS layers model.json (or of the folder that holds one), the
 * path or the bytes of a Keras .h5 or .keras file.
 * @throws INVALID_MODEL, UNSUPPORTED_LAYER, UNSUPPORTED_FORMAT, LIMIT_EXCEEDED, NOT_FOUND, INVALID_ARGUMENT.
 */
export async function importModel(
  source: string | Uint8Array,
  options: ImportOptions = {},
): Promise<Network> {
  const maxMemory = options.maxMemory ?? DEFAULT_MAX_MEMORY;
  if (typeof maxMemory !== 'number' || !(maxMemory > 0)) {
    throw invalid('INVALID_ARGUMENT', 'maxMemory', 'a positive number of bytes', maxMemory);
  }
  const bytes = bytesOf(source, 'source');
  if (bytes !== null) return importBytes(bytes, null, maxMemory);
  if (typeof source !== 'string' || source === '') {
    throw invalid('INVALID_ARGUMENT', 'source', 'a path or the bytes of a model', source);
  }
  const path = await modelFile(source);
  const { size } = await stat(path);
  if (size > maxMemory) {
    throw new EspalierError(
      'LIMIT_EXCEEDED',
      `${path}: ${size} bytes are more than maxMemory (${maxMemory})`,
      {
        parameter: 'maxMemory',
        expected: maxMemory,
        received: size,
      },
    );
  }
  return importBytes(await readFile(path), dirname(path), maxMemory);
}

/** The file that a path means: itself, or the model.json in a folder. */
async function modelFile(source: string): Promise<string> {
  try {
    const info = await stat(source);
    if (info.isFile()) return source;
    if (info.isDirectory()) {
      const inside = join(source, 'model.json');
      if ((await stat(inside)).isFile()) return inside;
    }
  } catch (cause) {
    throw new EspalierError(
      'NOT_FOUND',
      `source: no model at ${source}`,
      { parameter: 'source', received: source },
      cause,
    );
  }
  throw new EspalierError('NOT_FOUND', `source: no regular file at ${source}`, {
    parameter: 'source',
    received: source,
  });
}

/** Tells the format by its first bytes. */
async function importBytes(bytes: Uint8Array, folder: string | null, maxMemory: number): Promise<Network> {
  if (bytes.length === 0) throw invalid('INVALID_MODEL', 'source', 'a model', 'an empty file');
  if (startsWith(bytes, HDF5)) return importKerasH5(bytes, maxMemory);
  if (startsWith(bytes, ZIP)) return importKerasZip(bytes, maxMemory);
  if (!' \t\r\n{[\u00ef'.includes(String.fromCharCode(bytes[0]!)) && !looksLikeJson(bytes)) {
    throw new EspalierError(
      'UNSUPPORTED_FORMAT',
      'source: expected a TFJS model.json, a Keras .h5 or a .keras file, received a file of another kind',
      { parameter: 'source', expected: 'model.json, .h5 or .keras' },
    );
  }
  return importModelJson(parseJson(decodeUtf8(bytes, 'model.json'), 'model.json'), folder, maxMemory);
}

const HDF5 = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const ZIP = [0x50, 0x4b, 0x03, 0x04];

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/** Texts such as `null` are JSON too, and are answered as such. */
function looksLikeJson(bytes: Uint8Array): boolean {
  return /^["\-0-9tfn]/.test(String.fromCharCode(bytes[0]!));
}
