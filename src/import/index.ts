/** Sources → Network. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EspalierError, invalid } from '../errors.js';
import type { Network } from '../network/types.js';
import { decodeUtf8, parseJson } from './json.js';
import { importModelJson } from './tfjs.js';

export { importLayersModel } from './tfjs.js';

export interface ImportOptions {
  /** Bytes that weights may take while a model is imported, default 4 GiB. */
  readonly maxMemory?: number;
}

export const DEFAULT_MAX_MEMORY = 4 * 1024 ** 3;

/**
 * Imports a model: the path of a TFJS layers model.json (or of the folder that holds one), told by its content.
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
  if (source instanceof Uint8Array) return importBytes(source, null, maxMemory);
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

async function importBytes(bytes: Uint8Array, folder: string | null, maxMemory: number): Promise<Network> {
  if (bytes.length === 0) throw invalid('INVALID_MODEL', 'source', 'a model', 'an empty file');
  return importModelJson(parseJson(decodeUtf8(bytes, 'model.json'), 'model.json'), folder, maxMemory);
}
