/** One notion of frozen, Keras's: in training, pruning, one-shot and what is handed out. */
import * as tf from '@tensorflow/tfjs-node';
import { afterEach, describe, expect, it } from 'vitest';
import { importLayersModel } from '../../src/import/index.js';
import {
  ConstantSparsity,
  PolynomialDecay,
  pruneLowMagnitude,
  pruneOneShot,
  sensitivityScan,
  toLayersModel,
  type PruneOptions,
} from '../../src/prune.js';
import { largestDifference, toyData, toyModel } from './models.js';

const every = (targetSparsity = 0.5) => new ConstantSparsity({ targetSparsity, beginStep: 1, frequency: 1 });
const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const valuesOf = (tensor: tf.Tensor) => Float32Array.from(tensor.dataSync());
const zeros = (values: Float32Array) => values.filter((v) => v === 0).length / values.length;
const said = expect.objectContaining({
  code: 'INVALID_ARGUMENT',
  details: expect.objectContaining({ parameter: 'frozen' }),
});

afterEach(() => void tf.disposeVariables());

/** A base of two layers that is frozen as a model, and a head of the same shapes. */
function transfer(deep = false) {
  const input = tf.input({ shape: [8] });
  const inner = tf.layers.dense({ name: 'inner', units: 8, activation: 'tanh' });
  let x = inner.apply(input) as tf.SymbolicTensor;
  x = tf.layers.dense({ name: 'outer', units: 8, activation: 'tanh' }).apply(x) as tf.SymbolicTensor;
  let base = tf.model({ inputs: input, outputs: x, name: 'base' });
  if (deep) {
    const around = tf.input({ shape: [8] });
    base = tf.model({ inputs: around, outputs: base.apply(around) as tf.SymbolicTensor, name: 'around' });
  }
  base.trainable = false;
  const model = tf.sequential({
    layers: [
      base,
      tf.layers.dense({ name: 'head', units: 8, activation: 'tanh' }),
      tf.layers.dense({ name: 'out', units: 1 }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
  return { model, inner };
}

describe('a run that misses its sparsity for what is frozen', () => {
  it('is refused by name, before training, and in every function that prunes', async () => {
    const { model } = transfer();
    expect(() => pruneLowMagnitude(model, { schedule: every() })).toThrow(said);
    expect(() => pruneLowMagnitude(model, { schedule: every() })).toThrow(/base\/inner.*frozen: 'prune'/);
    expect(() => pruneOneShot(model, { sparsity: 0.5 })).toThrow(said);
    const network = await importLayersModel(model);
    const frozen = network.layers.filter(({ training }) => training?.trainable === false);
    if (frozen.length > 0) expect(() => pruneOneShot(network, { sparsity: 0.5 })).toThrow(said);
    // What needs no zeros of them is not.
    expect(() => pruneLowMagnitude(model, { schedule: every(0), onWarning: () => undefined })).not.toThrow();
  });

  it.each([false, true])(
    "'keep' leaves them, 'prune' prunes them all the same (nested twice: %s)",
    async (deep) => {
      const { x, y } = toyData();
      for (const frozen of ['keep', 'prune'] as const) {
        const { model, inner } = transfer(deep);
        const before = valuesOf(inner.getWeights()[0]!);
        const warnings: string[] = [];
        const p = pruneLowMagnitude(model, { schedule: every(), frozen, onWarning: (w) => warnings.push(w) });
        expect(warnings.join()).toMatch(/frozen layers .*inner/);
        await p.fit(x, y, { ...quiet, epochs: 3 });
        const after = valuesOf(inner.getWeights()[0]!);
        expect(zeros(after)).toBe(frozen === 'prune' ? 0.5 : 0);
        // Never trained: what is left is what was there.
        expect(after.every((value, i) => value === 0 || value === before[i])).toBe(true);
        const stripped = p.strip();
        expect(zeros(valuesOf(stripped.getLayer('head').getWeights()[0]!))).toBe(0.5);
        const shot = pruneOneShot(transfer(deep).model, { sparsity: 0.5, frozen });
        expect(zeros(valuesOf(shot.getLayer('head').getWeights()[0]!))).toBe(0.5);
        expect(zeros(valuesOf(shot.layers[0]!.getWeights()[0]!))).toBe(frozen === 'prune' ? 0.5 : 0);
      }
    },
  );

  it('is asked about again where layers are frozen after pruning began', async () => {
    const { x, y } = toyData();
    const model = toyModel();
    const p = pruneLowMagnitude(model, { schedule: every() });
    model.getLayer('d1').trainable = false;
    await expect(p.fit(x, y, { ...quiet, epochs: 1 })).rejects.toThrow(said);
    expect(p.state().step).toBe(0);
    await expect(p.trainOnBatch(x, y)).rejects.toThrow(said);
  });

  it('is told when a layer is unfrozen that was frozen while its masks were due', async () => {
    const { x, y } = toyData();
    const model = toyModel();
    model.getLayer('d1').trainable = false;
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const warnings: string[] = [];
    const options: PruneOptions = {
      schedule: new PolynomialDecay({
        ...{ initialSparsity: 0, finalSparsity: 0.5, beginStep: 0, endStep: 4, frequency: 1 },
      }),
      frozen: 'keep',
      onWarning: (w) => warnings.push(w),
    };
    const p = pruneLowMagnitude(model, options);
    await p.fit(x, y, { ...quiet, epochs: 2 });
    model.getLayer('d1').trainable = true;
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    await p.trainOnBatch(x, y);
    expect(warnings.at(-1)).toMatch(/step 9: d1 was frozen while the schedule ran/);
    expect(() => p.strip()).toThrow(/frozen until then/);
  });

  it('a scan leaves out what is kept', async () => {
    const { model } = transfer();
    const scan = (frozen: 'keep' | 'prune') =>
      sensitivityScan(model, { evaluate: () => 1, sparsities: [0.5], frozen });
    expect((await scan('keep')).layers.map(({ layer }) => layer)).toEqual(['head', 'out']);
    expect((await scan('prune')).layers).toHaveLength(4);
  });
});

describe('a frozen BatchNormalization', () => {
  const build = () => {
    const norm = tf.layers.batchNormalization({ name: 'norm', momentum: 0.5 });
    const base = tf.sequential({
      name: 'base',
      layers: [tf.layers.dense({ name: 'd', units: 6, inputShape: [8] }), norm],
    });
    const model = tf.sequential({ layers: [base, tf.layers.dense({ name: 'head', units: 1 })] });
    return { base, norm, model };
  };
  const { x } = toyData();
  const shifted = x.mul(2).add(3);
  const y = shifted.sum(1, true);

  it.each(['layer', 'model'] as const)(
    'by its %s, keeps its statistics and computes with them',
    async (how) => {
      const { base, norm, model } = build();
      if (how === 'model') base.trainable = false;
      else norm.trainable = false;
      model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
      const before = valuesOf(model.predict(shifted) as tf.Tensor);
      const loss = valuesOf(model.evaluate(shifted, y) as tf.Scalar)[0]!;
      const warnings: string[] = [];
      const p = pruneLowMagnitude(model, { schedule: every(0), onWarning: (w) => warnings.push(w) });
      expect(warnings.join()).toMatch(/base\/norm \(with its stored statistics\)/);
      const teacher = p.strip();
      const { history } = await p.fit(shifted, y, { ...quiet, epochs: 2 });
      // In training too: the loss at learning rate 0 is that of inference.
      expect(history['loss']![0]).toBeCloseTo(loss, 3);
      await p.fit(shifted, y, { ...quiet, epochs: 2, distillation: { teacher } });
      await p.trainOnBatch(shifted, y);
      expect(largestDifference(valuesOf(model.predict(shifted) as tf.Tensor), before)).toBe(0);
      const copy = p.strip();
      await copy.fit(shifted, y, { ...quiet, epochs: 1 });
      expect(largestDifference(valuesOf(copy.predict(shifted) as tf.Tensor), before)).toBe(0);
    },
  );

  it('learns where it is not frozen, and again once p is released', async () => {
    const { norm, model } = build();
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    const mean = () => valuesOf(norm.getWeights().at(-2)!);
    let before = mean();
    const p = pruneLowMagnitude(model, { schedule: every(0), onWarning: () => undefined });
    await p.fit(shifted, y, { ...quiet, epochs: 1 });
    expect(largestDifference(mean(), before)).toBeGreaterThan(0);
    p.release();
    norm.trainable = false;
    before = mean();
    // tfjs's own behaviour, which is no longer ours to change.
    await model.fit(shifted, y, { ...quiet, epochs: 1 });
    expect(largestDifference(mean(), before)).toBeGreaterThan(0);
  });

  it('is held by toLayersModel, whoever trains', async () => {
    const { norm, base, model } = build();
    norm.trainable = false;
    base.layers[0]!.trainable = false;
    const made = await toLayersModel(await importLayersModel(model));
    made.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    const before = valuesOf(made.predict(shifted) as tf.Tensor);
    await made.fit(shifted, y, { ...quiet, epochs: 2 });
    expect(largestDifference(valuesOf(made.predict(shifted) as tf.Tensor), before)).toBe(0);
  });
});
