import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { readCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.js';
import { Dataset, readPreprocessing } from '../../src/table/dataset.js';
import { accelerate, statelessUniform } from '../../src/train/kernels.js';
import { learningRateAt } from '../../src/train/learning-rate.js';
import { metricsOf } from '../../src/metrics.js';
import { loadLayersModel } from '../../src/train/model-files.js';
import { parseNetwork } from '../../src/train/network.js';
import { shuffled } from '../../src/random.js';
import { readTable } from '../../src/table/table.js';
import { loadTensorFlow } from '../../src/tensorflow/load.js';
import { TRAIN_DEFAULTS, train, type TrainOptions } from '../../src/train/train.js';
import { temporaryFolder, writeSmallTable } from './tables.js';

const folder = temporaryFolder();
const data = await readTable(writeSmallTable(folder));

function options(output: string, more: Partial<TrainOptions> = {}): TrainOptions {
  return {
    ...TRAIN_DEFAULTS,
    data,
    target: 'y',
    hidden: [16, 8],
    epochs: 4,
    batchSize: 32,
    learningRate: 0.01,
    weightDecay: 0.1,
    output: join(folder, output),
    ...more,
  };
}

function modelBytes(output: string): Buffer {
  const room = join(folder, output);
  const [weights, more] = readdirSync(room).filter((name) => name.startsWith('weights-'));
  expect(more).toBeUndefined();
  return readFileSync(join(room, weights!));
}

/** Ends a run inside an epoch, as Ctrl-C does. */
async function interruptedRun(
  output: string,
  epoch: number,
  more: Partial<TrainOptions> = {},
): Promise<void> {
  const controller = new AbortController();
  const progress = {
    step: (report: { epoch: number; step: number }) => {
      if (report.epoch === epoch && report.step % 10 === 5) controller.abort();
    },
  };
  await expect(
    train(options(output, { ...more, progress, signal: controller.signal })),
  ).rejects.toMatchObject({
    code: 'INTERRUPTED',
    details: { epochsDone: epoch - 1 },
  });
}

describe('train', () => {
  test('learns; the saved model answers in the units of the target', async () => {
    const result = await train(options('learns', { epochs: 12 }));
    expect(result.test!.rmse).toBeLessThan(2);
    expect(result.state.history).toHaveLength(12);
    const tensorflow = await loadTensorFlow();
    const model = await loadLayersModel(tensorflow, join(folder, 'learns'));
    const preprocessing = (await readPreprocessing(join(folder, 'learns')))!;
    const dataset = new Dataset(data, preprocessing);
    const rows = dataset.split.test;
    const inputs = tensorflow.tf.tensor2d(dataset.encoder.encode(rows), [rows.length, dataset.encoder.width]);
    const predicted = (model.predict(inputs) as typeof inputs).dataSync();
    const metrics = metricsOf(predicted, dataset.targets('test'));
    expect(metrics.rmse).toBeCloseTo(result.test!.rmse, 4);
    expect(metrics.ratio.mean).toBeCloseTo(result.test!.ratio.mean, 4);
  });

  test('the same seed gives the same weights, another seed others', async () => {
    await train(options('one', { epochs: 2 }));
    await train(options('two', { epochs: 2 }));
    await train(options('three', { epochs: 2, seed: 2 }));
    expect(modelBytes('one').equals(modelBytes('two'))).toBe(true);
    expect(modelBytes('one').equals(modelBytes('three'))).toBe(false);
  });

  test.each([{ dropout: 0 }, { dropout: 0.2 }])('resumed equals unbroken, bit for bit (%o)', async (more) => {
    const [whole, broken] = [`whole${more.dropout}`, `broken${more.dropout}`];
    const unbroken = await train(options(whole, more));
    await interruptedRun(broken, 3, more);
    const resumed = await train(options(broken, { ...more, resume: true }));
    expect(resumed.state.history).toEqual(unbroken.state.history);
    expect(modelBytes(broken).equals(modelBytes(whole))).toBe(true);
  });

  test('a run goes on with the table that it was begun with, known by its content', async () => {
    await interruptedRun('other-table', 2);
    const columns = new Map(data.columns);
    const [name, column] = [...columns].find(([column]) => column !== 'y')!;
    columns.set(
      name,
      column.kind === 'number'
        ? { kind: 'number', values: column.values.map((value, row) => (row === 7 ? value + 1e-9 : value)) }
        : { ...column, texts: [...column.texts].reverse() },
    );
    const other = { ...data, columns };
    await expect(train(options('other-table', { data: other, resume: true }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`it differs in ${name};`),
    });
    // From elsewhere, and the same: it goes on.
    const moved = { ...data, path: 'elsewhere.csv' };
    const { state } = await train(options('other-table', { data: moved, resume: true }));
    expect(state.epochsDone).toBe(4);
  });

  test('a checkpoint of an older espalier, without content, goes on with a warning', async () => {
    await interruptedRun('older', 2);
    const path = join(folder, 'older/checkpoint.safetensors');
    const { state, tensors } = (await readCheckpoint<{ content?: unknown }>(path))!;
    delete state.content;
    await writeCheckpoint(path, { state, tensors });
    const warnings: string[] = [];
    const progress = { warn: (text: string) => warnings.push(text) };
    const { state: ended } = await train(options('older', { resume: true, progress }));
    expect(ended.epochsDone).toBe(4);
    expect(warnings).toContainEqual(
      expect.stringContaining('that the table is still the same cannot be checked'),
    );
  });

  test("model and preprocessing carry each other's mark: those of two runs are no pair", async () => {
    await train(options('pair', { epochs: 1 }));
    await train(options('pair-other', { epochs: 1, split: { ...TRAIN_DEFAULTS.split, seed: 5 } }));
    const file = (run: string) => join(folder, run, 'preprocessing.json');
    expect(await readPreprocessing(join(folder, 'pair'))).toBeDefined();
    const own = readFileSync(file('pair'), 'utf8');
    writeFileSync(file('pair'), readFileSync(file('pair-other')));
    await expect(readPreprocessing(join(folder, 'pair'))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      message: expect.stringContaining('received that of another run'),
    });
    // One without a mark of its weights, as older ones are, is told by its content alone.
    const { weights, ...unmarked } = JSON.parse(own) as { weights: string };
    expect(weights).toMatch(/^weights-[0-9a-f]{12}\.bin$/);
    writeFileSync(file('pair'), JSON.stringify(unmarked));
    expect(await readPreprocessing(join(folder, 'pair'))).toEqual(unmarked);
  });

  test('a checkpoint of other settings, or a damaged one, is refused', async () => {
    await interruptedRun('other', 2);
    await expect(train(options('other', { resume: true, learningRate: 0.02 }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('learningRate 0.01'),
    });
    const path = join(folder, 'other/checkpoint.safetensors');
    const bytes = readFileSync(path);
    for (const damaged of [
      bytes.subarray(0, 100),
      bytes.subarray(0, bytes.length - 4),
      Buffer.from('junk'),
      Buffer.alloc(64, 255),
    ]) {
      writeFileSync(path, damaged);
      await expect(readCheckpoint(path)).rejects.toMatchObject({ code: 'INVALID_DATA' });
    }
  });

  test('ends early when nothing gets better, with the weights of the best epoch', async () => {
    // A rate this small changes no float32 weight, so that the first epoch stays the best.
    const { state } = await train(
      options('early', { learningRate: 1e-30, weightDecay: 0, patience: 2, epochs: 50 }),
    );
    expect(state.best!.epoch).toBe(1);
    expect(state.history).toHaveLength(3);
  });

  test.each([
    [{ target: 'price' }, 'INVALID_DATA', /price/],
    [{ epochs: 0 }, 'INVALID_ARGUMENT', /epochs/],
    [{ batchSize: 1.5 }, 'INVALID_ARGUMENT', /batch-size/],
    [{ learningRate: -1 }, 'INVALID_ARGUMENT', /learning-rate/],
    [{ dropout: 1 }, 'INVALID_ARGUMENT', /dropout/],
    [{ activation: 'magic' }, 'INVALID_ARGUMENT', /activation/],
    [{ learningRate: 1e30, weightDecay: 0 }, 'TRAINING_FAILED', /loss is/],
  ])('%o is refused', async (more, code, message) => {
    const failed = await train(options('bad', more as Partial<TrainOptions>)).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(EspalierError);
    expect(failed).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('a model whose weights lie elsewhere or are too short is refused', async () => {
    const tensorflow = await loadTensorFlow();
    await train(options('model', { epochs: 1 }));
    const path = join(folder, 'model/model.json');
    const model = JSON.parse(readFileSync(path, 'utf8'));
    const [file] = model.weightsManifest[0].paths;
    for (const name of ['../one/model.json', '/etc/hostname', '', '.', 'none.bin']) {
      model.weightsManifest[0].paths = [name];
      writeFileSync(path, JSON.stringify(model));
      await expect(loadLayersModel(tensorflow, path)).rejects.toMatchObject({ code: 'INVALID_MODEL' });
    }
    model.weightsManifest[0].paths = [file];
    writeFileSync(path, JSON.stringify(model));
    writeFileSync(join(folder, 'model', file), Buffer.alloc(10));
    await expect(loadLayersModel(tensorflow, path)).rejects.toMatchObject({ code: 'INVALID_MODEL' });
  });
});

describe('pieces', () => {
  test('the quick Step kernel gives what the own one gives', async () => {
    const tensorflow = await loadTensorFlow();
    accelerate(tensorflow);
    const { tf } = tensorflow;
    const x = tf.tensor1d([-Infinity, -1, -0, 0, 1e-30, 2, Infinity, NaN]);
    expect([...tf.step(x).dataSync()]).toEqual([0, 0, 0, 0, 1, 1, 1, NaN]);
    expect([...tf.step(x, 0.5).dataSync()].slice(0, 7)).toEqual([0.5, 0.5, 0.5, 0.5, 1, 1, 1]);
  });

  test('dropout draws by seed and step only', async () => {
    const tensorflow = await loadTensorFlow();
    const draw = (seed: number, step: number) => [
      ...statelessUniform(tensorflow, [4, 500], seed, step).dataSync(),
    ];
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(1, 3));
    const drawn = draw(5, 6);
    expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(drawn.reduce((sum, value) => sum + value, 0) / drawn.length).toBeCloseTo(0.5, 1);
  });

  test('shuffling is a permutation that the seed decides', () => {
    const items = Uint32Array.from({ length: 1000 }, (_, i) => i);
    expect(shuffled(items, 1).slice().sort()).toEqual(items);
    expect(shuffled(items, 1)).toEqual(shuffled(items, 1));
    expect(shuffled(items, 1)).not.toEqual(shuffled(items, 2));
  });

  test('learning rates fall from the rate to a hundredth of it', () => {
    expect(learningRateAt('cosine', 1, 0, 10)).toBe(1);
    expect(learningRateAt('cosine', 1, 5, 10)).toBeCloseTo(0.505);
    expect(learningRateAt('cosine', 1, 10, 10)).toBeCloseTo(0.01);
    expect(learningRateAt('exponential', 1, 5, 10)).toBeCloseTo(0.1);
    expect(learningRateAt('constant', 1, 5, 10)).toBe(1);
  });

  test('metrics by hand; a truth of 0 has no ratio', () => {
    const metrics = metricsOf([2, 4, 5], [1, 4, 0]);
    expect(metrics.rmse).toBeCloseTo(Math.sqrt(26 / 3));
    expect(metrics.mae).toBe(2);
    expect(metrics.r2).toBeCloseTo(1 - 26 / (26 / 3));
    expect(metrics.ratio).toEqual({ mean: 1.5, deviation: 0.5, samples: 2 });
  });

  test('networks are read from text', () => {
    expect(parseNetwork('512,512,256')).toEqual([512, 512, 256]);
    expect(parseNetwork('')).toEqual([]);
    for (const text of ['a', '0', '1.5', '8,,8', '-1'])
      expect(() => parseNetwork(text)).toThrow(/network: expected units/);
  });
});
