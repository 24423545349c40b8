/** What checks of a program share: small rules with clear errors. */
import { type EspalierError, invalid } from '../errors.js';
import { MAX_FEATURES } from '../limits.js';

/** An extent, a number of rows or the like: a whole number of 1 or more, below 2^31. */
export function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 0x7fffffff) {
    throw bad(what, 'a whole number from 1 to 2147483647', value);
  }
  return value;
}

/** `count` of several settings. */
export function counts<K extends string>(o: { name: string } & Record<K, number>, keys: readonly K[]): void {
  for (const key of keys) count(o[key], `${o.name}.${key}`);
}

/** A whole number from 0. */
export function natural(value: number, what: string): number {
  return value === 0 ? 0 : count(value, what);
}

export function float32(value: number, what: string): void {
  if (!Number.isFinite(value) || Math.fround(value) !== value) throw bad(what, 'a float32 number', value);
}

export function oneOf(value: string, choices: readonly string[], what: string): void {
  if (!choices.includes(value)) throw bad(what, choices.join(', '), value);
}

export function flags<K extends string>(o: { name: string } & Record<K, boolean>, keys: readonly K[]): void {
  for (const key of keys) {
    if (typeof o[key] !== 'boolean') throw bad(`${o.name}.${key}`, 'true or false', o[key]);
  }
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

/** Throws unless an input has so many features. */
export function inputFeatures(received: number | undefined, expected: number, what: string): void {
  if (received !== limited(expected, what))
    throw bad(`${what}: input features`, `${expected}`, received ?? 'none');
}

export function inputCount(o: { name: string; inputs: readonly number[] }, expected: number): void {
  if (o.inputs.length !== expected) throw bad(`${o.name}.inputs`, `${expected}`, o.inputs.length);
}

/** Throws unless groups of `group` features fill the input. */
export function groups(o: { name: string; group: number }, features: number): void {
  count(o.group, `${o.name}.group`);
  if (features % o.group !== 0) throw bad(`${o.name}.group`, `a divisor of ${features}`, o.group);
}

export function bad(parameter: string, expected: string, received: unknown): EspalierError {
  return invalid('INVALID_MODEL', parameter, expected, received);
}
