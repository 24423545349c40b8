/** `espalier sweep` on a small table: every step, and nothing twice. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resultSchema } from '../../src/measure/result.js';
import { runTool } from '../../src/setup/commands.js';
import { parseSweep, pruningsOf, sweepJsonSchema } from '../../src/sweep/recipe.js';
import { temporaryFolder, writeSmallTable } from '../train/tables.js';

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/cli/main.js');

const RECIPE = {
  name: 'Small study',
  data: { file: 'small.csv', target: 'y' },
  train: { network: [16, 8], epochs: 2, batchSize: 64, learningRate: 0.01 },
  prune: { epochs: 3, batchSize: 64 },
  sparsities: [0.5, { sparsity: 0.75, epochs: 4 }],
  bench: { batches: [1, 2], against: ['dense'], rounds: 2, minTime: 0.02 },
};

describe('sweep recipes', () => {
  it('share settings, and each sparsity sets its own', () => {
    expect(pruningsOf(parseSweep(RECIPE))).toEqual([
      { epochs: 3, batchSize: 64, sparsity: 0.5 },
      { epochs: 4, batchSize: 64, sparsity: 0.75 },
    ]);
  });

  it.each([
    [{ ...RECIPE, sparsities: [] }, 'sparsities'],
    [{ ...RECIPE, sparsities: [1] }, 'sparsities'],
    [{ ...RECIPE, sparsities: [{ epochs: 3 }] }, 'sparsities'],
    [{ ...RECIPE, model: 'model.json' }, 'either model or train'],
    [{ ...RECIPE, data: { target: 'y' } }, 'either file or module'],
    [{ ...RECIPE, data: { file: 'a', module: 'b', target: 'y' } }, 'either file or module'],
    [{ ...RECIPE, banch: {} }, 'banch'],
    [{ ...RECIPE, bench: { against: ['pytorch'] } }, 'bench.against'],
    ['text', 'recipe'],
  ])('refuses %#', (value, message) => {
    expect(() => parseSweep(value)).toThrow(message);
  });

  it('have their schema published (node scripts/schemas.mjs writes it)', async () => {
    const published = JSON.parse(await readFile(join(ROOT, 'schemas/sweep-1.json'), 'utf8')) as unknown;
    expect(published).toEqual(JSON.parse(JSON.stringify(sweepJsonSchema())));
  });
});

describe('espalier sweep', () => {
  const folder = temporaryFolder();
  const output = join(folder, 'out');
  const recipe = join(folder, 'sweep.json');
  writeSmallTable(folder, 1200);
  const run = async (value: object) => {
    await writeFile(recipe, JSON.stringify(value));
    return runTool(process.execPath, [MAIN, 'sweep', recipe, '--output', output, '--threads', '1']);
  };

  it('trains, prunes, converts, measures and reports; then goes on where something is missing', async () => {
    const first = await run(RECIPE);
    expect(first.output).toContain('9 steps done, 0 done before');
    expect(first.code).toBe(0);
    const result = async (name: string) =>
      resultSchema.parse(JSON.parse(await readFile(join(output, `${name}-bench`, 'result.json'), 'utf8')));
    const sparse = await result('sparse-0.75');
    expect(sparse.networks[0]?.sparsity).toBeCloseTo(0.75, 1);
    expect(sparse.networks[0]?.accuracy?.dense?.rmse).toBeGreaterThan(0);
    expect((await result('dense')).networks[0]?.sparsity).toBe(0);
    const html = await readFile(join(output, 'report.html'), 'utf8');
    expect(html).toContain('Small study');
    expect(html).toContain('Accuracy against sparsity');
    expect(await readFile(join(output, 'report.md'), 'utf8')).toContain('](charts/');

    const before = (await stat(join(output, 'dense', 'model.json'))).mtimeMs;
    await rm(join(output, 'sparse-0.5-bench'), { recursive: true });
    const again = await run({ ...RECIPE, sparsities: [0.5, { sparsity: 0.75, epochs: 5 }] });
    expect(again.code).toBe(0);
    // Of 0.5 the measurement, of 0.75 all three: its epochs changed.
    expect(again.output).toContain('4 steps done, 5 done before');
    expect((await stat(join(output, 'dense', 'model.json'))).mtimeMs).toBe(before);
  }, 300_000);

  it('exits with 2 for a recipe that is wrong or missing', async () => {
    expect((await run({ ...RECIPE, name: '' })).code).toBe(2);
    expect((await runTool(process.execPath, [MAIN, 'sweep', join(folder, 'none.yaml')])).code).toBe(2);
  });
});
