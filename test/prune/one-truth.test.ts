/** Weights are the same whoever reads them; models around, beside and inside the pruned one; what is passed over. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromLayersModel, loadModel } from '../../src/index.js';
import { ConstantSparsity, pruneLowMagnitude, pruneOneShot, resumePruning } from '../../src/prune.js';
import { largestDifference, toyData, toyModel } from './models.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'espalier-truth-'))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

const every = (frequency = 1) => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency });
const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const valuesOf = (tensor: unknown) => Float32Array.from((tensor as tf.Tensor).dataSync());
const zeros = (values: Float32Array) => values.filter((v) => v === 0).length / values.length;

describe('between steps', () => {
  it.each([1, 3])('all ways to look see masked weights (frequency %i)', async (frequency) => {
    const { x, y } = toyData();
    const model = toyModel({ rate: 0.1 });
    const input = tf.input({ shape: [8] });
    const around = tf.model({
      inputs: input,
      outputs: (model as unknown as tf.layers.Layer).apply(input) as tf.SymbolicTensor,
    });
    const p = pruneLowMagnitude(model, { schedule: every(frequency) });
    const look = () => {
      const wanted = valuesOf(model.predict(x));
      for (const other of [model.predictOnBatch(x), model.apply(x), around.predict(x)]) {
        expect(largestDifference(valuesOf(other), wanted)).toBe(0);
      }
      const kernel = model.layers[0]!.weights[0]!.read();
      expect(zeros(valuesOf(kernel))).toBe(0.5);
      expect(zeros(valuesOf(model.getWeights()[0]))).toBe(0.5);
      expect(zeros(valuesOf(model.layers[0]!.getWeights()[0]))).toBe(0.5);
    };
    for (let i = 0; i < 5; i++) {
      await p.trainOnBatch(x, y);
      look();
    }
    const seen: number[] = [];
    const onBatchEnd = async () => {
      look();
      seen.push(1);
    };
    await p.fit(x, y, { ...quiet, epochs: 1, callbacks: { onBatchEnd } });
    expect(seen).toHaveLength(4);
  });

  it('what somebody writes stays, and what the optimizer made of masked weights comes back otherwise', async () => {
    const { x, y } = toyData();
    const run = async (look: boolean) => {
      const model = toyModel({ rate: 0.1 });
      const p = pruneLowMagnitude(model, { schedule: every() });
      for (let i = 0; i < 6; i++) {
        await p.trainOnBatch(x, y);
        if (look) model.predict(x);
      }
      return { model, p, masks: p.state().weights.map(({ mask }) => mask.join('')) };
    };
    const [a, b] = [await run(true), await run(false)];
    expect(a.masks).toEqual(b.masks);
    const first = (await run(false)).p;
    const before = first.state().weights[0]!.mask.join('');
    expect(before).toBe(a.masks[0]);
    a.model.layers[0]!.setWeights([tf.ones([8, 16]), tf.zeros([16])]);
    await a.p.trainOnBatch(x, y);
    // All ones are ties, which are all kept.
    expect(a.p.state().weights[0]!.sparsity).toBe(0);
  });
});

describe('another model trains', () => {
  it('the one around the pruned one: pruned all the same, and told once', async () => {
    const inner = tf.sequential({
      name: 'encoder',
      layers: [tf.layers.dense({ units: 4, inputShape: [8], name: 'd' })],
    });
    const warnings: string[] = [];
    const p = pruneLowMagnitude(inner, { schedule: every(), onWarning: (w) => warnings.push(w) });
    const outer = tf.sequential({
      layers: [inner, tf.layers.dense({ units: 1 })],
    });
    outer.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    const { x, y } = toyData();
    const seen: number[] = [];
    const onBatchEnd = async () => void seen.push(zeros(valuesOf(outer.getWeights()[0])));
    await outer.fit(x, y, { ...quiet, epochs: 2, callbacks: { onBatchEnd } });
    expect(p.state().step).toBe(8);
    expect(seen).toEqual(Array(8).fill(0.5));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/"encoder": another model trains it, or a loop/);
    expect(zeros(valuesOf(p.strip().getWeights()[0]))).toBe(0.5);
    expect(() => p.attach(outer)).toThrow(/"encoder" is the model of this p/);
    await outer.fit(x, y, { ...quiet, epochs: 1, callbacks: [p.callback()] as never });
    expect(p.state().step).toBe(12);
  });

  it('layers that no model was attached for: told in the first step', async () => {
    const d = tf.layers.dense({ units: 4, inputShape: [8], name: 'd' });
    const warnings: string[] = [];
    pruneLowMagnitude([d], { schedule: every(), onWarning: (w) => warnings.push(w) });
    const model = tf.sequential({ layers: [d, tf.layers.dense({ units: 1 })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, y } = toyData();
    await model.trainOnBatch(x, y);
    expect(warnings).toEqual([expect.stringMatching(/layers d are trained and not pruned: p.attach/)]);
  });
});

describe('layers that do not stop a model', () => {
  it('with nothing to prune are passed over', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.rescaling({ scale: 0.5, inputShape: [8] }),
        tf.layers.dense({ units: 8, name: 'd' }),
        tf.layers.prelu(),
        tf.layers.dense({ units: 1, name: 'e' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, y } = toyData();
    const p = pruneLowMagnitude(model, { schedule: every() });
    await p.fit(x, y, { ...quiet, epochs: 1 });
    expect(p.state().weights.map(({ layer }) => layer)).toEqual(['d', 'e']);
    expect(zeros(valuesOf(p.strip().getLayer('d').getWeights()[0]))).toBe(0.5);
    expect(zeros(valuesOf(pruneOneShot(model, { sparsity: 0.5 }).getLayer('e').getWeights()[0]))).toBe(0.5);
  });

  it('wrappers are pruned by what they wrap, stripped, saved and resumed', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.bidirectional({
          layer: tf.layers.lstm({ units: 4, returnSequences: true }),
          inputShape: [3, 4],
          name: 'both',
        }),
        tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 4 }), name: 'each' }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 1, name: 'd' }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    const x = tf.randomNormal([16, 3, 4], 0, 1, 'float32', 3);
    const y = x.sum([1, 2]).reshape([16, 1]);
    const p = pruneLowMagnitude(model, { schedule: every() });
    await p.fit(x, y, { ...quiet, epochs: 2 });
    expect(p.state().weights.map(({ layer, name, sparsity }) => `${layer}/${name} ${sparsity}`)).toEqual([
      ...['both/forward/kernel 0.5', 'both/forward/recurrent_kernel 0.5', 'both/backward/kernel 0.5'],
      ...['both/backward/recurrent_kernel 0.5', 'each/layer/kernel 0.5', 'd/kernel 0.5'],
    ]);
    const wanted = valuesOf(model.predict(x));
    const stripped = p.strip();
    expect(largestDifference(valuesOf(stripped.predict(x)), wanted)).toBe(0);
    const engine = await loadModel(await fromLayersModel(stripped));
    const answered = engine.runSync(x.dataSync()) as Float32Array;
    expect(largestDifference(answered, wanted)).toBeLessThan(1e-6);
    await p.save(join(folder, 'wrapped'));
    const q = await resumePruning(join(folder, 'wrapped'));
    expect(largestDifference(valuesOf(q.model.predict(x)), wanted)).toBe(0);
    await p.fit(x, y, { ...quiet, epochs: 1 });
    await q.fit(x, y, { ...quiet, epochs: 1 });
    expect(largestDifference(valuesOf(q.model.predict(x)), valuesOf(model.predict(x)))).toBe(0);
  });
});
