/**
 * Reading a layer's config, which is untrusted JSON: own properties only, each checked as it is read.
 */
import { EspalierError, describe, invalid } from '../errors.js';

/** Which library wrote a config: defaults and meanings differ (hard_sigmoid, LeakyReLU, GRU). */
export interface Origin {
  /** The Keras generation whose meaning holds. tfjs-layers follows Keras 2. */
  readonly keras: 2 | 3;
  readonly tfjs: boolean;
}

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

export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

/** A checked view of one config object. An absent key and null both take the fallback where there is one. */
export class Config {
  constructor(
    private readonly object: Record<string, unknown>,
    readonly origin: Origin,
  ) {}

  raw(key: string): unknown {
    return own(this.object, key) ?? undefined;
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  /** Whether the key is there with the value null. */
  isNull(key: string): boolean {
    return own(this.object, key) === null;
  }

  int(key: string, fallback?: number, { min = 1, max = MAX_EXTENT }: NumberRange = {}): number {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw wrong(key, `an integer in [${min}, ${max}]`, value);
    }
    return value;
  }

  number(key: string, fallback?: number, { min = -Infinity, max = Infinity }: NumberRange = {}): number {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
      const range = min === -Infinity && max === Infinity ? '' : ` in [${min}, ${max}]`;
      throw wrong(key, `a finite number${range}`, value);
    }
    return value;
  }

  bool(key: string, fallback?: boolean): boolean {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'boolean') throw wrong(key, 'true or false', value);
    return value;
  }

  string(key: string, fallback?: string): string {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'string' || value === '') throw wrong(key, 'a non-empty string', value);
    return value;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], fallback?: T): T {
    const value = this.raw(key) ?? fallback;
    const found = allowed.find((name) => name === value);
    if (found === undefined) throw wrong(key, `one of ${allowed.join(', ')}`, value);
    return found;
  }

  /** `count` integers, or one number for all of them. */
  ints(key: string, count: number, fallback?: number, range: NumberRange = {}): number[] {
    const value = this.raw(key) ?? fallback;
    const list = Array.isArray(value) ? (value as unknown[]) : Array<unknown>(count).fill(value);
    if (list.length !== count) throw wrong(key, `${count} integers`, value);
    return checkInts(key, list, range);
  }

  /** A list of integers of any length up to 8. */
  intList(key: string, range: NumberRange = {}): number[] {
    const value = this.raw(key);
    if (!Array.isArray(value) || value.length > 8) throw wrong(key, 'a list of at most 8 integers', value);
    return checkInts(key, value, range);
  }

  /** An object in this config, as a config of its own. */
  child(key: string): Config {
    const value = this.raw(key);
    if (!isRecord(value)) throw wrong(key, 'an object', value);
    return new Config(value, this.origin);
  }
}

function checkInts(key: string, list: unknown[], { min = 1, max = MAX_EXTENT }: NumberRange): number[] {
  for (const value of list) {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw wrong(key, `integers in [${min}, ${max}]`, describe(value));
    }
  }
  return list as number[];
}
