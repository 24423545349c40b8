/** Comparing results: what is noise, what is not, and the exit codes. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/measure/race/statistics.js';
import { compareResults, parseShare, ratioOfRuns, regressions } from '../../src/report/compare.js';
import { runTool } from '../../src/setup/commands.js';
import { resultFixture } from './fixture.js';

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js');

describe('ratioOfRuns', () => {
  it('covers the true ratio of known distributions in about 95 of 100', () => {
    const random = seededRandom(7);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const run = (median: number) => Array.from({ length: 15 }, () => median * Math.exp(0.05 * normal()));
    let covered = 0;
    for (let trial = 0; trial < 80; trial++) {
      const { low, high } = ratioOfRuns(run(10), run(12), trial);
      if (low <= 1.2 && 1.2 <= high) covered++;
    }
    // The bootstrap of a median of 15 is a little wide: 95 % nominal.
    expect(covered).toBeGreaterThanOrEqual(71);
  });

  it('claims nothing of a single round', () => {
    expect(ratioOfRuns([10], [12])).toEqual({ ratio: 1.2, low: 1.2, high: 1.2 });
  });
});

describe('compareResults', () => {
  it('calls the same run the same', () => {
    const { differences, unmatched, warnings } = compareResults(resultFixture(), resultFixture());
    expect(differences.length).toBe(12);
    expect(new Set(differences.map(({ verdict }) => verdict))).toEqual(new Set(['same']));
    expect([unmatched, warnings]).toEqual([[], []]);
  });

  it('finds what became slower, and by how much', () => {
    const comparison = compareResults(resultFixture(), resultFixture({ factor: 1.2 }));
    const own = comparison.differences.filter(({ id }) => id === 'espalier');
    expect(own.map(({ verdict }) => verdict)).toEqual(Array(4).fill('slower'));
    for (const { ratio, low, high } of own) {
      expect(ratio).toBeCloseTo(1.2, 5);
      expect(low).toBeGreaterThan(1.1);
      expect(high).toBeLessThan(1.3);
    }
    expect(
      comparison.differences.filter(({ id }) => id === 'onnxruntime').every((d) => d.verdict === 'same'),
    ).toBe(true);
    expect(regressions(comparison, 0.05).length).toBe(4);
    expect(regressions(comparison, 0.3)).toEqual([]);
    const faster = compareResults(resultFixture({ factor: 1.2 }), resultFixture());
    expect(regressions(faster, 0.05)).toEqual([]);
  });

  it('names what only one has, and machines that differ', () => {
    const other = resultFixture({ sparsities: [0.5] });
    other.machine.cpu = 'Another CPU';
    const { unmatched, warnings } = compareResults(resultFixture(), {
      ...other,
      networks: [...other.networks],
    });
    expect(unmatched.join()).toContain('90 % zeros');
    expect(warnings.join()).toContain('Another CPU');
  });
});

describe('parseShare', () => {
  it.each([
    ['5%', 0.05],
    ['5 %', 0.05],
    ['0.05', 0.05],
    ['.5%', 0.005],
  ])('%s', (text, share) => expect(parseShare(text)).toBeCloseTo(share, 12));
  it.each(['', 'five', '-5%', '5%%', '1e3'])('refuses "%s"', (text) => {
    expect(() => parseShare(text)).toThrow(/--fail-if-slower: expected a share/);
  });
});

describe('espalier compare', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'espalier-compare-'));
    await writeFile(join(folder, 'a.json'), JSON.stringify(resultFixture()));
    await writeFile(join(folder, 'b.json'), JSON.stringify(resultFixture({ factor: 1.2 })));
    await writeFile(join(folder, 'old.json'), JSON.stringify({ format: 'espalier-bench', version: 0 }));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const compare = (...args: string[]) =>
    runTool(process.execPath, [
      MAIN,
      'compare',
      ...args.map((a) => (a.endsWith('.json') ? join(folder, a) : a)),
    ]);

  it('exits with 1 where it is slower than allowed, with 0 where not', async () => {
    const slower = await compare('a.json', 'b.json', '--fail-if-slower', '5%');
    expect(slower.code).toBe(1);
    expect(slower.output).toContain('slower than 5% allows: espalier runSync at batch 1');
    for (const args of [
      ['a.json', 'b.json'],
      ['a.json', 'b.json', '--fail-if-slower', '50%'],
      ['b.json', 'a.json', '--fail-if-slower', '5%'],
      ['a.json', 'a.json', '--fail-if-slower', '0%'],
    ])
      expect((await compare(...args)).code).toBe(0);
  });

  it('writes JSON', async () => {
    await compare('a.json', 'b.json', '--json', 'out.json');
    const written = JSON.parse(await readFile(join(folder, 'out.json'), 'utf8')) as Record<string, unknown>;
    expect(written).toMatchObject({ format: 'espalier-comparison', version: 1 });
  });

  it('exits with 2 for what is no result, another version or no share', async () => {
    const old = await compare('a.json', 'old.json');
    expect([old.code, old.output]).toEqual([2, expect.stringContaining('an older espalier wrote it')]);
    expect((await compare('a.json', 'none.json')).code).toBe(2);
    expect((await compare('a.json', 'b.json', '--fail-if-slower', 'much')).code).toBe(2);
    expect((await compare('a.json')).code).toBe(2);
  });
});
