/**
 * The last thing before a public door: whatever goes wrong leaves as an EspalierError that tells what the user gave.
 * Errors of the system keep their reason and get the path; an error that nobody expected is a bug of ours, and says so.
 */
import { EspalierError } from './errors.js';

const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']);

/** How the system says that memory, an array's length or a string's length is used up. */
const TOO_LARGE =
  /array buffer allocation failed|invalid (typed )?array length|invalid string length|out of memory|cannot create a string longer/i;

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof code === 'string' && (typeof syscall === 'string' || MISSING.has(code));
}

/**
 * Any error as one of ours.
 * @param what the source, file or function as the user named it: begins the message.
 */
export function asEspalierError(error: unknown, what: string): EspalierError {
  if (error instanceof EspalierError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (isSystemError(error)) {
    const missing = MISSING.has(error.code ?? '');
    const path = error.path !== undefined && !text.includes(error.path) ? ` (${error.path})` : '';
    return new EspalierError(
      missing ? 'NOT_FOUND' : 'IO_FAILED',
      `${what}: ${text}${path}`,
      { parameter: what, received: error.path },
      error,
    );
  }
  if (TOO_LARGE.test(text)) {
    return new EspalierError(
      'LIMIT_EXCEEDED',
      `${what}: needs more memory than there is (${text})`,
      { parameter: what },
      error,
    );
  }
  return new EspalierError(
    'INTERNAL',
    `${what}: ${text}. This is a bug of espalier: please report it with what was called, the versions that ` +
      '`espalier doctor` tells and, if it may be shared, the file',
    { parameter: what },
    error,
  );
}

/** Runs the work of a public function; what it throws leaves as an EspalierError. */
export async function door<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asEspalierError(error, what);
  }
}
