/** Reading what is not trusted: own properties only, and errors that name the parameter. */
import { EspalierError, invalid } from '../errors.js';

/** The largest extent, unit count or product of extents of one sample that is taken: 2^31 - 1. */
export const MAX_EXTENT = 2 ** 31 - 1;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** The own property of a parsed JSON object, or undefined: never one of Object.prototype. */
export function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** INVALID_MODEL with the parameter, what was expected and what came. */
export function wrong(parameter: string, expected: string, received: unknown): EspalierError {
  return invalid('INVALID_MODEL', parameter, expected, received);
}

/** UNSUPPORTED_LAYER: the file may be right, but this is not supported; the message says what would help. */
export function unsupported(parameter: string, what: string, help: string): EspalierError {
  return new EspalierError('UNSUPPORTED_LAYER', `${parameter}: ${what} is not supported; ${help}`, {
    parameter,
    received: what,
  });
}
