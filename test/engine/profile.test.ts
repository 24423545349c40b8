/** Looking into a call: a number an operation, whatever the batch; and the roofs of the machine. No time is asserted. */
import { describe, expect, it } from 'vitest';
import { networkOf } from '../../bench/networks.mjs';
import { withCsr } from '../../src/engine/csr.js';
import { addon } from '../../src/engine/find.js';
import { Model } from '../../src/engine/model.js';

const model = (units: number[], threads = 1) =>
  new Model(withCsr(networkOf(units, 0.5)), { threads, batchSizes: [1] });

describe('profile', () => {
  it.each([
    [1, 1],
    [3, 1],
    [64, 2],
    [200, 2],
  ])('tells each operation at batch %i with %i threads, and leaves answers as they are', (batch, threads) => {
    const own = model([20, 70, 30, 5], threads);
    const input = Float32Array.from({ length: batch * 20 }, (_, i) => Math.sin(i));
    const before = own.runSync(input) as Float32Array;
    for (const repeats of [1, 7]) {
      const ns = own.profile(input, repeats);
      expect(ns).toBeInstanceOf(Float64Array);
      expect(ns.length).toBe(own.explain(batch).length);
      for (const one of ns) expect(one).toBeGreaterThan(0);
    }
    expect(own.runSync(input)).toEqual(before);
    own.dispose();
  });

  it('refuses what runSync refuses, and repeats that are no count', () => {
    const own = model([20, 5]);
    const input = new Float32Array(20);
    expect(() => own.profile(new Float32Array(7))).toThrow(/multiple of 20/);
    expect(() => own.profile(new Float32Array(0))).toThrow(/one sample or more/);
    for (const repeats of [0, -1, 1.5, 1e9, Number.NaN]) {
      expect(() => own.profile(input, repeats)).toThrow(/repeats: expected a whole number/);
    }
    own.dispose();
    expect(() => own.profile(input)).toThrow(/disposed/);
  });

  it('the addon itself checks all of it again', () => {
    const native = addon().load(withCsr(networkOf([20, 5], 0.5)), { threads: 1, batchSizes: [] });
    const wrong = native as unknown as { profile(...args: unknown[]): unknown };
    for (const args of [
      [],
      [1],
      [1, []],
      [1, [new Float32Array(20)]],
      [1, [new Float32Array(20)], 0],
      [2, [new Float32Array(20)], 1],
      [2 ** 31, [new Float32Array(20)], 1],
      [1, [new Float64Array(20)], 1],
    ])
      expect(() => wrong.profile(...args)).toThrow(/expected/);
    native.dispose();
    expect(() => native.profile(1, [new Float32Array(20)], 1)).toThrow(/disposed/);
  });
});

describe('peaks', () => {
  it('are numbers above zero, for any instruction set', () => {
    const peaks = addon().peaks(1);
    expect(Object.keys(peaks)).toEqual(['fmaGflops', 'cacheGBs', 'memoryGBs']);
    for (const value of Object.values(peaks)) {
      expect(value).toBeGreaterThan(0);
      expect(Number.isFinite(value)).toBe(true);
    }
    const wrong = addon() as unknown as { peaks(threads: unknown): unknown };
    for (const threads of [0, -1, 1.5, 'one', undefined])
      expect(() => wrong.peaks(threads)).toThrow(/threads/);
  });
});
