/**
 * One Dense layer after another through the public API (arrays of batch × features in and out), one thread, against
 * every dense rival in the same run: our own dense path, onnxruntime-node and tfjs-node in this process, oneDNN with
 * pre-packed weights in one beside it that waits for its turns.
 *
 *   npm run bench:kernels -- [--quick] [--shapes 1024x1024,…] [--batches 1,64] [--sparsities 0.5,0.9] [--cold]
 *                            [--values bfloat16,int8] [--networks 784-1024-1024-10] [--pruned net.h5,…]
 *                            [--models net.esp,…] [--without tfjs-node] [--json FILE]
 *
 * Candidates take turns in short rounds, and the lower decile of the rounds is told (the JSON has the median and the
 * upper decile too): whatever else a shared machine does only makes rounds longer. Each candidate is called six times
 * before it is timed. Masks are random. --cold adds batch 1 with copies that together exceed the last-level cache, and
 * with --values the same weights in fewer bits. --networks measures multi-layer perceptrons whole. --pruned measures the
 * matrices of real models, pruned in training or in one shot, each beside a random mask of its sparsity; --models
 * measures whole networks against themselves run dense. Pin it to one core (taskset -c 1) for figures to quote.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadModel } from '../dist/index.js';
import { writeProgram } from '../dist/file/write.js';
import { describeMachine } from '../dist/measure/race/machine.js';
import { espBytes } from '../dist/measure/source.js';
import { layerProgram, ours, randomWeights, rivals, rotating } from './kernels/candidates.mjs';
import { onednn, peaks } from './kernels/native.mjs';
import { prunedMatrices } from './kernels/pruned.mjs';
import { quantile, race, report } from './kernels/race.mjs';
import { networkOf } from './networks.mjs';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    cold: { type: 'boolean', default: false },
    shapes: { type: 'string' },
    batches: { type: 'string' },
    sparsities: { type: 'string' },
    values: { type: 'string', default: '' },
    networks: { type: 'string', default: '' },
    pruned: { type: 'string', default: '' },
    models: { type: 'string', default: '' },
    without: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const list = (text, fallback = '') => (text ?? fallback).split(',').filter((item) => item !== '');
const quick = options.quick;
const shapes = list(options.shapes, quick ? '1024x1024' : '512x784,1024x1024,4096x1024,4096x4096');
const batches = list(options.batches, quick ? '1,8,64' : '1,2,4,8,16,64,256').map(Number);
const sparsities = list(options.sparsities, quick ? '0.75,0.9' : '0.5,0.75,0.9,0.95').map(Number);
const without = new Set(list(options.without));
const LAST_LEVEL = 64 << 20;
const ROUNDS = quick ? 11 : 21;
/** Milliseconds of calls in a round of a candidate. */
const ROUND = quick ? 2 : 3;

const machine = await describeMachine();
const peak = peaks(machine.isa);
const cells = [];

async function finish(cell, candidates, dense) {
  await race(candidates, ROUNDS, ROUND);
  cells.push(report(cell, candidates, dense, peak));
  for (const candidate of candidates) await candidate.release?.();
}

/** Adds our model of these bytes, and what it chose, to the candidates. */
async function addOurs(candidates, name, file, { rows, cols, batch, copies = 1 }, extra = {}) {
  const made = [];
  for (let i = 0; i < copies; i++) made.push(await ours(name, file, batch, cols, rows, extra));
  const { layout, bytes } = made[0].model.explain(batch)[0];
  const candidate = copies > 1 ? rotating(name, made) : made[0];
  const release = () => made.forEach(({ model }) => model.dispose());
  candidates.push(Object.assign(candidate, { layout, bytes, release }));
  return candidate;
}

async function layerCell(rows, cols, batch, programs, files) {
  const size = { rows, cols, batch };
  const candidates = [];
  await addOurs(candidates, 'our dense', files.get(0), size, { layout: 'dense' });
  candidates.push(...(await rivals(programs.get(0), [cols, rows], batch, without)));
  const dense = candidates.length;
  for (const sparsity of sparsities) {
    (await addOurs(candidates, `${sparsity}`, files.get(sparsity), size)).sparsity = sparsity;
  }
  await finish({ ...size, cold: false, masks: 'random' }, candidates, dense);
}

/** Batch 1 with weights that come from memory, which we are told, with `values` in fewer bits too. */
async function coldCell(rows, cols, files) {
  const size = { rows, cols, batch: 1 };
  const copies = (bytes) => Math.max(2, Math.ceil(LAST_LEVEL / bytes));
  const candidates = [];
  const whole = { ...size, copies: copies(rows * cols * 4) };
  await addOurs(candidates, 'our dense', files.get(0), whole, { layout: 'dense', cold: true });
  if (!without.has('oneDNN')) candidates.push(await onednn(rows, cols, 1, whole.copies));
  const dense = candidates.length;
  for (const sparsity of sparsities.filter((asked) => asked > 0)) {
    for (const values of ['', ...list(options.values)]) {
      const few = { ...size, copies: copies(rows * cols * (1 - sparsity) * (values === '' ? 6 : 3)) };
      const name = values === '' ? `${sparsity}` : `${sparsity} ${values}`;
      const extra = values === '' ? { cold: true } : { cold: true, values };
      (await addOurs(candidates, name, files.get(sparsity), few, extra)).sparsity = sparsity;
    }
  }
  await finish({ ...size, cold: true, masks: 'random' }, candidates, dense);
}

