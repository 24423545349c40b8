/**
 * Pruning at sparsity 0 with learning rate 0 changes nothing: weights are bit for bit the same after training, strip,
 * save, resume, one-shot, import and export, by layer and name, whatever is nested, shared or frozen.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportModel, fromLayersModel, loadModel } from '../../src/index.js';
import { importLayersModel } from '../../src/import/index.js';
import {
  ConstantSparsity,
  pruneLowMagnitude,
  pruneOneShot,
  resumePruning,
  toLayersModel,
} from '../../src/prune.js';
import { largestDifference } from './models.js';
import { randomModel, WIDTH } from './random-models.js';

const SEEDS = Number(process.env.ESPALIER_RANDOM_MODELS ?? 20);
let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'espalier-unchanged-'))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

const nothing = () => new ConstantSparsity({ targetSparsity: 0, beginStep: 1, frequency: 1 });
const answers = (model: tf.LayersModel, x: tf.Tensor) =>
  Float32Array.from((model.predict(x) as tf.Tensor).dataSync());

type Inside = { name: string; layers?: Inside[]; weights: { originalName: string; read(): tf.Tensor }[] };

/** Every weight by the names on its way, as hexadecimal. */
function weightsOf(model: object, prefix = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const layer of (model as { layers: Inside[] }).layers) {
    const path = `${prefix}${layer.name}/`;
    if (layer.layers) Object.assign(found, weightsOf(layer, path));
    else {
      for (const { originalName, read } of layer.weights.map((w) => ({
        ...w,
        originalName: w.originalName,
        read: () => w.read(),
      }))) {
        const bytes = Buffer.from(Float32Array.from(read().dataSync()).buffer);
        found[path + originalName.split('/').at(-1)!] = bytes.toString('hex');
      }
    }
  }
  return found;
}

it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('random model %i', async (seed) => {
  const { model, drawn } = randomModel(seed);
  const x = tf.randomNormal([16, WIDTH], 0, 1, 'float32', seed);
  const y = tf.randomNormal([16, WIDTH], 0, 1, 'float32', seed + 1);
  const before = weightsOf(model);
  const wanted = answers(model, x);
  const same = (other: tf.LayersModel, what: string) => {
    expect(weightsOf(other), `weights after ${what} of ${drawn}`).toEqual(before);
    expect(largestDifference(answers(other, x), wanted), `answers after ${what} of ${drawn}`).toBe(0);
  };
  const p = pruneLowMagnitude(model, { schedule: nothing(), onWarning: () => undefined });
  await p.fit(x, y, { epochs: 2, batchSize: 8, verbose: 0 });
  same(model, 'fit');
  const stripped = p.strip();
  same(stripped, 'strip');
  const dir = join(folder, `saved-${seed}`);
  await p.save(dir);
  const resumed = await resumePruning(dir, { onWarning: () => undefined });
  same(resumed.model, 'save and resume');
  await resumed.fit(x, y, { epochs: 1, batchSize: 8, verbose: 0 });
  same(resumed.strip(), 'going on');
  same(pruneOneShot(model, { sparsity: 0 }), 'one-shot');

  // Flat from here on: nested layers have names of their own way.
  const flat = (other: tf.LayersModel) => [...new Set(Object.values(weightsOf(other)))].sort();
  const distinct = [...new Set(Object.values(before))].sort();
  const network = await importLayersModel(stripped);
  const again = await toLayersModel(network);
  expect(flat(again), `weights after import of ${drawn}`).toEqual(distinct);
  expect(largestDifference(answers(again, x), wanted), `import of ${drawn}`).toBeLessThanOrEqual(1e-6);
  const exported = join(folder, `exported-${seed}`);
  await exportModel(network, exported);
  const read = await tf.loadLayersModel(`file://${join(exported, 'model.json')}`);
  expect(flat(read), `weights after export of ${drawn}`).toEqual(distinct);
  const engine = await loadModel(await fromLayersModel(stripped));
  const answered = engine.runSync(x.dataSync()) as Float32Array;
  const scale = Math.max(1, ...wanted.map(Math.abs));
  expect(largestDifference(answered, wanted) / scale, `engine of ${drawn}`).toBeLessThanOrEqual(1e-6);
  p.release();
});

it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'random model %i, pruned, saved and resumed, goes on to the same numbers',
  async (seed) => {
    const { model, drawn } = randomModel(seed);
    const x = tf.randomNormal([16, WIDTH], 0, 1, 'float32', seed);
    const y = tf.randomNormal([16, WIDTH], 0, 1, 'float32', seed + 1);
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError', metrics: ['mae'] });
    const frozen = seed % 2 === 0 ? 'keep' : 'prune';
    const schedule = new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency: 1 + (seed % 3) });
    const p = pruneLowMagnitude(model, { schedule, frozen, onWarning: () => undefined });
    const args = { epochs: 2, batchSize: 8, verbose: 0, shuffle: false } as const;
    await p.fit(x, y, args);
    await p.trainOnBatch(x, y);
    const dir = join(folder, `going-${seed}`);
    await p.save(dir);
    const q = await resumePruning(dir, { onWarning: () => undefined });
    await p.fit(x, y, args);
    await q.fit(x, y, args);
    expect(weightsOf(q.model), `${frozen}: ${drawn}`).toEqual(weightsOf(model));
    const stripped = p.strip();
    expect(largestDifference(answers(stripped, x), answers(model, x))).toBe(0);
    expect(weightsOf(q.strip())).toEqual(weightsOf(stripped));
    p.release();
    q.release();
  },
);
