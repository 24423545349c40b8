/**
 * One Dense layer after another through the public API (arrays of batch × features in and out), one thread, against
 * every dense rival in the same process: our own dense path, onnxruntime-node, tfjs-node.
 *
 *   npm run bench:kernels -- [--quick] [--shapes 1024x1024,…] [--batches 1,64] [--sparsities 0.5,0.9] [--cold]
 *                            [--without tfjs-node] [--models net.esp,…] [--json FILE]
 *
 * Candidates take turns in short rounds, and the lower decile of the rounds is told (the JSON has the median and the
 * upper decile too): whatever else a shared machine does only makes rounds longer. Each candidate is called six times
 * before it is timed. Masks are
 * random; --models measures whole networks, really pruned ones say, against themselves run dense. --cold adds batch 1
 * with copies that together exceed the last-level cache. Pin it to one core (taskset -c 1) for figures to quote.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { csrFromDense, loadModel } from '../dist/index.js';
import { writeProgram } from '../dist/file/write.js';
import { describeMachine } from '../dist/measure/machine.js';
import { toOnnx } from '../dist/measure/onnx.js';
import { seededRandom } from '../dist/measure/statistics.js';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    cold: { type: 'boolean', default: false },
    shapes: { type: 'string' },
    batches: { type: 'string' },
    sparsities: { type: 'string' },
    without: { type: 'string', default: '' },
    models: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const list = (text, fallback) => (text ?? fallback).split(',').filter((item) => item !== '');
const shapes = list(
  options.shapes,
  options.quick ? '1024x1024' : '512x784,1024x1024,4096x1024,4096x4096',
).map((shape) => shape.split('x').map(Number));
const batches = list(options.batches, options.quick ? '1,8,64' : '1,2,4,8,16,64,256').map(Number);
const sparsities = list(options.sparsities, options.quick ? '0.75,0.9' : '0.5,0.75,0.9,0.95').map(Number);
const without = list(options.without, '');
const LAST_LEVEL = 64 << 20;
const ROUNDS = options.quick ? 11 : 21;
/** Milliseconds of calls in a round of a candidate. */
const ROUND = options.quick ? 2 : 3;

/** Flags for the widest vectors that are there: -march=native does not know some virtual machines. */
function peaks(isa) {
  const flags = isa.includes('avx512f')
    ? ['-mavx512f', '-mprefer-vector-width=512', '-mfma']
    : isa.includes('avx2')
      ? ['-mavx2', '-mfma']
      : [];
  const root = fileURLToPath(new URL('..', import.meta.url));
  const folder = join(root, 'build', 'peaks');
  try {
    mkdirSync(folder, { recursive: true });
    const binary = join(folder, 'machine_peaks');
    if (!existsSync(binary)) {
      const source = join(root, 'native', 'bench', 'machine_peaks.cc');
      const args = ['-O3', '-std=c++17', ...flags, '-ffast-math', source, '-o', binary];
      execFileSync(process.env.CXX ?? 'c++', args, { stdio: 'pipe' });
    }
    return JSON.parse(execFileSync(binary, { encoding: 'utf8' }));
  } catch (error) {
    console.log(`the machine's peaks are not known: ${String(error.message).split('\n')[0]}`);
    return undefined;
  }
}

/** A layer whose weights are each kept with probability 1 - sparsity. */
function layer(rows, cols, sparsity) {
  const random = seededRandom(rows * 31 + cols * 7 + Math.round(sparsity * 1000));
  const dense = new Float32Array(rows * cols);
  for (let i = 0; i < dense.length; i++) {
    const keep = random() >= sparsity;
    const weight = random() - 0.5;
    if (keep) dense[i] = weight / Math.sqrt(cols);
  }
  const { rowPtr, colIdx, values } = csrFromDense(dense, rows, cols);
  return {
    version: 1,
    name: `dense ${rows}x${cols} ${sparsity}`,
    values: [{ features: cols }, { features: rows }],
    inputs: [{ name: 'x', shape: [null, cols], dtype: 'float32', value: 0 }],
    outputs: [{ name: 'y', shape: [null, rows], dtype: 'float32', value: 1 }],
    operations: [
      {
        op: 'linear',
        name: 'dense',
        input: 0,
        output: 1,
        positions: 1,
        weight: { format: 'csr', rows, cols, rowPtr, colIdx, values },
        bias: new Float32Array(rows).fill(0.01),
        activation: { kind: 'relu', alpha: 0, beta: 0 },
      },
    ],
  };
}

