/**
 * The tensors of an .esp file are pools: all values, all positions, all vectors, one part after the other in the order
 * of the program, so that the header stays small however many layers there are. What is read must be used up.
 */
import { EspalierError, invalid } from '../errors.js';
import type { SafeDType, SafeParts, SafeTensor } from '../safetensors.js';

/** In the order in which they lie in the file: wide types first, which keeps each aligned. */
const POOLS = {
  'values.F32': 'F32',
  palettes: 'F32',
  vectors: 'F32',
  scales: 'F32',
  indices: 'I32',
  'values.F16': 'F16',
  'values.BF16': 'U16',
  'values.U16': 'U16',
  'values.I8': 'I8',
  'values.U8': 'U8',
  'values.split': 'U8',
  high: 'U8',
  runs: 'U8',
} as const satisfies Record<string, SafeDType>;

export type PoolName = keyof typeof POOLS;
export type PoolArray = Float32Array | Int32Array | Uint16Array | Uint8Array | Int8Array;

/** Numbers of an item: a value that is split leaves 3 bytes. */
function itemsOf(pool: PoolName): number {
  return pool === 'values.split' ? 3 : 1;
}

export class PoolWriter {
  readonly #parts = new Map<PoolName, PoolArray[]>();
  readonly #lengths = new Map<PoolName, number>();
  readonly #vectors = new Map<Float32Array, number>();

  /** Returns where the part lies: [from, to], in items of the pool. */
  append(pool: PoolName, part: PoolArray): [number, number] {
    const known = this.#parts.get(pool);
    const parts = known ?? [];
    if (known === undefined) this.#parts.set(pool, parts);
    const from = this.#lengths.get(pool) ?? 0;
    const to = from + part.length / itemsOf(pool);
    this.#lengths.set(pool, to);
    parts.push(part);
    return [from, to];
  }

  /** Where the vector starts in the pool "vectors"; one that several operations share is stored once. */
  vector(values: Float32Array): number {
    const known = this.#vectors.get(values);
    if (known !== undefined) return known;
    const [start] = this.append('vectors', values);
    this.#vectors.set(values, start);
    return start;
  }

  tensors(): SafeParts[] {
    const tensors: SafeParts[] = [];
    for (const [name, dtype] of Object.entries(POOLS) as [PoolName, SafeDType][]) {
      const parts = this.#parts.get(name) ?? [];
      const length = this.#lengths.get(name) ?? 0;
      if (length === 0) continue;
      const data = parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      tensors.push({ name, dtype, shape: itemsOf(name) === 1 ? [length] : [length, 3], data });
    }
    return tensors;
  }
}

const NOTHING = new Float32Array(0);

export class PoolReader {
  readonly #pools = new Map<PoolName, PoolArray>();
  readonly #at = new Map<PoolName, number>();
  readonly #vectors = new Map<number, Float32Array>();

  constructor(tensors: readonly SafeTensor[]) {
    for (const { name, dtype, shape, data } of tensors) {
      if (!Object.hasOwn(POOLS, name) || POOLS[name as PoolName] !== dtype) {
        throw invalid('INVALID_MODEL', 'tensors', `${Object.keys(POOLS).join(', ')}`, `${name} (${dtype})`);
      }
      const items = itemsOf(name as PoolName);
      if (items === 1 ? shape.length !== 1 : shape.length !== 2 || shape[1] !== items) {
        throw invalid('INVALID_MODEL', `tensor ${name}`, items === 1 ? '[n]' : `[n, ${items}]`, shape);
      }
      this.#pools.set(name as PoolName, typed(dtype, data));
    }
  }

  /** The items of the pool in `range`, which must start where the last one ended. Without a copy. */
  take(pool: PoolName, range: unknown, what: string): PoolArray {
    const items = itemsOf(pool);
    const all = this.#pools.get(pool) ?? NOTHING;
    const next = this.#at.get(pool) ?? 0;
    const [from, to] = (Array.isArray(range) && range.length === 2 ? range : []) as [number?, number?];
    if (from !== next || !Number.isInteger(to) || to === undefined || to < from || to > all.length / items) {
      throw invalid('INVALID_MODEL', what, `[${next}, at most ${all.length / items}]`, range);
    }
    this.#at.set(pool, to);
    return all.subarray(from * items, to * items);
  }

  /** The vector that starts at `start`: the next one, or one that was read before. */
  vector(start: unknown, length: number, what: string): Float32Array {
    const known = this.#vectors.get(start as number);
    if (known !== undefined) {
      if (known.length !== length) throw invalid('INVALID_MODEL', what, `${length} values`, known.length);
      return known;
    }
    const next = this.#at.get('vectors') ?? 0;
    if (start !== next) throw invalid('INVALID_MODEL', what, `${next} or where a vector starts`, start);
    const values = this.take('vectors', [next, next + length], what) as Float32Array;
    this.#vectors.set(next, values);
    return values;
  }

  /** Throws INVALID_MODEL if the file holds numbers that the program does not use. */
  finish(): void {
    for (const [name, all] of this.#pools) {
      const used = (this.#at.get(name) ?? 0) * itemsOf(name);
      if (used !== all.length) {
        throw new EspalierError('INVALID_MODEL', `tensor ${name}: ${all.length - used} numbers too many`, {
          parameter: name,
        });
      }
    }
  }
}

function typed(dtype: SafeDType, data: Uint8Array): PoolArray {
  if (dtype === 'U8') return data;
  if (dtype === 'I8') return new Int8Array(data.buffer, data.byteOffset, data.length);
  // Bytes handed in may start anywhere in their buffer.
  const size = dtype === 'F32' || dtype === 'I32' ? 4 : 2;
  const { buffer, byteOffset } = data.byteOffset % size === 0 ? data : new Uint8Array(data);
  if (dtype === 'I32') return new Int32Array(buffer, byteOffset, data.byteLength / 4);
  return dtype === 'F32'
    ? new Float32Array(buffer, byteOffset, data.byteLength / 4)
    : new Uint16Array(buffer, byteOffset, data.byteLength / 2);
}
