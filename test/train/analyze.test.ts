import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { convertModel } from '../../src/convert.js';
import { analyze } from '../../src/inspect/analyze.js';
import { trainAndPrune } from '../../src/recipe/train-and-prune.js';
import { readTable } from '../../src/table/table.js';
import { TRAIN_DEFAULTS, train, type TrainResult } from '../../src/train/train.js';
import { temporaryFolder, writeSmallTable } from './tables.js';

const folder = temporaryFolder();
const data = await readTable(writeSmallTable(folder, 1000));
const [dense, sparse] = [join(folder, 'dense'), join(folder, 'sparse')];
let trained: TrainResult;

beforeAll(async () => {
  trained = await train({
    ...TRAIN_DEFAULTS,
    ...{ data, target: 'y', hidden: [16, 8], epochs: 4, batchSize: 64, learningRate: 0.01, output: dense },
  });
  const recipe = { sparsity: 0.5, epochs: 2, ramp: 1 };
  await trainAndPrune({ model: dense, data, target: 'y', recipe, output: sparse });
});

describe('analyze', () => {
  test('our engine gives what TensorFlow gave, on all held-out rows and on samples of them', async () => {
    const { a, b, comparison, rows } = await analyze({ a: dense, b: sparse, data, target: 'y', samples: 50 });
    expect(rows).toEqual({ total: 1000, heldOut: trained.test!.samples });
    expect(a.all.rmse).toBeCloseTo(trained.test!.rmse, 4);
    expect(a.all.ratio.mean).toBeCloseTo(trained.test!.ratio.mean, 5);
    expect(a.samples.samples).toBe(50);
    expect(a.sparsity).toBe(0);
    expect(b!.layers).toMatchObject([
      { name: 'dense_1', sparsity: 0.5 },
      { name: 'dense_2', sparsity: 0.5 },
      { name: 'output', sparsity: 0.5 },
    ]);
    expect(b!.sparsity).toBe(0.5);
    expect(comparison!.rmse.all).toBeCloseTo(b!.all.rmse / a.all.rmse);
    expect(a.sizes.dense.raw).toBe(4 * trained.trainable);
  });

  test('values in fewer bits: what they cost a model', async () => {
    const { a, b, comparison } = await analyze({ a: sparse, data, target: 'y', values: 'int8' });
    expect(a.values).toBeUndefined();
    expect(b).toMatchObject({ values: 'int8', source: sparse });
    expect(comparison!.difference.largest).toBeGreaterThan(0);
    expect(comparison!.difference.mean).toBeLessThan(0.1 * a.all.rmse);
    const none = await analyze({ a: sparse, data, target: 'y', values: 'float32' });
    expect(none.comparison!.difference.largest).toBe(0);
  });

  test('an .esp file is analysed like the model it was made from', async () => {
    const esp = join(folder, 'model.esp');
    await convertModel(dense, esp);
    copyFileSync(join(dense, 'preprocessing.json'), join(folder, 'preprocessing.json'));
    const [one, two] = [
      await analyze({ a: dense, data, target: 'y' }),
      await analyze({ a: esp, data, target: 'y' }),
    ];
    expect(two.a.all).toEqual(one.a.all);
    // Asked for more samples than there are held out.
    expect(two.a.samples.samples).toBe(one.rows.heldOut);
  });

  test('a file that is all held out', async () => {
    const { rows } = await analyze({ a: dense, data, target: 'y', allRows: true });
    expect(rows.heldOut).toBe(1000);
  });

  test('a missing column, target, model or a count that is none', async () => {
    const without = join(folder, 'without.csv');
    writeFileSync(without, 'y,a,b\n1,2,3\n');
    const options = { a: dense, data, target: 'y' };
    await expect(analyze({ ...options, data: without, allRows: true })).rejects.toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringContaining('expected a column "c"'),
    });
    await expect(analyze({ ...options, target: 'z' })).rejects.toMatchObject({ code: 'INVALID_DATA' });
    await expect(analyze({ ...options, a: join(folder, 'no') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(analyze({ ...options, samples: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
