/** Settings of operations as they are stored: lists of whole numbers, choices and flags as numbers. */
import { invalid } from '../errors.js';
import { readActivation, storedActivation, type Activation } from './activation.js';
import type { Json, ReadContext, WriteContext } from './definition.js';

/** Whole numbers from 0, by the keys in their order. */
export function readNumbers<K extends string>(
  value: unknown,
  keys: readonly K[],
  what: string,
): Record<K, number> {
  if (
    !Array.isArray(value) ||
    value.length !== keys.length ||
    !value.every((n) => Number.isInteger(n) && n >= 0 && n <= 0x7fffffff)
  ) {
    throw invalid('INVALID_MODEL', what, `${keys.length} whole numbers: ${keys.join(', ')}`, value);
  }
  return Object.fromEntries(keys.map((key, i) => [key, value[i] as number])) as Record<K, number>;
}

/** A choice is stored as its place in the list of its names. */
export function readChoice<T extends string>(choices: readonly T[], place: unknown, what: string): T {
  const choice = typeof place === 'number' ? choices[place] : undefined;
  if (choice === undefined) throw invalid('INVALID_MODEL', what, `0 to ${choices.length - 1}`, place);
  return choice;
}

/** Flags are stored as 0 and 1. */
export function readFlags<K extends string>(stored: Record<K, number>, what: string): Record<K, boolean> {
  return Object.fromEntries(
    Object.entries<number>(stored).map(([key, value]) => {
      if (value > 1) throw invalid('INVALID_MODEL', `${what}.${key}`, '0 or 1', value);
      return [key, value === 1];
    }),
  ) as Record<K, boolean>;
}

export function readReal(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid('INVALID_MODEL', what, 'a finite number', value);
  }
  return value;
}

/** Nothing where it is null. */
export function optionalVector(key: string, values: Float32Array | null, { vector }: WriteContext): Json {
  return values === null ? {} : { [key]: vector(values) };
}

export function readOptionalVector(
  json: Json,
  key: string,
  length: number,
  { name, vector }: ReadContext,
): Float32Array | null {
  return json[key] === undefined ? null : vector(json[key], length, `${name}.${key}`);
}

/** Nothing where it is linear. */
export function activationJson(activation: Activation, key = 'activation'): Json {
  const stored = storedActivation(activation);
  return stored === undefined ? {} : { [key]: stored };
}

export function activationOf(json: Json, { name }: ReadContext): Activation {
  return readActivation(json.activation, name);
}

/** What docs/format.md says of a choice. */
export function numbered(choices: readonly string[]): string {
  return choices.map((choice, place) => `${place} ${choice}`).join(', ');
}
