/**
 * What the suites share: one network in every engine, in this process and one after another, timed by benny on one
 * thread. The engines are the built-in ones of `espalier bench`; their answers are compared before any is timed.
 *
 *   node bench/suites/models.mjs [--quick] [--json FILE]      a suite alone; `npm run bench` runs them all, pinned
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import benny from 'benny';
import { writeFileAtomic } from '../../dist/files.js';
import { compareOutputs, inputsOf } from '../../dist/measure/race/runner.js';
import { toOnnx } from '../../dist/export/onnx/index.js';
import { AGAINST, OWN } from '../../dist/measure/race/roster.js';
import { espBytes } from '../../dist/measure/source.js';
import { ascending, quantile } from '../../dist/measure/race/statistics.js';
import { time } from '../../dist/measure/table.js';
import { toTfjs } from '../../dist/export/tfjs-of-program.js';
import { networkOf } from '../networks.mjs';

// Read by the libraries when they are loaded, which is later.
for (const name of ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'OMP_NUM_THREADS']) {
  process.env[name] ??= '1';
}
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const WARM_UP = 10;
/** A case that is called for less than this is a loop of calls. */
const SHORTEST_CASE_US = 20;
/** Seconds of a sample and of a case. --quick only shows that everything runs; --short is for wide margins. */
const BENNY = options.quick
  ? { minTime: 0.002, maxTime: 0.01, minSamples: 3 }
  : options.short
    ? { minTime: 0.01, maxTime: 0.3, minSamples: 10 }
    : { minTime: 0.02, maxTime: 1, minSamples: 20 };
/** Interquartile range of the samples over their median, above which a figure is marked. */
const NOISE_LIMIT = 0.1;

/** The networks of bench/cases.json that take part in a suite. */
export function networksOf(suite) {
  const { networks } = JSON.parse(readFileSync(new URL('../cases.json', import.meta.url), 'utf8'));
  return networks.filter(({ suites }) => suites.includes(suite));
}

/** How many calls make a case, found while warming up. */
async function callsInside(call) {
  let quickest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < WARM_UP; i++) {
    const begin = performance.now();
    const answer = call();
    if (answer instanceof Promise) await answer;
    quickest = Math.min(quickest, performance.now() - begin);
  }
  // First calls are slow: what is compiled later may still be short.
  if (quickest * 1000 >= 10 * SHORTEST_CASE_US) return 1;
  let each = 0;
  for (let round = 0; round < 3; round++) {
    const begin = performance.now();
    for (let i = 0; i < 1000; i++) {
      const answer = call();
      if (answer instanceof Promise) await answer;
    }
    // Microseconds a call: a thousand calls take as many milliseconds.
    each = Math.max(performance.now() - begin, 0.001);
  }
  return Math.max(1, Math.ceil(SHORTEST_CASE_US / each));
}

/** Times candidates ({ id, name, call }) one after another. Answers a result for each, in microseconds a call. */
export async function timeAll(title, candidates) {
  const cases = [];
  for (const { name, call } of candidates) {
    const inside = await callsInside(call);
    const isAsync = call() instanceof Promise;
    const run = isAsync
      ? async () => {
          for (let i = 0; i < inside; i++) await call();
        }
      : () => {
          for (let i = 0; i < inside; i++) call();
        };
    cases.push({ inside, entry: benny.add(name, run, BENNY) });
  }
  const summary = await benny.suite(title, ...cases.map(({ entry }) => entry));
  return summary.results.map(({ details, completed }, index) => {
    const { id, name } = candidates[index];
    const { inside } = cases[index];
    if (!completed) throw new Error(`${title}: ${name} was not timed`);
    const sorted = ascending(details.sampleResults.map((seconds) => (seconds * 1e6) / inside));
    const [q25, p50, q75] = [0.25, 0.5, 0.75].map((q) => quantile(sorted, q));
    const noisy = (q75 - q25) / p50 > NOISE_LIMIT;
    return { id, name, p50, q25, q75, samples: sorted.length, callsInside: inside, noisy };
  });
}

