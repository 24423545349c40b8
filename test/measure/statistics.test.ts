import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ascending,
  median,
  quantile,
  ratioOfRounds,
  seededRandom,
  spread,
  summarize,
} from '../../src/measure/race/statistics.js';

/** Standard normal numbers by Box and Muller. */
function normals(count: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  return Float64Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

describe('seededRandom', () => {
  it('is uniform in [0, 1) and the same for the same seed', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Float64Array.from({ length: 20_000 }, () => random());
    };
    const values = draw(5);
    expect(values).toEqual(draw(5));
    expect(values).not.toEqual(draw(6));
    const { min, max, mean, sd } = summarize(values);
    expect(min).toBeGreaterThanOrEqual(0);
    expect(max).toBeLessThan(1);
    expect(mean).toBeCloseTo(0.5, 2);
    expect(sd).toBeCloseTo(1 / Math.sqrt(12), 2);
  });
});

describe('quantile', () => {
  it('interpolates as numpy does', () => {
    // numpy.quantile([1, 2, 4, 8], [0, .1, .25, .5, .9, 1])
    const sorted = [1, 2, 4, 8];
    expect([0, 0.1, 0.25, 0.5, 0.9, 1].map((q) => quantile(sorted, q))).toEqual([
      1,
      1.3,
      1.75,
      3,
      expect.closeTo(6.8, 12),
      8,
    ]);
  });

  it('lies between the ends, never falls with q, and is the value where there is one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 }),
        fc.double({ noNaN: true, min: 0, max: 1 }),
        fc.double({ noNaN: true, min: 0, max: 1 }),
        (values, p, q) => {
          const sorted = ascending(values);
          const [low, high] = [quantile(sorted, Math.min(p, q)), quantile(sorted, Math.max(p, q))];
          expect(low).toBeLessThanOrEqual(high + 1e-9);
          expect(quantile(sorted, 0) + 0).toBe((sorted[0] ?? NaN) + 0);
          // Adding 0 makes one zero of two: a sort may leave -0 where 0 is asked for.
          expect(quantile(sorted, 1) + 0).toBe((sorted.at(-1) ?? NaN) + 0);
        },
      ),
    );
  });
});

describe('summarize', () => {
  it('knows the normal distribution', () => {
    const summary = summarize(normals(100_000, 1).map((z) => 10 + 2 * z));
    expect(summary.mean).toBeCloseTo(10, 1);
    expect(summary.sd).toBeCloseTo(2, 1);
    expect(summary.p50).toBeCloseTo(10, 1);
    expect(summary.p90).toBeCloseTo(10 + 2 * 1.2816, 1);
    expect(summary.p95).toBeCloseTo(10 + 2 * 1.6449, 1);
    expect(Math.abs(summary.p99 - (10 + 2 * 2.3263))).toBeLessThan(0.1);
    expect(summary.count).toBe(100_000);
  });

  it('divides the variance by n - 1', () => {
    expect(summarize([1, 2, 3, 4]).sd).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(summarize([7])).toMatchObject({ mean: 7, sd: 0, min: 7, p50: 7, p99: 7, max: 7 });
  });
});

describe('spread', () => {
  it('is the interquartile range over the median', () => {
    expect(spread([8, 9, 10, 11, 12])).toBeCloseTo(0.2, 12);
    expect(spread([5, 5, 5])).toBe(0);
    expect(spread([5, 6])).toBeUndefined();
  });
});

describe('ratioOfRounds', () => {
  it('is one number without doubt where all rounds agree', () => {
    expect(ratioOfRounds([4, 4, 4], [2, 2, 2])).toEqual({ ratio: 2, low: 2, high: 2 });
    expect(ratioOfRounds([6], [2])).toEqual({ ratio: 3, low: 3, high: 3 });
  });

  it('holds the truth in its interval about as often as it says', () => {
    let held = 0;
    const runs = 200;
    for (let run = 0; run < runs; run++) {
      const above = normals(15, 2 * run + 1).map((z) => 3 * (1 + 0.05 * z));
      const below = normals(15, 2 * run + 2).map((z) => 1 + 0.05 * z);
      const { low, high, ratio } = ratioOfRounds(above, below, { resamples: 400, seed: run });
      expect(low).toBeLessThanOrEqual(ratio);
      expect(high).toBeGreaterThanOrEqual(ratio);
      if (low <= 3 && 3 <= high) held++;
    }
    // 95 % is nominal; the percentile bootstrap of medians of few rounds is a little off.
    expect(held / runs).toBeGreaterThan(0.88);
    expect(held / runs).toBeLessThanOrEqual(1);
  });

  it('is narrow where drift hits both sides of a round alike', () => {
    const drift = normals(20, 3).map((z) => Math.exp(0.5 * z));
    const { low, high } = ratioOfRounds(
      drift.map((d) => 2 * d),
      drift,
    );
    expect(low).toBeCloseTo(2, 12);
    expect(high).toBeCloseTo(2, 12);
    expect(median(drift)).toBeGreaterThan(0);
  });
});
