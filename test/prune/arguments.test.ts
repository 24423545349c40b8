/** Every argument works or throws; nothing is taken and not heeded. */
import * as tf from '@tensorflow/tfjs-node';
import { describe, expect, it } from 'vitest';
import { convertModel, exportModel, fromLayersModel, importModel, loadModel } from '../../src/index.js';
import {
  checkSchedule,
  ConstantSparsity,
  CubicSchedule,
  drawSchedule,
  holdMasks,
  LinearSchedule,
  magnitudeMask,
  OneCycleSchedule,
  planSchedule,
  PolynomialDecay,
  PruneForLatency,
  pruneLowMagnitude,
  pruneOneShot,
  PruningSummaries,
  proposeSparsities,
  resumePruning,
  sensitivityScan,
  toLayersModel,
  WarmUp,
  type Distillation,
} from '../../src/prune.js';
import { createServer } from '../../src/serve.js';
import { directionOf } from '../../src/prune/loop/directions.js';
import { largestDifference, toyData, toyModel } from './models.js';

const every = () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency: 1 });
const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const valuesOf = (tensor: unknown) => Float32Array.from((tensor as tf.Tensor).dataSync());
const odd = { oddOption: 1 } as never;
const span = { initialSparsity: 0, finalSparsity: 0.5, beginStep: 0, endStep: 4, frequency: 1 };
const dataset = () => {
  const { x, y } = toyData();
  const rows = {
    xs: tf.data.array(x.arraySync() as number[][]),
    ys: tf.data.array(y.arraySync() as number[][]),
  };
  return tf.data.zip(rows).batch(16);
};
const { x, y } = toyData();
const p = () => pruneLowMagnitude(toyModel(), { schedule: every() });
const teacher = toyModel();

const CALLS: Record<string, () => unknown> = {
  loadModel: () => loadModel('nowhere.esp', odd),
  convertModel: () => convertModel('nowhere.h5', undefined, odd),
  importModel: () => importModel('nowhere.h5', odd),
  exportModel: () => exportModel('nowhere.h5', 'nowhere', odd),
  fromLayersModel: () => fromLayersModel(toyModel(), odd),
  createServer: () => createServer({ models: [], oddOption: 1 } as never),
  toLayersModel: () => toLayersModel({} as never, odd),
  pruneLowMagnitude: () => pruneLowMagnitude(toyModel(), odd),
  'pruneLowMagnitude, perLayer': () => pruneLowMagnitude(toyModel(), { perLayer: { d1: odd } }),
  holdMasks: () => holdMasks(toyModel(), odd),
  resumePruning: () => resumePruning('nowhere', odd),
  pruneOneShot: () => pruneOneShot(toyModel(), { sparsity: 0.5, oddOption: 1 } as never),
  sensitivityScan: () => sensitivityScan(toyModel(), { evaluate: () => 1, oddOption: 1 } as never),
  proposeSparsities: () => proposeSparsities(1, [], { sparsity: 0, oddOption: 1 } as never),
  fit: () => p().fit(x, y, odd),
  'the model’s own fit': () => p().model.fit(x, y, odd),
  fitDataset: () => p().fitDataset(dataset(), { epochs: 1, oddOption: 1 } as never),
  'fit, distillation': () => p().fit(x, y, { distillation: { teacher, oddOption: 1 } as never }),
  earlyStopping: () => p().earlyStopping(odd),
  PruningSummaries: () => new PruningSummaries({ logDir: 'nowhere', oddOption: 1 } as never),
  PruneForLatency: () => new PruneForLatency(odd),
  ConstantSparsity: () => new ConstantSparsity({ targetSparsity: 0.5, oddOption: 1 } as never),
  PolynomialDecay: () => new PolynomialDecay({ ...span, oddOption: 1 } as never),
  LinearSchedule: () => new LinearSchedule({ ...span, oddOption: 1 } as never),
  CubicSchedule: () => new CubicSchedule({ ...span, oddOption: 1 } as never),
  OneCycleSchedule: () => new OneCycleSchedule({ finalSparsity: 0.5, endStep: 4, oddOption: 1 } as never),
  WarmUp: () => new WarmUp({ schedule: every(), warmUpSteps: 1, oddOption: 1 } as never),
  magnitudeMask: () => magnitudeMask(new Float32Array(4), [4], 0.5, odd),
  checkSchedule: () => checkSchedule(every(), { steps: 4, oddOption: 1 } as never),
  drawSchedule: () => drawSchedule(planSchedule(every(), 4), odd),
};