/** A candidate: `call` takes turns with the others. */
async function ours(name, bytes, batch, cols, rows, extra = {}) {
  const model = await loadModel(bytes, { threads: 1, batchSizes: [batch], ...extra });
  const x = new Float32Array(batch * cols).map((_, i) => ((i * 37) % 101) / 101 - 0.5);
  const y = new Float32Array(batch * rows);
  return { name, model, call: model.bind({ inputs: x, outputs: y }), y };
}

async function onnxruntime(program, batch, cols) {
  const ort = await import('onnxruntime-node');
  const session = await ort.InferenceSession.create(await toOnnx(program), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const x = new Float32Array(batch * cols).map((_, i) => ((i * 37) % 101) / 101 - 0.5);
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', x, [batch, cols]) };
  return { name: 'onnxruntime-node', call: () => session.run(feeds), release: () => session.release() };
}

async function tfjs(rows, cols, batch) {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node');
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: rows, inputShape: [cols], activation: 'relu' })],
  });
  const x = tf.randomNormal([batch, cols]);
  const call = () => {
    const y = model.predict(x, { batchSize: batch });
    y.dataSync();
    y.dispose();
  };
  return { name: 'tfjs-node', call, release: () => model.dispose() };
}

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * q)];

/** Microseconds a call of each candidate in each round. */
async function race(candidates) {
  for (const candidate of candidates) {
    for (let i = 0; i < 6; i++) await candidate.call();
    const begin = performance.now();
    for (let i = 0; i < 2; i++) await candidate.call();
    candidate.calls = Math.max(1, Math.round(ROUND / ((performance.now() - begin) / 2)));
    candidate.rounds = [];
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const candidate of candidates) {
      // The others took the caches.
      if (!candidate.cold) for (let i = 0; i < 2; i++) await candidate.call();
      const begin = performance.now();
      for (let i = 0; i < candidate.calls; i++) {
        const pending = candidate.call();
        if (pending !== undefined) await pending;
      }
      candidate.rounds.push(((performance.now() - begin) * 1000) / candidate.calls);
    }
  }
}

/** Copies of a model that take turns, so that no cache holds the weights that come next. */
function rotating(name, copies) {
  let next = 0;
  return {
    name,
    cold: true,
    call: () => copies[(next = (next + 1) % copies.length)].call(),
    release: () => copies.forEach((copy) => copy.model.dispose()),
  };
}

const failed = new Set(without);
async function rivals(program, rows, cols, batch) {
  const made = [];
  for (const [name, make] of [
    ['onnxruntime-node', () => onnxruntime(program, batch, cols)],
    ['tfjs-node', () => tfjs(rows, cols, batch)],
  ]) {
    if (failed.has(name)) continue;
    try {
      made.push(await make());
    } catch (error) {
      failed.add(name);
      console.log(`${name} is left out: ${String(error.message).split('\n')[0]}`);
    }
  }
  return made;
}

const cells = [];
function report(cell, candidates, dense, peak) {
  const best = candidates
    .slice(0, dense)
    .reduce((a, b) => (quantile(b.rounds, 0.1) < quantile(a.rounds, 0.1) ? b : a));
  cell.dense = candidates.slice(0, dense).map(({ name, rounds }) => ({
    name,
    us: quantile(rounds, 0.1),
    p50: quantile(rounds, 0.5),
    p90: quantile(rounds, 0.9),
  }));
  cell.best = best.name;
  cell.sparse = candidates.slice(dense).map((candidate) => {
    const ratios = (other) => quantile(other.rounds, 0.1) / quantile(candidate.rounds, 0.1);
    return {
      sparsity: candidate.sparsity,
      us: quantile(candidate.rounds, 0.1),
      p50: quantile(candidate.rounds, 0.5),
      p90: quantile(candidate.rounds, 0.9),
      overBestDense: ratios(best),
      overOwnDense: ratios(candidates[0]),
      layout: candidate.layout,
      bytes: candidate.bytes,
    };
  });
  const work = 2 * cell.rows * cell.cols * cell.batch;
  const share = (us) =>
    peak === undefined ? '' : ` ${Math.round((100 * work) / us / 1e3 / peak.fmaGflops)} % of FMA peak`;
  if (peak !== undefined) cell.denseShareOfPeak = work / cell.dense[0].us / 1e3 / peak.fmaGflops;
  for (const result of cell.sparse) {
    if (peak === undefined) continue;
    result.shareOfPeak = (work * (1 - result.sparsity)) / result.us / 1e3 / peak.fmaGflops;
    result.gigabytesPerSecond = result.bytes / result.us / 1e3;
  }
  console.log(
    `${cell.rows}x${cell.cols} batch ${cell.batch}${cell.cold ? ' cold' : ''}: ` +
      cell.dense.map(({ name, us }) => `${name} ${us.toFixed(1)} µs`).join(', ') +
      share(cell.dense[0].us),
  );
  for (const { sparsity, us, overBestDense, overOwnDense, layout, shareOfPeak } of cell.sparse) {
    console.log(
      `    ${sparsity}: ${us.toFixed(1)} µs, ${overBestDense.toFixed(2)}× the best dense (${best.name}), ` +
        `${overOwnDense.toFixed(2)}× our dense, ${layout}` +
        (shareOfPeak === undefined ? '' : `, ${Math.round(100 * shareOfPeak)} % of FMA peak`),
    );
  }
  cells.push(cell);
}

