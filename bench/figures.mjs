/**
 * Checks the figures that espalier promises: `node bench/figures.mjs [NAME…] [--quick] [--json FILE]`, with the built
 * dist. Cases and targets are in cases.json; times are ratios of medians over interleaved rounds on one thread and one
 * core. --quick only shows that everything runs: its verdicts are none. The times of `npm run demo` and `npm test` are
 * told by these themselves.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bench } from '../dist/measure/bench.js';
import { describeMachine, watchLoad } from '../dist/measure/race/machine.js';
import { median } from '../dist/measure/race/statistics.js';
import { espBytes } from '../dist/measure/source.js';
import { networkOf } from './networks.mjs';

const { networks } = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));
const args = process.argv.slice(2);
const quickAt = args.indexOf('--quick');
const quick = quickAt >= 0 && args.splice(quickAt, 1).length === 1;
const at = args.indexOf('--json');
const json = at < 0 ? undefined : args.splice(at, 2)[1];
const figured = networks.filter((one) => one.targets.length > 0 || one.start || one.memory || one.eventLoop);
const chosen = args.length === 0 ? figured : figured.filter(({ name }) => args.includes(name));
if (chosen.length === 0)
  throw new Error(`no such case; there are ${figured.map(({ name }) => name).join(', ')}`);

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
  const runs = Array.from({ length: quick ? 1 : 9 }, () =>
    JSON.parse(
      spawnSync(process.execPath, ['--input-type=module', '-e', FIRST, INDEX, ...file], { encoding: 'utf8' })
        .stdout,
    ),
  );
  return { ms: median(runs.map(({ ms }) => ms)), rss: median(runs.map(({ rss }) => rss)) };
}

const MEGABYTE = 1024 ** 2;
const lines = [];
const results = [];
/**
 * A figure from a noisy machine is no verdict either way: calls of milliseconds are interrupted by others' work and short
 * ones slip through between, so that ratios lean to one side.
 */
function check(what, target, measured, reached, noisy) {
  const verdict = quick ? 'quick' : noisy ? 'noisy' : reached ? 'ok' : 'MISS';
  lines.push({ what, target, measured, verdict });
  console.log(`${verdict.padEnd(5)} ${what}: target ${target}, measured ${measured}`);
}

/** What a probe of probes.mjs measured in a fresh process, and whether others were computing meanwhile. */
function probe(name, settings, ownCores) {
  const watch = watchLoad();
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', fileURLToPath(new URL('probes.mjs', import.meta.url)), name, JSON.stringify(settings)],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the probe ${name} failed: ${stderr}`);
  return { answer: JSON.parse(stdout), noisy: watch() > ownCores + 0.5 };
}

/** Times in all engines, and what is promised of them. */
async function checkTimes({ name, batches, targets, sparsity }, file) {
  const result = await bench(file, {
    batches,
    rounds: quick ? 1 : 10,
    minTime: quick ? 0.01 : 1,
    command: `node bench/figures.mjs ${name}`,
  });
  results.push(result);
  const [network] = result.networks;
  const { rivals, sizes } = network;
  const busy = result.load.noisy;
  for (const batch of batches) {
    for (const rival of rivals) {
      const timing = rival.timings.find((one) => one.batch === batch);
      const time =
        timing === undefined ? rival.status : `${timing.p50.toFixed(3)} µs${timing.noisy ? ' !' : ''}`;
      console.log(`     ${name} batch ${batch} ${rival.name}: ${time}`);
    }
  }
  for (const { against, batch, atLeast, call } of targets) {
    const timingOf = (id) =>
      rivals.find((rival) => rival.id === id)?.timings.find((one) => one.batch === batch);
    const own = timingOf(call === 'bind' ? 'espalier-bind' : 'espalier');
    for (const id of against) {
      const timing = timingOf(id);
      const ratio = call === 'bind' ? timing?.vsEspalierBind : timing?.vsEspalier;
      const measured =
        ratio == null
          ? 'nothing'
          : `${ratio.ratio.toFixed(2)} [${ratio.low.toFixed(2)}, ${ratio.high.toFixed(2)}]`;
      const noisy = busy || timing?.noisy === true || own?.noisy === true;
      const what = `${name} batch ${batch}, ${id} over espalier${call === 'bind' ? ' bind' : ''}`;
      check(what, `>= ${atLeast}`, measured, ratio?.ratio >= atLeast, noisy);
    }
  }
  if (network.weights >= 100_000 && sparsity >= 0.75) {
    const { esp, stripped } = sizes;
    // Bytes are the same however busy the machine is.
    check(
      `${name} .esp file`,
      `<= ${stripped.gzip} bytes`,
      `${esp.raw} bytes`,
      esp.raw <= stripped.gzip,
      false,
    );
  }
  return busy;
}

