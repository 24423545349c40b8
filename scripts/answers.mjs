#!/usr/bin/env node
/**
 * What the golden models become and answer, one line each: the hash of the .esp file in each value format, and, on each
 * instruction set that this machine has, the hash of the answers to seeded inputs. Nothing of it may change unless a
 * change is meant to change it:
 *
 *   node scripts/answers.mjs > before      (then change, and npm run build:ts)
 *   node scripts/answers.mjs > after; diff before after
 *
 * `--from FOLDER` takes another clone of espalier (built: its dist and addon) with the golden models of this one.
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(import.meta.dirname, '..');
const golden = join(root, 'test/golden');
const { from } = parseArgs({ options: { from: { type: 'string', default: root } } }).values;
const load = (file) => import(pathToFileURL(join(resolve(from), 'dist', file)).href);
const { convertModel, loadModel } = await load('index.js');
const { addon } = await load('engine/find.js');

const FORMATS = ['float32', 'bfloat16', 'int8'];
const BATCHES = [1, 3, 17, 64];
/** Stands for each size that a model leaves open. */
const OPEN_EXTENT = 12;

/** Every model: a folder with a model.json, an .h5 or a .keras file. Those that are refused tell their error code. */
function models() {
  const files = readdirSync(golden, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^model\.json$|\.(h5|keras)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return files.map((path) => relative(golden, path).split(sep).join('/')).sort();
}

function sha256(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Numbers from 0 to 1 (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fractions of both signs for what computes, small whole numbers for what looks up and masks. */
const INPUTS = { fractions: (random) => random() * 2 - 1, wholes: (random) => Math.floor(random() * 4) };

function inputsOf({ inputs }, batch, draw) {
  const random = seeded(batch);
  const open = inputs.some(({ shape }) => shape.slice(1).includes(null));
  return inputs.map(({ shape }) => {
    const extents = [batch, ...shape.slice(1).map((extent) => extent ?? OPEN_EXTENT)];
    const size = extents.reduce((product, extent) => product * extent, 1);
    const data = Float32Array.from({ length: size }, () => draw(random));
    return open ? { data, shape: extents } : data;
  });
}

/** The arrays of an answer, whatever its form, in the order of the outputs. */
function arraysOf(answer) {
  if (answer instanceof Float32Array) return [answer];
  if (answer.data instanceof Float32Array) return [answer.data];
  return Object.values(answer).flatMap(arraysOf);
}

/** What `work` answers, or the code of its refusal. */
async function told(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code === undefined) throw error;
    return `refused ${error.code}`;
  }
}

async function answersOf(esp, isa) {
  const model = await loadModel(esp, { isa, threads: 1 });
  try {
    const lines = [];
    for (const [kind, draw] of Object.entries(INPUTS)) {
      for (const batch of BATCHES) {
        const hash = await told(async () => {
          const arrays = arraysOf(await model.run(inputsOf(model, batch, draw)));
          return sha256(
            ...arrays.map(({ buffer, byteOffset, byteLength }) =>
              Buffer.from(buffer, byteOffset, byteLength),
            ),
          );
        });
        lines.push(`${isa} ${kind} batch ${batch}: ${hash}`);
      }
    }
    return lines;
  } finally {
    model.dispose();
  }
}

for (const name of models()) {
  for (const values of FORMATS) {
    const what = `${name} ${values}`;
    const esp = await told(() => convertModel(join(golden, name), undefined, { values }));
    console.log(`${what} esp: ${typeof esp === 'string' ? esp : sha256(esp)}`);
    if (typeof esp === 'string') continue;
    for (const isa of addon().cpu().available) {
      for (const line of await answersOf(esp, isa)) console.log(`${what} ${line}`);
    }
  }
}