describe('an option that nobody knows is refused by name', () => {
  it.each(Object.keys(CALLS))('%s', async (name) => {
    const error = await (async () => CALLS[name]!())().then(
      () => null,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(error!.message).toContain('oddOption');
  });

  it.each(['sampleWeight', 'stepsPerEpoch', 'validationSteps'])(
    '%s, which tfjs does not heed',
    async (name) => {
      await expect(p().fit(x, y, { [name]: 2 })).rejects.toThrow(new RegExp(`^${name}: expected nothing`));
    },
  );
});

describe('distillation', () => {
  const labels = x.slice([0, 0], [-1, 3]).argMax(-1).toInt();
  const hot = tf.oneHot(labels, 3).toFloat();
  const classifier = (loss: unknown = 'categoricalCrossentropy') => {
    const dense = (units: number, name: string, seed: number, activation: 'relu' | 'softmax') =>
      tf.layers.dense({
        ...{ units, name, activation, inputShape: [name === 'a' ? 8 : 6] },
        kernelInitializer: tf.initializers.glorotUniform({ seed }),
      });
    const model = tf.sequential({ layers: [dense(6, 'a', 1, 'relu'), dense(3, 'out', 2, 'softmax')] });
    model.compile({ optimizer: tf.train.sgd(0.1), loss: loss as string });
    return model;
  };
  const wise = classifier();
  const distillation: Distillation = { teacher: wise, alpha: 0.7, temperature: 4 };
  const trained = async (loss: unknown, targets: tf.Tensor, args: object = {}) => {
    const q = pruneLowMagnitude(classifier(loss), { schedule: every() });
    await q.fit(x, targets, { ...quiet, epochs: 3, ...args });
    return valuesOf(q.model.predict(x));
  };

  it('works with the loss in every form, sparse labels and datasets alike', async () => {
    await wise.fit(x, hot, { ...quiet, epochs: 20 });
    const wanted = await trained('categoricalCrossentropy', hot, { distillation });
    const plain = await trained('categoricalCrossentropy', hot);
    expect(largestDifference(wanted, plain)).toBeGreaterThan(0.05);
    for (const [loss, targets] of [
      [['categoricalCrossentropy'], hot],
      [{ out: 'categoricalCrossentropy' }, hot],
      [tf.metrics.categoricalCrossentropy, hot],
      ['sparseCategoricalCrossentropy', labels.toFloat()],
      [{ out: 'sparseCategoricalCrossentropy' }, labels.toFloat()],
    ] as const) {
      expect(largestDifference(await trained(loss, targets, { distillation }), wanted)).toBeLessThan(1e-4);
    }
    const q = pruneLowMagnitude(classifier(), { schedule: every() });
    const rows = tf.data.zip({
      xs: tf.data.array(x.arraySync() as number[][]),
      ys: tf.data.array(hot.arraySync() as number[][]),
    });
    await q.fitDataset(rows.batch(16), { epochs: 3, verbose: 0, distillation });
    expect(largestDifference(valuesOf(q.model.predict(x)), wanted)).toBeLessThan(1e-4);
  });

  it('weighs classes, and validates on a split', async () => {
    const without = await trained('categoricalCrossentropy', hot, { distillation });
    const weighed = await trained('categoricalCrossentropy', hot, {
      distillation,
      classWeight: { 0: 1, 1: 1, 2: 20 },
    });
    const share = (values: Float32Array) => values.filter((_, i) => i % 3 === 2).reduce((a, b) => a + b);
    expect(share(weighed)).toBeGreaterThan(share(without) * 1.1);
    const ones = await trained('categoricalCrossentropy', hot, {
      distillation,
      classWeight: { 0: 1, 1: 1, 2: 1 },
    });
    expect(largestDifference(ones, without)).toBeLessThan(1e-5);
    const q = pruneLowMagnitude(classifier(), { schedule: every() });
    const { history } = await q.fit(x, hot, { ...quiet, epochs: 2, distillation, validationSplit: 0.25 });
    // Validation does not ask the teacher: its loss is the model's own.
    const rest = valuesOf(q.model.evaluate(x.slice(48), hot.slice(48)))[0]!;
    expect(history['val_loss']!.at(-1)).toBeCloseTo(rest, 4);
    expect(q.state().step).toBe(6);
  });

  it('refuses a temperature that has no effect', async () => {
    const q = pruneLowMagnitude(toyModel(), { schedule: every() });
    const hotter = { teacher: toyModel(), temperature: 5 };
    await expect(q.fit(x, y, { ...quiet, distillation: hotter })).rejects.toThrow(/temperature/);
  });
});

describe('which way a metric is better', () => {
  it.each([
    ...['val_loss', 'mse', 'val_meanSquaredError', 'out_mae', 'categoricalCrossentropy', 'cosine'].map(
      (name) => [name, 'min'] as const,
    ),
    ...['rmse', 'validationRmse', 'kullbackLeiblerDivergence', 'false_positives'].map(
      (name) => [name, 'min'] as const,
    ),
    ...['val_auc', 'auc_1', 'precision', 'val_recall', 'r2Score', 'r2', 'acc', 'val_out_acc'].map(
      (name) => [name, 'max'] as const,
    ),
    ...['binaryAccuracy', 'top_k_categorical_accuracy', 'F1Score', 'mean_io_u', 'cosine_similarity'].map(
      (name) => [name, 'max'] as const,
    ),
    ['val_myOwnScore', null] as const,
  ])('%s: %s', (name, direction) => {
    expect(directionOf(name)).toBe(direction);
  });

  it('is asked where it is not known', () => {
    expect(() => p().earlyStopping({ monitor: 'val_yield' })).toThrow(/mode: expected 'min' or 'max'/);
    expect(() => p().earlyStopping({ monitor: 'val_yield', mode: 'max' })).not.toThrow();
  });
});
