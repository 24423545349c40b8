/** Writing files so that a crash or Ctrl-C leaves the previous file whole. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EspalierError } from './errors.js';

/**
 * Writes to a temporary name in the same folder, flushes, renames. Makes the folder if it is missing.
 * Throws IO_FAILED with the path; the temporary file is gone then.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new EspalierError(
      'IO_FAILED',
      `cannot write ${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
}
