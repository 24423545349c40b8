import { describe, expect, test } from 'vitest';
import { experimentTable, replaceBetweenMarks } from '../../examples/flights/report.mjs';
import { bearing, dayOfYear, splitOf } from '../../examples/flights/prepare.mjs';

function run(target: number, seed: number, rmse: number) {
  const metrics = { rmse, mae: 6, r2: 0.99, ratio: { mean: 1.001 * seed, deviation: 0.07 } };
  const comparison = { rmse: { all: rmse / 9 }, ratio: { all: 1 } };
  return {
    ...{
      target,
      seed,
      epochs: target === 0 ? 100 : 35,
      warmUp: target === 0 ? undefined : 3,
      sparsity: target,
    },
    ...{ samples: metrics, all: metrics, comparison: target === 0 ? undefined : comparison },
    sizes: { dense: { raw: 4000, gzip: 1234.6 }, esp: { raw: 1000, gzip: 900 } },
  };
}

describe('the experiment', () => {
  const report = { baseline: { routeMeanRmse: 11.3011 }, rows: 327346, heldOut: 48445, quick: false };
  const table = experimentTable({
    ...report,
    runs: [run(0.9, 1, 9.9), run(0, 1, 9), run(0.75, 1, 9.1), run(0.75, 2, 9.3)],
  });

  test('is a table by sparsity, with mean and spread over seeds', () => {
    const lines = table.trim().split('\n');
    expect(lines[2]).toMatch(/^\| dense \| 100 \| 1 \| 1\.0010 \| 1\.0010 \| 9\.000 \|/);
    expect(lines[3]).toMatch(/^\| 0\.750 \| 35 \+ 3 \| 2 \| 1\.5015 ± 0\.7078 \| .*\| 9\.200 ± 0\.141 \|/);
    expect(lines[3]).toContain('| +2.22 ± 1.57 % | +0.00 ± 0.00 % | 1,235 | 1,000 |');
    expect(lines[4]).toMatch(/^\| 0\.900 /);
    expect(table).toContain('327,346 flights, 48,445 of them on held-out days');
    expect(table).toContain('RMSE 11.30');
  });

  test('goes between the marks of a README and leaves the rest', () => {
    const readme = 'a\n<!-- experiment -->\nold\n<!-- /experiment -->\nb\n';
    const changed = replaceBetweenMarks(readme, table);
    expect(changed.startsWith('a\n<!-- experiment -->\n\n| sparsity')).toBe(true);
    expect(changed.endsWith('<!-- /experiment -->\nb\n')).toBe(true);
    expect(replaceBetweenMarks(changed, table)).toBe(changed);
    expect(() => replaceBetweenMarks('nothing', table)).toThrow(/expected the lines/);
  });
});

describe('the table of flights', () => {
  test('every seventh day is held out, and validation days are others', () => {
    expect([dayOfYear(1, 1), dayOfYear(3, 1), dayOfYear(12, 31)]).toEqual([1, 60, 365]);
    const parts = Array.from({ length: 365 }, (_, i) => splitOf(i + 1));
    const held = parts.flatMap((part, i) => (part === 'test' ? [i + 1] : []));
    expect(held).toEqual(Array.from({ length: 52 }, (_, week) => 3 + 7 * week));
    expect(parts.filter((part) => part === 'validation').length).toBe(26);
  });

  test('bearings: north, east, and from New York to Los Angeles', () => {
    const degrees = (from: [number, number], to: [number, number]) =>
      (bearing({ lat: from[0], lon: from[1] }, { lat: to[0], lon: to[1] }) * 180) / Math.PI;
    expect(degrees([0, 0], [10, 0])).toBeCloseTo(0);
    expect(degrees([0, 0], [0, 10])).toBeCloseTo(90);
    expect(degrees([40.6398, -73.7789], [33.9425, -118.4081]) + 360).toBeCloseTo(273.9, 0);
  });
});
