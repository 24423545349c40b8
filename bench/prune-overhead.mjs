/**
 * What pruning adds to the time of a training step: the same `fit` of a network of 4 million weights, without and with
 * pruning at frequency 100, by turns, so that a busy machine is busy for both. Told by the clock, and by the processor
 * time that the process took, which other programs change less.
 *
 *   npm run build:ts && node bench/prune-overhead.mjs [--batch 128] [--optimizer adam|sgd] [--steps 100] [--rounds 5]
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-node';
import { CubicSchedule, pruneLowMagnitude } from '../dist/prune.js';

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '128' },
    optimizer: { type: 'string', default: 'adam' },
    steps: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '5' },
  },
});
const [batch, steps, rounds] = [Number(values.batch), Number(values.steps), Number(values.rounds)];

// 1024·1024 + 1024·2048 + 2048·512 = 4.19 million weights
const network = () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 1024, inputShape: [1024], activation: 'relu' }),
      tf.layers.dense({ units: 2048, activation: 'relu' }),
      tf.layers.dense({ units: 512 }),
    ],
  });
  const optimizer = values.optimizer === 'sgd' ? tf.train.sgd(0.01) : tf.train.adam(1e-4);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  return model;
};

const x = tf.randomNormal([batch * steps, 1024]);
const y = tf.randomNormal([batch * steps, 512]);
const args = { batchSize: batch, epochs: 1, shuffle: false, verbose: 0 };
const timeOf = async (fit) => {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  await fit(x, y, args);
  const { user, system } = process.cpuUsage(cpu);
  return { wall: (performance.now() - begin) / steps, cpu: (user + system) / 1000 / steps };
};

const dense = network();
const pruned = network();
const total = steps * (rounds + 1);
const schedule = new CubicSchedule({
  ...{ initialSparsity: 0.5, finalSparsity: 0.9 },
  ...{ beginStep: 1, endStep: 1 + 100 * Math.floor((total - 1) / 100), frequency: 100 },
});
const p = pruneLowMagnitude(pruned, { schedule, totalSteps: total });
const denseFit = dense.fit.bind(dense);
const prunedFit = p.fit.bind(p);
await timeOf(denseFit);
await timeOf(prunedFit);
const times = [];
for (let round = 0; round < rounds; round++) times.push([await timeOf(denseFit), await timeOf(prunedFit)]);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
console.log(
  `${values.optimizer}, batch ${batch}, ${pruned.countParams()} parameters, frequency 100, medians of ${rounds} rounds of ${steps} steps`,
);
for (const clock of ['wall', 'cpu']) {
  const [without, with_] = [0, 1].map((i) => median(times.map((pair) => pair[i][clock])));
  const ratio = median(times.map(([a, b]) => b[clock] / a[clock]));
  console.log(
    `${clock} time: ${without.toFixed(2)} ms a step dense, ${with_.toFixed(2)} ms pruning, overhead ${(100 * (ratio - 1)).toFixed(1)} %`,
  );
}
