import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { importModel } from '../../src/import/index.js';
import { describePlan } from '../../src/cli/plan-text.js';
import { planPruning } from '../../src/recipe/plan.js';
import { parseRecipe, readRecipe, recipeJsonSchema, type Recipe } from '../../src/recipe/recipe.js';
import { planRun, trainAndPrune, type PruneRunOptions } from '../../src/recipe/train-and-prune.js';
import { pruneOnce, planPruneOnce } from '../../src/recipe/prune-once.js';
import { loadLayersModel, saveLayersModel } from '../../src/train/model-files.js';
import { readTable } from '../../src/table/table.js';
import { loadTensorFlow } from '../../src/tensorflow/load.js';
import { TRAIN_DEFAULTS, train } from '../../src/train/train.js';
import { temporaryFolder, writeSmallTable } from './tables.js';

const folder = temporaryFolder();
const data = await readTable(writeSmallTable(folder));
const dense = join(folder, 'dense');
const RECIPE: Recipe = { sparsity: 0.75, epochs: 4, warmUp: 1, ramp: 2, frequency: 2, learningRate: 0.005 };

beforeAll(async () => {
  await train({
    ...TRAIN_DEFAULTS,
    ...{ data, target: 'y', hidden: [16, 8], epochs: 5, batchSize: 32, learningRate: 0.01, output: dense },
  });
});

function options(
  output: string,
  recipe: Recipe = RECIPE,
  more: Partial<PruneRunOptions> = {},
): PruneRunOptions {
  return { model: dense, data, target: 'y', recipe, output: join(folder, output), ...more };
}

function modelBytes(output: string): Buffer {
  const room = join(folder, output);
  return readFileSync(
    join(
      room,
      readdirSync(room).find((name) => name.startsWith('weights-'))!,
    ),
  );
}

