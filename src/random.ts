/** Our own seeded generator: tfjs shuffles with Math.random, so that no two runs would be the same. */

/** Mixes 32-bit words into one, so that (seed, epoch) or (seed, name) give unrelated streams (MurmurHash3's finish). */
export function mix(...words: number[]): number {
  let hash = 0x9e3779b9;
  for (const word of words) {
    hash = Math.imul(hash ^ (word >>> 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** FNV-1a of a string's UTF-16 units: 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** mulberry32: uniform 32-bit integers, a period of 2^32, the same on every machine. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** The numbers of `items` in an order that depends on the seed only (Fisher-Yates); the given array is left alone. */
export function shuffled(items: Uint32Array, seed: number): Uint32Array {
  const order = items.slice();
  const next = generator(seed);
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor((next() / 2 ** 32) * (i + 1));
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}
