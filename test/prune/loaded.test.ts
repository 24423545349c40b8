/** Models as `tf.loadLayersModel` gives them: not compiled, a Sequential "unbuilt" until it is. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConstantSparsity, pruneLowMagnitude, resumePruning, type Pruned } from '../../src/prune.js';
import { largestDifference, toyData, toyModel } from './models.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'espalier-loaded-'))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

const functional = (units = 1) => {
  const input = tf.input({ shape: [8] });
  const hidden = tf.layers.dense({ units: 12, activation: 'relu', name: 'h' }).apply(input);
  const output = tf.layers.dense({ units, name: 'o' }).apply(hidden) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: output });
};

const MODELS: Record<string, () => tf.LayersModel> = {
  sequential: () => toyModel(),
  'sequential with an InputLayer': () =>
    tf.sequential({
      layers: [tf.layers.inputLayer({ inputShape: [8] }), tf.layers.dense({ units: 1, name: 'd' })],
    }),
  functional,
  'functional around sequential': () => {
    const inner = tf.sequential({
      name: 'inner',
      layers: [tf.layers.dense({ units: 6, inputShape: [8], name: 'deep' })],
    });
    const input = tf.input({ shape: [8] });
    const output = tf.layers.dense({ units: 1, name: 'out' }).apply(inner.apply(input));
    return tf.model({ inputs: input, outputs: output as tf.SymbolicTensor });
  },
  'sequential around functional': () =>
    tf.sequential({ layers: [functional(4), tf.layers.dense({ units: 1, name: 'out' })] }),
};

async function loaded(make: () => tf.LayersModel): Promise<tf.LayersModel> {
  let artifacts: Parameters<typeof tf.io.fromMemory>[0] | undefined;
  const handler = tf.io.withSaveHandler(async (given) => {
    artifacts = given;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await make().save(handler);
  return tf.loadLayersModel(tf.io.fromMemory(artifacts!));
}

const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const schedule = new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency: 1 });
const compile = (model: tf.LayersModel) =>
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });

/** Each way to train: four steps. */
const WAYS: Record<string, (p: Pruned, x: tf.Tensor, y: tf.Tensor) => Promise<unknown>> = {
  'p.fit': (p, x, y) => p.fit(x, y, { ...quiet, epochs: 1 }),
  'p.fitDataset': (p, x, y) => {
    const [xs, ys] = [x, y].map((t) => tf.data.array(t.arraySync() as number[][]));
    const rows = tf.data.zip({ xs: xs!, ys: ys! }).batch(16);
    return p.fitDataset(rows, { epochs: 1, verbose: 0, batchesPerEpoch: 4 });
  },
  'p.trainOnBatch': async (p, x, y) => {
    for (let at = 0; at < 64; at += 16) await p.trainOnBatch(x.slice(at, 16), y.slice(at, 16));
  },
  'model.fit with p.callback()': (p, x, y) =>
    p.model.fit(x, y, { ...quiet, epochs: 1, callbacks: [p.callback()] as never }),
};

describe.each(Object.entries(MODELS))('a loaded model, %s', (_, make) => {
  it.each(['before', 'after'])('compiled %s pruning: every way to train gives the same', async (when) => {
    const { x, y } = toyData();
    const answers: Float32Array[] = [];
    const start = await loaded(make);
    for (const way of Object.values(WAYS)) {
      const model = await loaded(() => start);
      if (when === 'before') compile(model);
      const p = pruneLowMagnitude(model, { schedule });
      if (when === 'after') compile(model);
      await way(p, x, y);
      expect(p.state().step).toBe(4);
      expect(p.state().weights.every(({ sparsity }) => sparsity === 0.5)).toBe(true);
      answers.push((p.strip().predict(x) as tf.Tensor).dataSync() as Float32Array);
    }
    for (const answer of answers) expect(largestDifference(answer, answers[0]!)).toBe(0);
  });

  it('goes on from disk to the same numbers', async () => {
    const { x, y } = toyData();
    const model = await loaded(make);
    compile(model);
    const p = pruneLowMagnitude(model, { schedule });
    await p.fit(x, y, { ...quiet, epochs: 2 });
    await p.save(folder);
    const resumed = await resumePruning(folder);
    expect(resumed.layers).toEqual(p.layers);
    await p.fit(x, y, { ...quiet, epochs: 2 });
    await resumed.fit(x, y, { ...quiet, epochs: 2 });
    const [a, b] = [p, resumed].map((q) => (q.strip().predict(x) as tf.Tensor).dataSync());
    expect(largestDifference(a!, b!)).toBe(0);
  });
});

describe('what hangs together', () => {
  it('a model that cannot be pruned as asked is left as it was', async () => {
    const model = toyModel();
    const before = model.fit.toString();
    const options = {
      schedule: new ConstantSparsity({ targetSparsity: 0.5, beginStep: 100 }),
      totalSteps: 10,
    };
    expect(() => pruneLowMagnitude(model, options)).toThrow(/beginStep 100 is not reached/);
    expect(model.fit.toString()).toBe(before);
    expect(() => pruneLowMagnitude(model, { schedule })).not.toThrow();
  });

  it('a layer of a model that is being pruned is not pruned by a second one', () => {
    const model = toyModel();
    const p = pruneLowMagnitude(model, { schedule });
    const part = tf.model({
      inputs: model.inputs,
      outputs: model.getLayer('d1').output,
    });
    expect(() => pruneLowMagnitude(part, { schedule })).toThrow(/layer "d1".*being pruned already/);
    p.release();
    expect(() => pruneLowMagnitude(part, { schedule })).not.toThrow();
  });
});
