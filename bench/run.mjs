/**
 * `npm run bench -- [--quick] [--short] [--json FILE] [SUITE…]`: the benny suites one after another, each in a process of its own
 * that is pinned to one core where taskset is there. Needs the built dist. Exits with 1 if a suite failed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { which } from '../install/tools.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
if (!existsSync(join(here, '..', 'dist', 'measure', 'bench.js'))) {
  console.error('dist is not built: npm run build');
  process.exit(1);
}
const { writeFileAtomic } = await import('../dist/files.js');
const { allowedCores, describeMachine, watchLoad } = await import('../dist/measure/race/machine.js');
const { time } = await import('../dist/measure/table.js');

const there = readdirSync(join(here, 'suites'))
  .map((file) => file.replace(/\.mjs$/, ''))
  .filter((name) => name !== 'race');
const unknown = positionals.filter((name) => !there.includes(name));
if (unknown.length > 0) {
  console.error(`no such suite: ${unknown.join(', ')}; there are ${there.join(', ')}`);
  process.exit(2);
}
const json = options.json ?? join(here, '..', 'runs', 'bench', 'suites.json');

// The last core: the first ones serve most interrupts.
const core = which('taskset') === undefined ? undefined : allowedCores().at(-1);
const watchBefore = watchLoad();
await new Promise((resolve) => setTimeout(resolve, 300));
const before = watchBefore();
const watchDuring = watchLoad();
const begin = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'espalier-suites-'));
const suites = [];
const failed = [];
try {
  for (const name of positionals.length === 0 ? there : positionals) {
    const file = join(folder, `${name}.json`);
    const node = [
      join(here, 'suites', `${name}.mjs`),
      '--json',
      file,
      ...(options.quick ? ['--quick'] : []),
      ...(options.short ? ['--short'] : []),
    ];
    const [command, args] =
      core === undefined
        ? [process.execPath, node]
        : ['taskset', ['-c', String(core), process.execPath, ...node]];
    const { status, signal } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status === 0) suites.push(JSON.parse(readFileSync(file, 'utf8')));
    else failed.push({ suite: name, status, signal });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const during = watchDuring();
const seconds = (performance.now() - begin) / 1000;
const load = { before, during, noisy: before > 0.5 || during > 1.5 };

for (const { suite, results } of suites) {
  // Bytes are printed by their suite: they have no times.
  if (suite === 'size') continue;
  const references = Object.keys(results[0]?.over ?? {});
  const table = new Table({
    style: { head: [], border: [], compact: true },
    head: ['network', 'batch', 'engine', 'p50', 'IQR', 'samples', ...references.map((id) => `time / ${id}`)],
    colAligns: ['left', 'right', 'left', ...Array(3 + references.length).fill('right')],
  });
  for (const { network, batch, name, p50, q25, q75, samples, callsInside, noisy, over } of results) {
    table.push([
      network,
      batch,
      `${name}${callsInside > 1 ? ` (${callsInside} calls a case)` : ''}`,
      `${time(p50)}${noisy ? ' !' : ''}`,
      `${((100 * (q75 - q25)) / p50).toFixed(1)} %`,
      samples,
      ...references.map((id) => `${over[id].toFixed(2)}×`),
    ]);
  }
  console.log(`\n${suite}\n${table.toString()}`);
}
for (const { suite, status, signal } of failed) console.error(`${suite} failed (${signal ?? status})`);
console.log(
  `${suites.length} suites in ${seconds.toFixed(0)} s, ${core === undefined ? 'not pinned' : `pinned to core ${core}`}, ` +
    `one thread; busy cores ${before.toFixed(1)} before, ${during.toFixed(1)} during` +
    `${options.quick ? '; --quick: these are no figures' : load.noisy ? '; warning: others were computing' : ''}`,
);
mkdirSync(dirname(json), { recursive: true });
const result = {
  format: 'espalier-suites',
  version: 1,
  created: new Date().toISOString(),
  quick: options.quick,
  short: options.short,
  machine: await describeMachine(),
  settings: { threads: 1, core: core ?? null },
  load,
  seconds,
  failed,
  suites,
};
await writeFileAtomic(json, `${JSON.stringify(result, null, 1)}\n`);
console.log(`written: ${json}`);
process.exitCode = failed.length === 0 ? 0 : 1;
