/** Writing files so that a crash or Ctrl-C leaves the previous file whole; and the file that a path of a model means. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EspalierError } from './errors.js';

/**
 * Writes to a temporary name in the same folder, flushes, renames. Makes the folder if it is missing.
 * Throws IO_FAILED with the path; the temporary file is gone then.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await makeFolder(dirname(path));
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

/** mkdir -p. Node's own recursive mkdir never ends where a file system answers ENOENT to it, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await mkdir(path).catch((again: NodeJS.ErrnoException) => {
        // Another process may have made it.
        if (again.code !== 'EEXIST') throw again;
      });
    } else if (code !== 'EEXIST' && !(await stat(path).catch(() => null))?.isDirectory()) throw error;
  }
}

/** The file that a user means by a path: itself, or the model.json in a folder. */
export async function modelJsonPath(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new EspalierError('NOT_FOUND', `${path}: no such file or folder`, { parameter: path });
  if (!found.isDirectory()) return path;
  const inside = join(path, 'model.json');
  if ((await stat(inside).catch(() => undefined)) !== undefined) return inside;
  throw new EspalierError('NOT_FOUND', `${path}: expected a model.json in this folder`, { parameter: path });
}