describe('prune', () => {
  test('reaches the target in every layer of the written model, best epoch after it', async () => {
    const { state, layers, sparsity, plan } = await trainAndPrune(options('reaches'));
    expect(layers.map(({ name }) => name)).toEqual(['dense_1', 'dense_2', 'output']);
    expect(sparsity).toBeCloseTo(0.75, 2);
    const { history } = state;
    expect(history).toHaveLength(5);
    expect(history[0]!.sparsity).toBe(0);
    expect(history.map(({ counts }) => counts)).toEqual([false, false, true, true, true]);
    expect(state.best!.epoch).toBeGreaterThanOrEqual(plan.endStep / plan.stepsPerEpoch);
    const counted = history.filter(({ counts }) => counts).map(({ validationRmse }) => validationRmse);
    expect(state.best!.validationRmse).toBe(Math.min(...counted));
    const model = await loadLayersModel(await loadTensorFlow(), join(folder, 'reaches'));
    const weighted = model.layers.filter(({ weights }) => weights.length > 0);
    expect(weighted.map(({ name }) => name)).toEqual(['dense_1', 'dense_2', 'output']);
    for (const layer of weighted) {
      const kernel = layer.getWeights()[0]!.dataSync();
      const kept = kernel.filter((value) => value !== 0).length;
      expect(kept).toBe(kernel.length / 4);
    }
  });

  test.each(['model.h5', 'model.keras', 'model.json'])('starts from a %s that Keras wrote', async (file) => {
    const columns = Array.from({ length: 10 }, (_, i) => `x${i}`);
    const lines = Array.from({ length: 200 }, (_, row) => {
      const x = columns.map((_name, i) => Math.sin(row * (i + 1)) / 20);
      return [150 + 900 * x[2]! - 300 * x[5]!, ...x].map((value) => value.toFixed(5)).join(',');
    });
    const path = join(folder, `keras-${file}.csv`);
    writeFileSync(path, [['y', ...columns].join(','), ...lines].join('\n'));
    const model = join(import.meta.dirname, '../golden/models/mlp_regression', file);
    const split = { ...TRAIN_DEFAULTS.split };
    const recipe = { ...RECIPE, batchSize: 16 };
    const result = await trainAndPrune(options(`from-${file}`, recipe, { model, data: path, split }));
    expect(result.layers.every(({ sparsity }) => Math.abs(sparsity - 0.75) < 0.02)).toBe(true);
    const network = await importModel(join(folder, `from-${file}`));
    expect(network.layers.map(({ name }) => name)).toEqual(['dense', 'dense_1', 'dense_2']);
  });

  test('resumed equals unbroken, bit for bit, masks and all', async () => {
    const unbroken = await trainAndPrune(options('whole'));
    const controller = new AbortController();
    const progress = {
      step: (report: { epoch: number; step: number }) => {
        if (report.epoch === 3 && report.step % 10 === 6) controller.abort();
      },
    };
    const broken = trainAndPrune(options('broken', RECIPE, { progress, signal: controller.signal }));
    await expect(broken).rejects.toMatchObject({ code: 'INTERRUPTED', details: { epochsDone: 2 } });
    const resumed = await trainAndPrune(options('broken', RECIPE, { resume: true }));
    expect(resumed.state.history).toEqual(unbroken.state.history);
    expect(modelBytes('broken').equals(modelBytes('whole'))).toBe(true);
    // Another model of the same form, by its path, is another run.
    await expect(
      trainAndPrune(options('broken', RECIPE, { resume: true, model: join(folder, 'whole') })),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('the model is another one than the run of'),
    });
  });

  test('early stopping waits for the target', async () => {
    // Nothing gets better at such a rate: patience 1 would end a run in its second epoch.
    const recipe = { ...RECIPE, epochs: 6, ramp: 4, learningRate: 1e-30, weightDecay: 0, patience: 1 };
    const { state, sparsity } = await trainAndPrune(options('early', recipe));
    expect(sparsity).toBeCloseTo(0.75, 2);
    expect(state.best!.epoch).toBe(5);
    expect(state.history).toHaveLength(6);
  });

  test('a sparse model goes on from the sparsity that it has', async () => {
    const again = { ...RECIPE, sparsity: 0.875 };
    const { state, sparsity } = await trainAndPrune(
      options('further', again, { model: join(folder, 'reaches') }),
    );
    expect(state.history[0]!.sparsity).toBeCloseTo(0.75, 2);
    expect(sparsity).toBeGreaterThan(0.87);
  });

  test('a layer by name is left dense or gets its own sparsity', async () => {
    const recipe: Recipe = { ...RECIPE, perLayer: { output: false, dense_1: 0.5 } };
    const { layers } = await trainAndPrune(options('layers', recipe));
    expect(layers).toMatchObject([
      { name: 'dense_1', sparsity: 0.5 },
      { name: 'dense_2', sparsity: 0.75 },
    ]);
  });

  test('a schedule without its end is refused before training, or warned of', async () => {
    const recipe: Recipe = { ...RECIPE, ramp: 9 };
    await expect(trainAndPrune(options('unreached', recipe))).rejects.toMatchObject({
      code: 'UNREACHED_END',
      exitCode: 2,
      details: { totalSteps: expect.any(Number), endStep: expect.any(Number) },
    });
    const warnings: string[] = [];
    const { sparsity } = await trainAndPrune(
      options(
        'unreached',
        { ...recipe, onUnreachedEnd: 'warn' },
        { progress: { warn: (text) => warnings.push(text) } },
      ),
    );
    expect(warnings.join('\n')).toMatch(/the target sparsity is not reached/);
    expect(sparsity).toBeGreaterThan(0);
    expect(sparsity).toBeLessThan(0.75);
  });

  test('other data, a layer that is not there and a missing model are refused', async () => {
    const other = join(folder, 'other.csv');
    writeFileSync(other, 'y,a\n1,2\n2,3\n');
    await expect(trainAndPrune(options('bad', RECIPE, { data: other }))).rejects.toMatchObject({
      code: 'INVALID_DATA',
    });
    await expect(trainAndPrune(options('bad', { ...RECIPE, perLayer: { nope: 0.5 } }))).rejects.toMatchObject(
      {
        code: 'INVALID_ARGUMENT',
      },
    );
    await expect(
      trainAndPrune(options('bad', RECIPE, { model: join(folder, 'none') })),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('the plan', () => {
  const layers = [
    { name: 'a', weights: 1000, present: 0 },
    { name: 'b', weights: 3, present: 0 },
  ];

  test('warm-up, ramp and fine-tuning in steps; the last update meets the end', () => {
    const plan = planPruning({ sparsity: 0.75, epochs: 35, warmUp: 3, frequency: 7 }, 124, layers);
    expect(plan).toMatchObject({ totalEpochs: 38, totalSteps: 4712, endStep: Math.round(20.5 * 124) });
    expect(plan.beginStep).toBeGreaterThan(3 * 124);
    expect((plan.endStep - plan.beginStep) % 7).toBe(0);
    expect(plan.scheduleTo(0.75).at(plan.endStep)).toEqual({ shouldPrune: true, sparsity: 0.75 });
  });

  test('an end that updates miss is refused, unless pruning is exact', () => {
    const recipe: Recipe = { sparsity: 0.75, epochs: 10, beginStep: 1, endStep: 100, frequency: 40 };
    expect(() => planPruning(recipe, 20, layers)).toThrow(/last at step 81 with sparsity 0.7/);
    expect(planPruning({ ...recipe, exact: true }, 20, layers).endStep).toBe(100);
  });

  test.each([
    [{ epochs: 2, ramp: 2, patience: 5 }, /early stopping cannot fire: 0 epochs/],
    [{ epochs: 10, patience: 2 }, /early stopping counts from epoch 5 on/],
    [{ epochs: 2, frequency: 20, beginStep: 1, endStep: 21 }, /sparsity comes in big jumps/],
    [{ epochs: 10, learningRate: 1e-6 }, /too small to recover/],
    [{ epochs: 10, sparsity: 0.9 }, /layer b has 3 weights/],
  ])('warns of the trap in %o', (recipe, message) => {
    const plan = planPruning({ sparsity: 0.75, ...recipe }, 20, layers);
    expect(plan.warnings.join('\n')).toMatch(message);
    expect(describePlan(plan)).toContain('warning: ');
  });

  test('a dry run draws the schedule and lists the layers, and writes nothing', async () => {
    const text = describePlan(await planRun(options('dry')));
    expect(text).toMatch(/polynomial schedule to sparsity 0.75: steps \d+ to \d+ of \d+/);
    expect(text).toContain('█');
    expect(text).toMatch(/dense_1\s+448\s+0.0000\s+0.7500\s+112/);
    expect(readdirSync(folder)).not.toContain('dry');
  });
});

describe('recipes', () => {
  test('YAML and JSON', async () => {
    const yaml = join(folder, 'r.yaml');
    writeFileSync(yaml, 'sparsity: 0.75\nepochs: 35\nwarmUp: 3\nperLayer:\n  output: false\n');
    const recipe = { sparsity: 0.75, epochs: 35, warmUp: 3, perLayer: { output: false } };
    expect(await readRecipe(yaml)).toEqual(recipe);
    const json = join(folder, 'r.json');
    writeFileSync(json, JSON.stringify(recipe));
    expect(await readRecipe(json)).toEqual(recipe);
  });

  test.each([
    [{ sparsity: 1 }, /sparsity/],
    [{ sparsity: -0.1 }, /sparsity/],
    [{ sparsity: '0.5' }, /sparsity/],
    [{ sparsity: 0.5, epoch: 3 }, /epoch/],
    [{ epochs: 1.5 }, /epochs/],
    [{ perLayer: { a: 1 } }, /perLayer/],
    [{ schedule: 'magic' }, /schedule/],
    [null, /recipe/],
    [[], /recipe/],
  ])('%j is refused, naming what is wrong', (value, message) => {
    expect(() => parseRecipe(value)).toThrow(message);
    try {
      parseRecipe(value);
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_RECIPE', exitCode: 2 });
    }
  });

  test('a file that does not parse, and one that is not there', async () => {
    const path = join(folder, 'bad.yaml');
    writeFileSync(path, 'a: [1');
    await expect(readRecipe(path)).rejects.toMatchObject({ code: 'INVALID_RECIPE' });
    await expect(readRecipe(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('the published schema is that of the code', () => {
    const published = JSON.parse(
      readFileSync(new URL('../../schemas/recipe-1.json', import.meta.url), 'utf8'),
    );
    expect(published).toEqual(JSON.parse(JSON.stringify(recipeJsonSchema())));
  });
});

describe('frozen layers', () => {
  const table = join(folder, 'frozen.csv');
  const frozenModel = join(folder, 'frozen-model');
  const split = { ...TRAIN_DEFAULTS.split };
  const recipe = { ...RECIPE, batchSize: 16 };
  const run = (output: string, more: Recipe = {}) =>
    options(output, { ...recipe, ...more }, { model: frozenModel, data: table, split });
  const said = expect.objectContaining({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/base \(0 % of 75 %\).*--frozen prune or --frozen keep/),
  });

  /** A base that is frozen, with a BatchNormalization that has seen other data, and a head. */
  beforeAll(async () => {
    const columns = Array.from({ length: 6 }, (_, i) => `x${i}`);
    const lines = Array.from({ length: 200 }, (_, row) => {
      const x = columns.map((_name, i) => 3 + 2 * Math.sin(row * (i + 1)));
      return [x[2]! - x[5]! / 3, ...x].map((value) => value.toFixed(5)).join(',');
    });
    writeFileSync(table, [['y', ...columns].join(','), ...lines].join('\n'));
    const tensorflow = await loadTensorFlow();
    const { tf } = tensorflow;
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ name: 'base', units: 16, inputShape: [6], trainable: false }),
        tf.layers.batchNormalization({ name: 'norm', trainable: false }),
        tf.layers.dense({ name: 'head', units: 8, activation: 'tanh' }),
        tf.layers.dense({ name: 'output', units: 1 }),
      ],
    });
    await saveLayersModel(tensorflow, model, frozenModel);
    model.dispose();
  });

  const valuesOf = async (path: string, layer: string) => {
    const model = await loadLayersModel(await loadTensorFlow(), path);
    return model
      .getLayer(layer)
      .getWeights()
      .map((weight) => [...weight.dataSync()]);
  };

  test('that keep a run from its sparsity are refused by name, in training, dry run and one-shot', async () => {
    await expect(trainAndPrune(run('frozen-none'))).rejects.toThrow(said);
    await expect(planRun(run('frozen-none'))).rejects.toThrow(said);
    const once = { ...run('frozen-none', { oneShot: true }), model: frozenModel };
    await expect(planPruneOnce({ ...once, data: undefined, target: undefined })).rejects.toThrow(said);
    await expect(pruneOnce({ ...once, data: undefined, target: undefined })).rejects.toThrow(said);
  });

  test('keep their weights and statistics, and the dry run says so', async () => {
    const plan = await planRun(run('frozen-keep', { frozen: 'keep' }));
    expect(plan.warnings.join()).toMatch(/frozen layers keep .*base, norm \(with its stored statistics\)/);
    expect(plan.layers.find(({ name }) => name === 'base')).toMatchObject({ present: 0, target: 0 });
    const { layers } = await trainAndPrune(run('frozen-keep', { frozen: 'keep' }));
    expect(layers.map(({ name, sparsity }) => [name, sparsity])).toEqual([
      ...[
        ['base', 0],
        ['head', 0.75],
        ['output', 0.75],
      ],
    ]);
    for (const layer of ['base', 'norm']) {
      expect(await valuesOf(join(folder, 'frozen-keep'), layer)).toEqual(await valuesOf(frozenModel, layer));
    }
  });

  test('are pruned all the same, and not trained, where that is said', async () => {
    const { layers, sparsity } = await trainAndPrune(run('frozen-prune', { frozen: 'prune' }));
    expect(layers).toHaveLength(3);
    expect(sparsity).toBeCloseTo(0.75, 2);
    const [kernel] = await valuesOf(frozenModel, 'base');
    const [pruned] = await valuesOf(join(folder, 'frozen-prune'), 'base');
    expect(pruned!.every((value, i) => value === 0 || value === kernel![i])).toBe(true);
    const once = { ...run('frozen-once', { frozen: 'prune', oneShot: true }), model: frozenModel };
    const shot = await pruneOnce({ ...once, data: undefined, target: undefined });
    expect(shot.sparsity).toBeCloseTo(0.75, 2);
  });

  test('an .esp file names the command that makes a model of it', async () => {
    writeFileSync(join(folder, 'some.esp'), 'weights');
    await expect(trainAndPrune({ ...run('esp'), model: join(folder, 'some.esp') })).rejects.toThrow(
      /`espalier export .*some.esp FOLDER`/,
    );
  });
});
