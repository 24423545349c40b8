/** Opening .esp files, and telling them from other sources: a source is read once, and its head parsed once. */
import { open, stat } from 'node:fs/promises';
import { bytesOf } from '../arrays.js';
import { EspalierError, invalid } from '../errors.js';
import { looksLikeEsp, parseEsp, type EspFile } from './esp.js';

const MAX_FILE_BYTES = 2 ** 32;

/**
 * An .esp source (a path, or the bytes themselves) with its head read, or null where it starts otherwise: then its kind
 * is for the importer to tell.
 * @param options.checksum whether to verify the file's checksum, default true.
 * @throws EspalierError: INVALID_ARGUMENT, INVALID_INPUT (detached bytes), NOT_FOUND, IO_FAILED, LIMIT_EXCEEDED,
 *   INVALID_MODEL, UNSUPPORTED_FORMAT.
 */
export async function openEsp(
  source: string | Uint8Array,
  options?: { readonly checksum?: boolean },
): Promise<EspFile | null> {
  const bytes = await espBytes(source);
  return bytes === null ? null : parseEsp(bytes, options);
}

async function espBytes(source: string | Uint8Array): Promise<Uint8Array | null> {
  const bytes = bytesOf(source, 'source');
  if (bytes !== null) return looksLikeEsp(bytes) ? bytes : null;
  if (typeof source !== 'string' || source === '') {
    throw invalid('INVALID_ARGUMENT', 'source', 'a path or the bytes of a model', source);
  }
  try {
    return (await stat(source)).isFile() ? await readIfEsp(source) : null;
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].includes(code ?? '');
    throw new EspalierError(
      missing ? 'NOT_FOUND' : 'IO_FAILED',
      missing ? `source: no model at ${source}` : `cannot read ${source}: ${message}`,
      { parameter: 'source', received: source },
      cause,
    );
  }
}

/** One allocation of the file's size, read once. */
async function readIfEsp(path: string): Promise<Uint8Array | null> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const start = Buffer.alloc(Math.min(16, size));
    await file.read(start, 0, start.length, 0);
    if (!looksLikeEsp(start)) return null;
    if (size > MAX_FILE_BYTES) {
      throw new EspalierError('LIMIT_EXCEEDED', `${path}: ${size} bytes are more than ${MAX_FILE_BYTES}`, {
        parameter: 'source',
        expected: MAX_FILE_BYTES,
        received: size,
      });
    }
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at);
      if (bytesRead === 0) throw new EspalierError('IO_FAILED', `${path} became shorter while it was read`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
