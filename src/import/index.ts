/** Sources → Network: read in a thread of its own, as what reads them is other people's code and the files are anyone's. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { bytesOf } from '../arrays.js';
import { checkedTimeout, runBounded } from '../bounded/run.js';
import { EspalierError, invalid } from '../errors.js';
import type { Network } from '../network/types.js';
import { IMPORTED, IMPORT_FORMATS, hasFilesBeside } from './formats.js';

export { importLayersModel } from './tfjs-layers/read.js';

export interface ImportOptions {
  /** Bytes that weights may take while a model is imported, default 4 GiB. */
  readonly maxMemory?: number;
  /**
   * Milliseconds that reading a model may take, default 10 s and 1 s for each 10 MiB of its files; Infinity for no limit.
   * A file that its reader cannot end is given up after that with INVALID_MODEL, and nothing else waits for it meanwhile.
   */
  readonly timeout?: number;
}

const PARSER_BYTES = 512 * 1024 ** 2;
const DEFAULT_MAX_MEMORY = 4 * 1024 ** 3;

/**
 * Imports a model, told by its content: the path of a TFJS layers model.json (or of the folder that holds one), the
 * path or the bytes of a Keras .h5 or .keras file.
 * @throws INVALID_MODEL, UNSUPPORTED_LAYER, UNSUPPORTED_FORMAT, LIMIT_EXCEEDED, NOT_FOUND, INVALID_ARGUMENT.
 */
export async function importModel(
  source: string | Uint8Array,
  options: ImportOptions = {},
): Promise<Network> {
  const given = bytesOf(source, 'source') ?? source;
  const { timeout, ...reading } = options;
  const { maxMemory = DEFAULT_MAX_MEMORY } = reading;
  return runBounded<Network>(
    { module: new URL(import.meta.url), name: 'importInPlace', args: [given, reading] },
    {
      what: typeof given === 'string' ? given : 'source',
      timeout: checkedTimeout(timeout, await bytesToRead(given)),
      // The weights and, while they are read, the file and what its parser makes of it; and the parser.
      memory: typeof maxMemory === 'number' && maxMemory > 0 ? 3 * maxMemory + PARSER_BYTES : Infinity,
    },
  );
}

/** How much there is to read: of a model of several files, all in their folder. 0 where that cannot be told. */
async function bytesToRead(source: string | Uint8Array): Promise<number> {
  if (typeof source !== 'string') return source.length;
  const size = async (path: string): Promise<number> => {
    const info = await stat(path).catch(() => undefined);
    return info?.isFile() === true ? info.size : 0;
  };
  const several = hasFilesBeside(extname(source));
  const folder =
    (await stat(source).catch(() => undefined))?.isDirectory() === true ? source : dirname(source);
  if (folder !== source && !several) return size(source);
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map((name) => size(join(folder, name))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * What importModel does, on the thread that calls it: the thread that reads asks for it by its name.
 * @public
 */
export async function importInPlace(
  source: string | Uint8Array,
  options: Omit<ImportOptions, 'timeout'> = {},
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

/** The file that a path means: itself, or the one that stands for a folder. */
async function modelFile(source: string): Promise<string> {
  try {
    const info = await stat(source);
    if (info.isFile()) return source;
    if (info.isDirectory()) {
      const inside = await fileInFolder(source);
      if (inside !== null) return inside;
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

/** Null where what has the name is no file. @throws of the file system where no format's file is there. */
async function fileInFolder(folder: string): Promise<string | null> {
  let missing: unknown;
  for (const { inFolder } of IMPORT_FORMATS) {
    if (inFolder === undefined) continue;
    const path = join(folder, inFolder);
    try {
      return (await stat(path)).isFile() ? path : null;
    } catch (error) {
      missing ??= error;
    }
  }
  throw missing;
}

async function importBytes(bytes: Uint8Array, folder: string | null, maxMemory: number): Promise<Network> {
  if (bytes.length === 0) throw invalid('INVALID_MODEL', 'source', 'a model', 'an empty file');
  const format = IMPORT_FORMATS.find((known) => known.matches(bytes));
  if (format === undefined) {
    throw new EspalierError(
      'UNSUPPORTED_FORMAT',
      `source: expected ${IMPORTED}, received a file of another kind`,
      { parameter: 'source', expected: IMPORTED },
    );
  }
  return format.read({ bytes, folder, maxMemory });
}
