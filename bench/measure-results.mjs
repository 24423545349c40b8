/**
 * `npm run bench:results [-- STUDY…]`: measures what docs/results shows, while nothing else runs (10 to 20 minutes), and
 * makes its pages again. Models are looked for where these write them; a study without its models is left as it is.
 *
 *   npm run experiment                                                                              runs/experiment
 *   node examples/digits/prune.mjs --seeds 1 --sparsities 0.75,0.9 --save runs/digits               runs/digits
 *   PYTHONPATH=<tf_keras> python3 bench/networks.py runs/networks mobilenetv1 vgg32 resnet50        runs/networks
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mobileNet } from '../examples/one-shot/models.mjs';
import { prepareFlights, TARGET } from '../examples/flights/prepare.mjs';
import { espBytes } from '../dist/measure/source.js';
import { networkOf } from './networks.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const asked = process.argv.slice(2);

// Reports tell the commands: there, models have the same names on every machine.
const folder = 'runs/results';
mkdirSync(folder, { recursive: true });
function named(name, target) {
  const link = join(folder, name);
  rmSync(link, { force: true });
  if (!existsSync(target)) return undefined;
  symlinkSync(resolve(target), link);
  return link;
}

/** The dense network and what was pruned of it, with their accuracy on a table's held-out rows. */
function trained(title, given, suffix, table, options) {
  const dense = named(`${title}-dense`, join(given, `dense${suffix}`));
  const data = named(`${title}.csv`, table);
  return ['dense', 'sparse-0.3', 'sparse-0.5', 'sparse-0.75', 'sparse-0.9'].map((name) => {
    const model = named(`${title}-${name}`, join(given, `${name}${suffix}`));
    return dense && model && data && [name, model, '--data', data, ...options, '--dense', dense];
  });
}

async function imposed(name, units) {
  const path = join(folder, `${name}.esp`);
  writeFileSync(path, await espBytes(networkOf(units, 0)));
  return [['one-shot', path, '--sparsity', '0.5,0.75,0.9']];
}

function images(name) {
  return ['', '-0.75', '-0.9'].map((sparsity) => {
    const model = named(`${name}${sparsity}.h5`, join('runs/networks', `${name}${sparsity}.h5`));
    return model && [sparsity === '' ? 'dense' : `one-shot${sparsity}`, model, '--batch', '1'];
  });
}

/** Trained by others: npm nsfwjs. Fetched where it is not yet there. */
async function nsfwjs() {
  mkdirSync('runs/networks', { recursive: true });
  await mobileNet('runs/networks');
  return [['one-shot', 'runs/networks/nsfwjs/model.json', '--sparsity', '0.75,0.9', '--batch', '1']];
}

const flights = await prepareFlights({ say: (text) => console.log(text) });
/** Of each study its runs: a name and the arguments of `espalier bench`; undefined where a model is absent. */
const STUDIES = {
  flights: trained('flights', 'runs/experiment', '-1', flights, ['--target', TARGET]),
  'lenet-300-100': trained('digits', 'runs/digits', '', 'runs/digits/digits.csv', [
    ...['--target', 'digit', '--split', 'part'],
  ]),
  'mlp-16-64-32-32-5': await imposed('mlp-16-64-32-32-5', [16, 64, 32, 32, 5]),
  'mlp-784-1024-1024-10': await imposed('mlp-784-1024-1024-10', [784, 1024, 1024, 10]),
  mobilenetv1: images('mobilenetv1'),
  mobilenetv2: await nsfwjs(),
  vgg32: images('vgg32'),
  resnet50: images('resnet50'),
};

const unknown = asked.find((name) => !Object.hasOwn(STUDIES, name));
if (unknown !== undefined) {
  console.error(`expected studies among ${Object.keys(STUDIES).join(', ')}, received ${unknown}`);
  process.exit(2);
}
const node = (args, stdio) => spawnSync(process.execPath, args, { stdio }).status;
for (const [study, all] of Object.entries(STUDIES)) {
  if (asked.length > 0 && !asked.includes(study)) continue;
  const runs = all.filter((run) => run !== undefined);
  if (runs.length === 0) console.log(`${study}: its models are absent; left as it is`);
  for (const [name, ...args] of runs) {
    console.log(`${study}, ${name}`);
    const data = join('docs/results/data', study);
    mkdirSync(data, { recursive: true });
    const command = ['bench', ...args, '--rounds', '9', '--min-time', '0.6', '--json'];
    const status = node(
      ['dist/cli/main.js', ...command, join(data, `${name}.json`)],
      ['ignore', 'ignore', 'inherit'],
    );
    if (status !== 0) process.exit(1);
  }
}
process.exitCode = node(['bench/results.mjs'], 'inherit');
