/** Errors of the addon as EspalierError: it throws plain ones whose `code` is one of ours. */
import { ERROR_CODES, EspalierError, type ErrorCode } from '../errors.js';

export function fromNative(error: unknown): Error {
  if (error instanceof EspalierError) return error;
  if (!(error instanceof Error)) return new EspalierError('INTERNAL', String(error));
  const { code } = error as { code?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
  // "inputs[0]: expected ..., received ..."
  const parameter = /^([\w.[\]-]+): /.exec(error.message)?.[1];
  return new EspalierError(
    known ? (code as ErrorCode) : 'INTERNAL',
    error.message,
    parameter === undefined ? {} : { parameter },
    error,
  );
}
