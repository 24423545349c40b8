/** Reading a layer's Keras config, which is untrusted JSON: own properties only, each checked as it is read. */
import { describe } from '../errors.js';
import { MAX_EXTENT, isRecord, own, unsupported, wrong } from '../network/untrusted.js';

/** Which library wrote a config: defaults and meanings differ (hard_sigmoid, LeakyReLU, GRU). */
export interface Origin {
  /** The Keras generation whose meaning holds. tfjs-layers follows Keras 2. */
  readonly keras: 2 | 3;
  readonly tfjs: boolean;
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

/** data_format: only channels_last, the format in which TensorFlow on a CPU computes. */
export function requireChannelsLast(config: Config): void {
  const format = config.raw('data_format') ?? 'channels_last';
  if (format === 'channels_first') {
    throw unsupported('data_format', 'channels_first', 'save the model with data_format="channels_last"');
  }
  if (format !== 'channels_last') throw wrong('data_format', 'channels_last', format);
}

/** The config of a wrapped layer: its class name and its own config. */
export function wrappedLayer(config: Config, key: string): { className: string; config: Config } {
  const value = config.raw(key);
  const className = isRecord(value) ? own(value, 'class_name') : undefined;
  if (typeof className !== 'string') throw wrong(key, 'a serialised layer', value);
  return { className, config: config.child(key).child('config') };
}