function checkStart({ name, start }, file, busy) {
  const empty = firstPrediction([]);
  const loaded = firstPrediction([file]);
  const ms = loaded.ms - empty.ms;
  const megabytes = (loaded.rss - empty.rss) / MEGABYTE;
  check(
    `${name} first prediction`,
    `<= ${start.milliseconds} ms`,
    `${ms.toFixed(1)} ms`,
    ms <= start.milliseconds,
    busy,
  );
  // Memory is the same however busy the machine is.
  check(
    `${name} RSS`,
    `<= ${start.megabytes} MB`,
    `${megabytes.toFixed(1)} MB`,
    megabytes <= start.megabytes,
    false,
  );
}

function checkMemory({ name, memory }, file) {
  const { warmUp, calls, megabytes } = memory;
  const scale = quick ? 0.01 : 1;
  for (const way of ['bind', 'runSync into outputs', 'runSync']) {
    const settings = { file, way, warmUp: warmUp * scale, calls: calls * scale };
    const { answer } = probe('memory', settings, 1);
    const growth = (Math.max(...answer.after) - answer.before) / MEGABYTE;
    check(
      `${name} RSS over ${settings.calls.toLocaleString('en')} calls of ${way}`,
      `< ${megabytes} MB more`,
      `${growth.toFixed(2)} MB`,
      growth < megabytes,
      false,
    );
    results.push({ probe: 'memory', name, ...settings, file: undefined, ...answer });
  }
}

function checkEventLoop({ name, batches, eventLoop }, file) {
  const [batch] = batches;
  const settings = { file, batch, seconds: quick ? 0.2 : eventLoop.seconds };
  const { answer, noisy } = probe('eventLoop', settings, 1);
  const { idle, run, runSync } = answer;
  const more = run.p99 - idle.p99;
  check(
    `${name} batch ${batch}, p99 delay of the event loop during run, over idle`,
    `<= ${eventLoop.milliseconds} ms`,
    `${more.toFixed(2)} ms (run ${run.p99.toFixed(2)}, at most ${run.max.toFixed(2)}; idle ${idle.p99.toFixed(2)}; ` +
      `a call takes ${run.callMs.toFixed(0)} ms, and runSync delays by ${runSync.max.toFixed(0)})`,
    more <= eventLoop.milliseconds,
    noisy || availableParallelism() < 2,
  );
  results.push({ probe: 'eventLoop', name, ...settings, file: undefined, ...answer });
}

const folder = mkdtempSync(join(tmpdir(), 'espalier-figures-'));
try {
  for (const one of chosen) {
    const file = join(folder, `${one.name}.esp`);
    writeFileSync(file, await espBytes(networkOf(one.units, one.sparsity)));
    let busy = false;
    if (one.targets.length > 0 || one.start !== undefined) busy = await checkTimes(one, file);
    if (one.start !== undefined) checkStart(one, file, busy);
    if (one.memory !== undefined) checkMemory(one, file);
    if (one.eventLoop !== undefined) checkEventLoop(one, file);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const count = (verdict) => lines.filter((line) => line.verdict === verdict).length;
console.log(`${count('ok')} ok, ${count('MISS')} missed, ${count('noisy')} noisy of ${lines.length} figures`);
if (json !== undefined) {
  mkdirSync(dirname(json), { recursive: true });
  writeFileSync(
    json,
    `${JSON.stringify({ created: new Date().toISOString(), quick, machine: await describeMachine(), lines, results }, null, 1)}\n`,
  );
  console.log(`written: ${json}`);
}
process.exitCode = quick || lines.every(({ verdict }) => verdict === 'ok') ? 0 : 1;