/** Each real matrix, dense and pruned, and beside it random masks of the same sparsities. */
async function prunedCells(path, batch) {
  for (const { name, rows, cols, variants } of await prunedMatrices(path, sparsities)) {
    const size = { rows, cols, batch };
    const program = layerProgram(rows, cols, randomWeights(rows, cols, 0));
    const candidates = [];
    await addOurs(candidates, 'our dense', writeProgram(program), size, { layout: 'dense' });
    candidates.push(...(await rivals(program, [cols, rows], batch, without)));
    const dense = candidates.length;
    for (const { masks, values, sparsity } of variants) {
      for (const [kind, weights] of [
        [masks, values],
        [`${masks}, random`, randomWeights(rows, cols, sparsity)],
      ]) {
        const file = writeProgram(layerProgram(rows, cols, weights));
        (await addOurs(candidates, `${kind} (${sparsity.toFixed(3)})`, file, size)).sparsity = sparsity;
      }
    }
    const title = `${path} ${name} ${rows}x${cols}`;
    await finish({ ...size, cold: false, masks: 'pruned', model: path, title }, candidates, dense);
  }
}

/** A perceptron whole, its matrices pruned in one shot, against every dense engine. */
async function perceptronCell(text, batch) {
  const units = text.split('-').map(Number);
  const [cols, rows] = [units[0], units.at(-1)];
  const size = { rows, cols, batch };
  const candidates = [];
  const whole = networkOf(units, 0);
  await addOurs(candidates, 'our dense', await espBytes(whole), size, { layout: 'dense' });
  candidates.push(...(await rivals(whole, units, batch, without)));
  const dense = candidates.length;
  for (const sparsity of sparsities) {
    const file = await espBytes(networkOf(units, sparsity));
    const candidate = await addOurs(candidates, `${sparsity}`, file, size);
    candidate.sparsity = sparsity;
    candidate.layout = candidate.model
      .explain(batch)
      .map(({ layout }) => layout)
      .join(' ');
  }
  await race(candidates, ROUNDS, ROUND);
  cells.push(report({ ...size, title: text, network: text, masks: 'one shot' }, candidates, dense));
  for (const candidate of candidates) await candidate.release?.();
}

async function modelCell(path, batch) {
  const bytes = path.endsWith('.esp') ? readFileSync(path) : path;
  const models = [
    await loadModel(bytes, { threads: 1, batchSizes: [batch], layout: 'dense' }),
    await loadModel(bytes, { threads: 1, batchSizes: [batch] }),
  ];
  const floats = (port) => new Float32Array(batch * port.shape.slice(1).reduce((a, b) => a * b, 1)).fill(0.3);
  const candidates = models.map((model, i) => {
    const inputs = model.inputs.map((port) => ({
      data: floats(port),
      shape: [batch, ...port.shape.slice(1)],
    }));
    const call = model.bind({ inputs, outputs: model.outputs.map(floats) });
    return { name: i === 0 ? 'our dense' : 'sparse', call };
  });
  await race(candidates, ROUNDS, ROUND);
  const layouts = models[1].explain(batch).map(({ name, layout, sparsity }) => ({ name, layout, sparsity }));
  const [denseUs, sparseUs] = candidates.map(({ rounds }) => quantile(rounds, 0.1));
  const overOwnDense = denseUs / sparseUs;
  console.log(
    `${path} batch ${batch}: our dense ${denseUs.toFixed(2)} µs, sparse ${sparseUs.toFixed(2)} µs, ${overOwnDense.toFixed(2)}×`,
  );
  cells.push({ model: path, batch, masks: 'of the model', denseUs, sparseUs, overOwnDense, layouts });
  for (const model of models) model.dispose();
}

console.log(`${machine.cpu}, ${machine.isa.join(' ')}`);
if (peak !== undefined) {
  console.log(
    `peak FMA ${peak.fmaGflops} GFLOP/s; reads: cache ${peak.cacheGBs}, memory ${peak.memoryGBs} GB/s`,
  );
}
const begin = performance.now();
for (const [rows, cols] of shapes.map((shape) => shape.split('x').map(Number))) {
  const programs = new Map(
    [0, ...sparsities].map((sparsity) => [
      sparsity,
      layerProgram(rows, cols, randomWeights(rows, cols, sparsity)),
    ]),
  );
  const files = new Map([...programs].map(([sparsity, program]) => [sparsity, writeProgram(program)]));
  for (const batch of batches) await layerCell(rows, cols, batch, programs, files);
  if (options.cold) await coldCell(rows, cols, files);
}
for (const batch of batches) {
  for (const units of list(options.networks)) await perceptronCell(units, batch);
  for (const path of list(options.pruned)) await prunedCells(path, batch);
  for (const path of list(options.models)) await modelCell(path, batch);
}
const seconds = (performance.now() - begin) / 1000;
const file = options.json ?? join(tmpdir(), 'espalier-bench-kernels.json');
writeFileSync(file, JSON.stringify({ machine, peak, rounds: ROUNDS, seconds, cells }, null, 2));
console.log(`${cells.length} cells in ${seconds.toFixed(0)} s; all figures in ${file}`);
