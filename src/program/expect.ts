/** What checks of a program share: small rules with clear errors. */
import { type EspalierError, invalid } from '../errors.js';

/** Features of one value (float32 numbers a sample) at most: 1 GiB a sample. */
export const MAX_FEATURES = 2 ** 28;

/** An extent, a number of rows or the like: a whole number of 1 or more, below 2^31. */
export function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 0x7fffffff) {
    throw bad(what, 'a whole number from 1 to 2147483647', value);
  }
  return value;
}

/** Throws unless `values` has this length. */
export function vector(values: Float32Array, length: number, what: string): Float32Array {
  if (values.length !== length) throw bad(what, `${length} values`, values.length);
  return values;
}

export function finite(values: Float32Array, what: string): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw bad(what, 'finite values', `${values[i]} at ${i}`);
  }
}

export function limited(features: number, what: string): number {
  if (features > MAX_FEATURES) throw bad(what, `at most ${MAX_FEATURES} features a sample`, features);
  return features;
}

export function bad(parameter: string, expected: string, received: unknown): EspalierError {
  return invalid('INVALID_MODEL', parameter, expected, received);
}
