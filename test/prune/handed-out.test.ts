/** What strip, pruneOneShot and resumePruning hand out is verified itself; what cannot be is an error in our words. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConstantSparsity, pruneLowMagnitude, pruneOneShot, resumePruning } from '../../src/prune.js';
import { largestDifference, toyData, toyModel } from './models.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'espalier-handed-'))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

const every = (frequency = 1) => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency });
const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const valuesOf = (tensor: unknown) => Float32Array.from((tensor as tf.Tensor).dataSync());
const failed = (message: RegExp) =>
  expect.objectContaining({ code: 'TRAINING_FAILED', message: expect.stringMatching(message) });

/** A layer that computes with a number that its config does not tell. */
class Forgetful extends tf.layers.Layer {
  static className = 'ForgetfulOfTest';
  factor = 1;
  override call(x: tf.Tensor | tf.Tensor[]) {
    return tf.mul(Array.isArray(x) ? x[0]! : x, this.factor);
  }
}

describe('what is handed out', () => {
  it('goes by layer and name: a frozen model inside of one whose layers have the same shapes', async () => {
    const { x } = toyData();
    const input = tf.input({ shape: [8] });
    const base = tf.model({
      inputs: input,
      outputs: tf.layers.dense({ units: 8, name: 'same' }).apply(input) as tf.SymbolicTensor,
      name: 'base',
    });
    base.trainable = false;
    const outer = tf.input({ shape: [8] });
    const inside = base.apply(outer) as tf.SymbolicTensor;
    const output = tf.layers.dense({ units: 8, name: 'same' }).apply(inside) as tf.SymbolicTensor;
    const model = tf.model({ inputs: outer, outputs: output });
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    const p = pruneLowMagnitude(model, { schedule: every(), frozen: 'keep', onWarning: () => undefined });
    await p.fit(x, x.mul(2), { ...quiet, epochs: 3 });
    const wanted = valuesOf(model.predict(x));
    const stripped = p.strip();
    expect(largestDifference(valuesOf(stripped.predict(x)), wanted)).toBe(0);
    expect((stripped.layers[1] as unknown as tf.LayersModel).trainable).toBe(false);
    await p.save(join(folder, 'nested'));
    const q = await resumePruning(join(folder, 'nested'), { onWarning: () => undefined });
    expect(largestDifference(valuesOf(q.model.predict(x)), wanted)).toBe(0);
    expect(q.model.trainableWeights).toHaveLength(2);
    const same = pruneOneShot(model, { sparsity: 0 });
    expect(largestDifference(valuesOf(same.predict(x)), wanted)).toBe(0);
  });

  it('answers as its source does, or is not handed out', async () => {
    const odd = new Forgetful({ name: 'odd' });
    odd.factor = 3;
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 4, inputShape: [8] }), odd, tf.layers.dense({ units: 1 })],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const p = pruneLowMagnitude(model, { schedule: every() });
    const { x, y } = toyData();
    await p.fit(x, y, { ...quiet, epochs: 1 });
    const wanted = valuesOf(model.predict(x));
    const differs = expect.objectContaining({
      code: 'INVALID_MODEL',
      message: expect.stringMatching(/answers otherwise.*getConfig/),
    });
    expect(() => p.strip()).toThrow(differs);
    expect(() => pruneOneShot(model, { sparsity: 0.5 })).toThrow(differs);
    expect(largestDifference(valuesOf(model.predict(x)), wanted)).toBe(0);
    await p.save(join(folder, 'still'));
  });

  it.each([1, 100])('has no NaN: told in the step that made it (frequency %i)', async (frequency) => {
    const { x, y } = toyData();
    const rows = x.arraySync() as number[][];
    rows[50]![2] = NaN;
    const p = pruneLowMagnitude(toyModel(), { schedule: every(frequency), totalSteps: 200 });
    const bad = tf.tensor2d(rows);
    await expect(p.fit(bad, y, { ...quiet, epochs: 2 })).rejects.toThrow(
      failed(/loss is NaN in epoch 1, step 4; layer "d1": its kernel has become NaN/),
    );
    expect(() => p.strip()).toThrow(failed(/d1\/kernel \(.* of 128\)/));
    await expect(p.trainOnBatch(bad, y)).rejects.toThrow(failed(/NaN/));
  });

  it('has no infinity where no loss has told of one', () => {
    const model = toyModel();
    model.getLayer('d2').setWeights([tf.fill([16, 1], 1), tf.tensor1d([Infinity])]);
    const p = pruneLowMagnitude(model, { schedule: every() });
    expect(() => p.strip()).toThrow(failed(/d2\/bias \(1 of 1\)/));
    expect(() => pruneOneShot(model, { sparsity: 0.5 })).toThrow(failed(/d2\/bias/));
  });

  it('leaves no tensors behind', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: every() });
    await p.fit(x, y, { ...quiet, epochs: 1 });
    p.strip().dispose();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) p.strip().dispose();
    pruneOneShot(p.model, { sparsity: 0.5 }).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps its metrics and loss on resume, in every form that has names', async () => {
    const { x, y } = toyData();
    const forms = [
      { loss: 'meanSquaredError', metrics: ['mse', 'mae'] },
      { loss: ['meanSquaredError'], metrics: [tf.metrics.meanAbsoluteError] },
      { loss: { d2: 'meanSquaredError' }, metrics: { d2: 'mae' } },
    ];
    for (const [i, form] of forms.entries()) {
      const model = toyModel();
      model.compile({ optimizer: 'sgd', ...form });
      const p = pruneLowMagnitude(model, { schedule: every() });
      const { history } = await p.fit(x, y, { ...quiet, epochs: 1 });
      await p.save(join(folder, `form-${i}`));
      const q = await resumePruning(join(folder, `form-${i}`));
      expect(Object.keys((await q.fit(x, y, { ...quiet, epochs: 1 })).history)).toHaveLength(
        Object.keys(history).length,
      );
    }
    const model = toyModel();
    const own = (a: tf.Tensor, b: tf.Tensor) => a.sub(b).abs().max();
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError', metrics: [own] });
    await pruneLowMagnitude(model, { schedule: every() }).save(join(folder, 'own'));
    await expect(resumePruning(join(folder, 'own'))).rejects.toThrow(/metrics: expected the metrics/);
    await expect(resumePruning(join(folder, 'own'), { metrics: [own] })).resolves.toBeDefined();
  });
});