const results = [];
const skipped = [];

/** Adds the results of a network and batch size to the suite's, each over the time of the first of `references`. */
export function report(network, batch, timed, references) {
  console.log(`${network.name}, sparsity ${network.sparsity}, batch ${batch}`);
  for (const result of timed) {
    const over = {};
    for (const id of references) {
      const reference = timed.find((one) => one.id === id);
      if (reference !== undefined) over[id] = result.p50 / reference.p50;
    }
    results.push({ network: network.name, sparsity: network.sparsity, batch, ...result, over });
    const ratios = Object.entries(over).map(([id, ratio]) => `${ratio.toFixed(2)}× ${id}`.padStart(20));
    const looped = result.callsInside > 1 ? `  (${result.callsInside} calls a case)` : '';
    console.log(
      `  ${result.name.padEnd(24)} ${`${time(result.p50)}${result.noisy ? ' !' : ''}`.padStart(12)} ${ratios.join(' ')}${looped}`,
    );
  }
}

/** Every engine that is there, loaded with the network. */
async function load(program, folder) {
  const files = { esp: join(folder, 'model.esp'), onnx: join(folder, 'model.onnx') };
  files.tfjs = join(folder, 'model.json');
  writeFileSync(files.esp, await espBytes(program));
  try {
    writeFileSync(files.onnx, await toOnnx(program));
  } catch {
    // onnx-proto is not installed: then onnxruntime tells below that it cannot take part.
    delete files.onnx;
  }
  const { manifest, weights } = toTfjs(program);
  writeFileSync(join(folder, 'weights.bin'), weights);
  writeFileSync(files.tfjs, JSON.stringify(manifest));
  const ports = (list) => list.map(({ name, shape }) => ({ name, shape: [...shape] }));
  const context = { files, inputs: ports(program.inputs), outputs: ports(program.outputs), threads: 1 };
  const loaded = [];
  for (const entry of [...OWN, ...Object.values(AGAINST).flat()]) {
    try {
      const module = await import(pathToFileURL(entry.module).href);
      const rival = entry.variant === undefined ? module.rival : module.make(entry.variant);
      await rival.load(context);
      loaded.push({ id: entry.id, rival });
    } catch (error) {
      // Without espalier itself there is nothing to compare with.
      if (OWN.includes(entry)) throw error;
      const message = String(error.message).split('\n')[0];
      if (!skipped.some(({ id }) => id === entry.id)) skipped.push({ id: entry.id, message });
    }
  }
  return loaded;
}

/** One network in every engine at each of its batch sizes. */
export async function race(network) {
  const program = networkOf(network.units, network.sparsity);
  const folder = mkdtempSync(join(tmpdir(), 'espalier-suite-'));
  try {
    const engines = await load(program, folder);
    for (const batch of network.batches) {
      const inputs = inputsOf(program, batch, 1);
      const candidates = [];
      let expected;
      for (const { id, rival } of engines) {
        const call = await rival.prepare(inputs);
        // A copy: engines answer with the buffers that they write into again.
        const outputs = (await call()).map((output) => output.slice());
        expected ??= outputs;
        const { problem } = compareOutputs(outputs, expected);
        if (problem !== undefined) throw new Error(`${network.name}: ${rival.name}: ${problem}`);
        candidates.push({ id, name: rival.name, call });
      }
      const timed = await timeAll(`${network.name}, batch ${batch}`, candidates);
      report(network, batch, timed, ['espalier', 'espalier-bind']);
    }
    for (const { rival } of engines) await rival.dispose();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes what was reported, if --json asks for it. */
export async function finish(suite) {
  for (const { id, message } of skipped) console.log(`${id} is left out: ${message}`);
  if (results.some(({ noisy }) => noisy)) {
    console.log(`! half of the samples lie more than ${NOISE_LIMIT * 100} % apart: too noisy to build on`);
  }
  if (options.json === undefined) return;
  const answer = { suite, quick: options.quick, results, skipped };
  await writeFileAtomic(options.json, `${JSON.stringify(answer, null, 1)}\n`);
}
