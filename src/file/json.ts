/** JSON of a file, taken apart: each part is checked before it is used. */
import type { EspalierError } from '../errors.js';
import { invalid } from '../errors.js';
import { isObject } from '../safetensors.js';

/** No list of a network or program comes near it. */
const MOST_ENTRIES = 2 ** 20;

export type Json = Record<string, unknown>;

/** @throws EspalierError INVALID_MODEL, as all here */
export function object(value: unknown, what: string): Json {
  if (!isObject(value)) throw bad(what, 'an object', value);
  return value;
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > MOST_ENTRIES) throw bad(what, 'a list', value);
  return value;
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw bad(what, 'a string', value);
  return value;
}

/** A whole number from 0 to `most`. */
export function whole(value: unknown, most: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) {
    throw bad(what, `a whole number from 0 to ${most}`, value);
  }
  return value;
}

export function bad(parameter: string, expected: string, received: unknown): EspalierError {
  return invalid('INVALID_MODEL', parameter, expected, received);
}
