/**
 * LeNet-300-100, or a small CNN, on real digits: test accuracy dense and pruned, over three seeds.
 *
 *   npm run build:ts && node examples/digits/prune.mjs [--network mlp|cnn] [--epochs 12] [--seeds 1,2,3]
 *     [--scope layer|global] [--sparsities 0.5,0.75,0.9,0.95] [--json FILE] [--save FOLDER]
 *
 * --save keeps the models of the first seed, and the test digits as a table for `espalier bench --data`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-node';
import { CubicSchedule, pruneLowMagnitude } from '../../dist/prune.js';
import { loadDigits, shuffled } from './data.mjs';

const { values } = parseArgs({
  options: {
    network: { type: 'string', default: 'mlp' },
    epochs: { type: 'string', default: '12' },
    seeds: { type: 'string', default: '1,2,3' },
    sparsities: { type: 'string', default: '0.5,0.75,0.9,0.95' },
    scope: { type: 'string', default: 'layer' },
    json: { type: 'string' },
    save: { type: 'string' },
  },
});
const epochs = Number(values.epochs);
const sparsities = values.sparsities.split(',').map(Number);
const BATCH = 64;

const digits = loadDigits();
const imageShape = values.network === 'cnn' ? [28, 28, 1] : [784];
const tensors = Object.fromEntries(
  Object.entries(digits).map(([name, { images, labels }]) => [
    name,
    {
      x: tf.tensor(images, [labels.length, ...imageShape]),
      y: tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat(),
    },
  ]),
);
const stepsPerEpoch = Math.ceil(digits.train.labels.length / BATCH);

function network(seed) {
  let next = seed * 100;
  const kernelInitializer = () => tf.initializers.heNormal({ seed: ++next });
  const dense = (units, activation, more = {}) =>
    tf.layers.dense({ units, activation, kernelInitializer: kernelInitializer(), ...more });
  const conv = (filters, more = {}) =>
    tf.layers.conv2d({
      filters,
      kernelSize: 3,
      activation: 'relu',
      kernelInitializer: kernelInitializer(),
      ...more,
    });
  const layers =
    values.network === 'cnn'
      ? [
          conv(16, { inputShape: imageShape }),
          tf.layers.maxPooling2d({ poolSize: 2 }),
          conv(32),
          tf.layers.maxPooling2d({ poolSize: 2 }),
          tf.layers.flatten(),
          dense(64, 'relu'),
          dense(10, 'softmax'),
        ]
      : [dense(300, 'relu', { inputShape: imageShape }), dense(100, 'relu'), dense(10, 'softmax')];
  return tf.sequential({ layers });
}

const compile = (model, rate) =>
  model.compile({ optimizer: tf.train.adam(rate), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

/** Epoch by epoch, each in an order of its own seed; the rate falls linearly to a tenth. */
async function train(model, fit, rate, seed) {
  for (let epoch = 0; epoch < epochs; epoch++) {
    model.optimizer.learningRate = rate * (1 - (0.9 * epoch) / Math.max(1, epochs - 1));
    const order = tf.tensor1d(
      Int32Array.from(shuffled(digits.train.labels.length, seed * 1000 + epoch)),
      'int32',
    );
    const x = tensors.train.x.gather(order);
    const y = tensors.train.y.gather(order);
    await fit(x, y, { batchSize: BATCH, epochs: 1, shuffle: false, verbose: 0 });
    tf.dispose([order, x, y]);
  }
}

function accuracy(model, { x, y }) {
  return tf.tidy(() => model.predict(x).argMax(-1).equal(y.argMax(-1)).mean().dataSync()[0]);
}

/** The first seed's, where --save asks for them. */
async function save(model, name, seed) {
  if (values.save === undefined || seed !== Number(values.seeds.split(',')[0])) return;
  const folder = join(values.save, name);
  mkdirSync(folder, { recursive: true });
  await model.save(pathToFileURL(resolve(folder)).href);
}

function saveTable() {
  const { images, labels } = digits.test;
  const pixels = images.length / labels.length;
  const head = [...Array.from({ length: pixels }, (_, i) => `p${i}`), 'digit', 'part'];
  const lines = Array.from(labels, (label, row) =>
    [...images.subarray(row * pixels, (row + 1) * pixels), label, 'test'].join(','),
  );
  writeFileSync(join(values.save, 'digits.csv'), `${head.join(',')}\n${lines.join('\n')}\n`);
}

if (values.save !== undefined) {
  mkdirSync(values.save, { recursive: true });
  saveTable();
}
const rows = [];
for (const seed of values.seeds.split(',').map(Number)) {
  const dense = network(seed);
  compile(dense, 1e-3);
  await train(dense, dense.fit.bind(dense), 1e-3, seed);
  const weights = dense.getWeights();
  const row = { seed, dense: accuracy(dense, tensors.test) };
  await save(dense, 'dense', seed);
  console.log(`seed ${seed}: dense ${(100 * row.dense).toFixed(2)} %`);
  for (const sparsity of sparsities) {
    const model = network(seed);
    model.setWeights(weights);
    compile(model, 1e-3);
    const steps = epochs * stepsPerEpoch;
    // Half of the run makes the masks, half recovers.
    const frequency = 25;
    const endStep = Math.floor(steps / 2 / frequency) * frequency;
    const schedule = new CubicSchedule({
      initialSparsity: 0,
      finalSparsity: sparsity,
      beginStep: 0,
      endStep,
      frequency,
    });
    const p = pruneLowMagnitude(model, { schedule, totalSteps: steps, scope: values.scope });
    await train(model, p.fit.bind(p), 1e-3, 10 + seed);
    const stripped = p.strip();
    row[sparsity] = accuracy(stripped, tensors.test);
    await save(stripped, `sparse-${sparsity}`, seed);
    const zeros = p.state().weights.reduce((sum, w) => sum + w.mask.reduce((n, bit) => n - bit + 1, 0), 0);
    const size = p.state().weights.reduce((sum, w) => sum + w.mask.length, 0);
    console.log(
      `seed ${seed}: ${sparsity} (reached ${(zeros / size).toFixed(4)}) ${(100 * row[sparsity]).toFixed(2)} %`,
    );
    p.release();
    stripped.dispose();
    model.dispose();
  }
  rows.push(row);
}

const columns = ['dense', ...sparsities.map(String)];
console.log(`\n| ${['sparsity', ...columns].join(' | ')} |\n|${' --- |'.repeat(columns.length + 1)}`);
for (const row of rows) {
  console.log(`| seed ${row.seed} | ${columns.map((c) => (100 * row[c]).toFixed(2)).join(' | ')} |`);
}
const mean = (c) => rows.reduce((sum, row) => sum + row[c], 0) / rows.length;
console.log(`| mean | ${columns.map((c) => (100 * mean(c)).toFixed(2)).join(' | ')} |`);
if (values.json)
  writeFileSync(
    values.json,
    `${JSON.stringify({ network: values.network, scope: values.scope, epochs, rows }, null, 2)}\n`,
  );
