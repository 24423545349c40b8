/**
 * Checks the figures that espalier promises: `node bench/figures.mjs [NAME…] [--json FILE]`, with the built dist. Cases and
 * targets are in cases.json; times are ratios of medians over interleaved rounds on one thread and one core.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bench } from '../dist/measure/bench.js';
import { median } from '../dist/measure/statistics.js';
import { espBytes } from '../dist/measure/source.js';
import { networkOf } from './networks.mjs';

const { networks } = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));
const args = process.argv.slice(2);
const at = args.indexOf('--json');
const json = at < 0 ? undefined : args.splice(at, 2)[1];
const chosen = args.length === 0 ? networks : networks.filter(({ name }) => args.includes(name));
if (chosen.length === 0)
  throw new Error(`no such case; there are ${networks.map(({ name }) => name).join(', ')}`);

const INDEX = new URL('../dist/index.js', import.meta.url).href;
/** A fresh process: milliseconds from its start to the first prediction, and its RSS then. */
const FIRST = `
const [index, file] = process.argv.slice(1);
if (file !== undefined) {
  const { loadModel } = await import(index);
  const model = await loadModel(file, { threads: 1 });
  model.runSync(new Float32Array(784).fill(0.5));
}
console.log(JSON.stringify({ ms: performance.now(), rss: process.memoryUsage.rss() }));
`;

function firstPrediction(file) {
  const runs = Array.from({ length: 9 }, () =>
    JSON.parse(
      spawnSync(process.execPath, ['--input-type=module', '-e', FIRST, INDEX, ...file], { encoding: 'utf8' })
        .stdout,
    ),
  );
  return { ms: median(runs.map(({ ms }) => ms)), rss: median(runs.map(({ rss }) => rss)) };
}

const lines = [];
const results = [];
/**
 * A figure from a noisy machine is no verdict either way: calls of milliseconds are interrupted by others' work and short
 * ones slip through between, so that ratios lean to one side.
 */
function check(what, target, measured, reached, noisy) {
  const verdict = noisy ? 'noisy' : reached ? 'ok' : 'MISS';
  lines.push({ what, target, measured, verdict });
  console.log(`${verdict.padEnd(5)} ${what}: target ${target}, measured ${measured}`);
}

const folder = mkdtempSync(join(tmpdir(), 'espalier-figures-'));
try {
  for (const { name, units, sparsity, batches, targets, start } of chosen) {
    const file = join(folder, `${name}.esp`);
    writeFileSync(file, await espBytes(networkOf(units, sparsity)));
    const result = await bench(file, {
      batches,
      rounds: 10,
      minTime: 1,
      command: `node bench/figures.mjs ${name}`,
    });
    results.push(result);
    const { rivals } = result.networks[0];
    for (const batch of batches) {
      for (const rival of rivals) {
        const timing = rival.timings.find((one) => one.batch === batch);
        const time =
          timing === undefined ? rival.status : `${timing.p50.toFixed(3)} µs${timing.noisy ? ' !' : ''}`;
        console.log(`     ${name} batch ${batch} ${rival.name}: ${time}`);
      }
    }
    for (const { against, batch, atLeast, call } of targets) {
      for (const id of against) {
        const timing = rivals.find((rival) => rival.id === id)?.timings.find((one) => one.batch === batch);
        const own = rivals
          .find((rival) => rival.id === (call === 'bind' ? 'espalier-bind' : 'espalier'))
          ?.timings.find((one) => one.batch === batch);
        const ratio = call === 'bind' ? timing?.vsEspalierBind : timing?.vsEspalier;
        const measured =
          ratio == null
            ? 'nothing'
            : `${ratio.ratio.toFixed(2)} [${ratio.low.toFixed(2)}, ${ratio.high.toFixed(2)}]`;
        check(
          `${name} batch ${batch}, ${id} over espalier`,
          `>= ${atLeast}`,
          measured,
          ratio?.ratio >= atLeast,
          result.load.noisy || timing?.noisy === true || own?.noisy === true,
        );
      }
    }
    if (start !== undefined) {
      const empty = firstPrediction([]);
      const loaded = firstPrediction([file]);
      const ms = loaded.ms - empty.ms;
      const megabytes = (loaded.rss - empty.rss) / 1024 ** 2;
      check(
        `${name} first prediction`,
        `<= ${start.milliseconds} ms`,
        `${ms.toFixed(1)} ms`,
        ms <= start.milliseconds,
        result.load.noisy,
      );
      check(
        `${name} RSS`,
        `<= ${start.megabytes} MB`,
        `${megabytes.toFixed(1)} MB`,
        megabytes <= start.megabytes,
        // Memory is the same however busy the machine is.
        false,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (json !== undefined) {
  mkdirSync(dirname(json), { recursive: true });
  writeFileSync(json, `${JSON.stringify({ lines, results }, null, 1)}\n`);
  console.log(`written: ${json}`);
}
process.exitCode = lines.every(({ verdict }) => verdict === 'ok') ? 0 : 1;