async function layerCell(rows, cols, batch, programs, files, cold, peak) {
  const copies = (bytes) => (cold ? Math.max(2, Math.ceil(LAST_LEVEL / bytes)) : 1);
  const candidates = [];
  const add = async (name, file, size, extra) => {
    const made = [];
    for (let i = 0; i < copies(size); i++) made.push(await ours(name, file, batch, cols, rows, extra));
    const { layout, bytes } = made[0].model.explain(batch)[0];
    const candidate = cold ? rotating(name, made) : made[0];
    candidate.release = () => made.forEach(({ model }) => model.dispose());
    candidates.push(Object.assign(candidate, { layout, bytes }));
    return candidate;
  };
  await add('our dense', files.get(0), rows * cols * 4, { layout: 'dense' });
  if (!cold) candidates.push(...(await rivals(programs.get(0), rows, cols, batch)));
  const dense = candidates.length;
  for (const sparsity of sparsities) {
    const size = rows * cols * (1 - sparsity) * 6;
    (await add(`${sparsity}`, files.get(sparsity), size)).sparsity = sparsity;
  }
  await race(candidates);
  report({ rows, cols, batch, cold, masks: 'random' }, candidates, dense, peak);
  for (const candidate of candidates) await candidate.release?.();
}

async function networkCell(path, batch) {
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
    return { name: i === 0 ? 'our dense' : 'sparse', call, model };
  });
  await race(candidates);
  const [dense, sparse] = candidates;
  const layouts = models[1].explain(batch).map(({ name, layout, sparsity }) => ({ name, layout, sparsity }));
  const us = [dense, sparse].map(({ rounds }) => quantile(rounds, 0.1));
  const ratio = us[0] / us[1];
  console.log(
    `${path} batch ${batch}: our dense ${us[0].toFixed(2)} µs, sparse ${us[1].toFixed(2)} µs, ${ratio.toFixed(2)}×`,
  );
  cells.push({
    model: path,
    batch,
    masks: 'of the model',
    denseUs: us[0],
    sparseUs: us[1],
    overOwnDense: ratio,
    layouts,
  });
  for (const model of models) model.dispose();
}

const machine = await describeMachine();
const peak = peaks(machine.isa);
console.log(`${machine.cpu}, ${machine.isa.join(' ')}`);
if (peak !== undefined) {
  console.log(
    `peak FMA ${peak.fmaGflops} GFLOP/s; reads: cache ${peak.cacheGBs}, memory ${peak.memoryGBs} GB/s`,
  );
}
const begin = performance.now();
for (const [rows, cols] of shapes) {
  const programs = new Map([0, ...sparsities].map((sparsity) => [sparsity, layer(rows, cols, sparsity)]));
  const files = new Map([...programs].map(([sparsity, program]) => [sparsity, writeProgram(program)]));
  for (const batch of batches) await layerCell(rows, cols, batch, programs, files, false, peak);
  if (options.cold) await layerCell(rows, cols, 1, programs, files, true, peak);
}
for (const path of list(options.models, '')) {
  for (const batch of batches) await networkCell(path, batch);
}
const seconds = (performance.now() - begin) / 1000;
const file = options.json ?? join(tmpdir(), 'espalier-bench-kernels.json');
writeFileSync(file, JSON.stringify({ machine, peak, rounds: ROUNDS, seconds, cells }, null, 2));
console.log(`${cells.length} cells in ${seconds.toFixed(0)} s; all figures in ${file}`);
