/** The child of scripts/fuzz.mjs: reads damaged files and tells what came of each. */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const dist = (file) => import(pathToFileURL(join(import.meta.dirname, '../../dist', file)).href);
const { EspalierError, loadModel } = await dist('index.js');
const { predict } = await dist('predict/predict.js');
const { readCheckpoint } = await dist('train/checkpoint.js');
const { readRecipe } = await dist('recipe/recipe.js');
const { readTable } = await dist('table/table.js');

const folder = process.argv[2];
const TABLES = ['arrow', 'parquet', 'csv', 'jsonl', 'npy'];

async function run(path) {
  // The reader's own deadline is that of the fuzzer: what it ends in time is refused as it should be.
  const model = await loadModel(path, { threads: 1, timeout: 4500 });
  try {
    const inputs = Object.fromEntries(
      model.inputs.map(({ name, shape }) => {
        const extents = [2, ...shape.slice(1).map((extent) => extent ?? 3)];
        return [name, { data: new Float32Array(extents.reduce((a, b) => a * b, 1)), shape: extents }];
      }),
    );
    model.runSync(inputs);
  } finally {
    model.dispose();
  }
}

async function read(format, path) {
  if (format === 'checkpoint') return readCheckpoint(path);
  if (format === 'yaml') return readRecipe(path);
  if (format === 'table') return readTable(path);
  if (!TABLES.includes(format)) return run(format === 'tfjs' ? dirname(path) : path);
  const output = join(folder, 'scores.csv');
  try {
    const columns = format === 'npy' ? {} : { columns: ['a', 'b'] };
    const keep = format === 'parquet' ? { keep: ['id', 'kind'] } : {};
    const model = join(folder, 'model.esp');
    return await predict({ model, input: path, output, threads: 1, ...columns, ...keep });
  } finally {
    await Promise.all(
      ['', '.partial', '.progress.json'].map((end) => rm(`${output}${end}`, { force: true })),
    );
  }
}

process.on('message', async ({ format, path }) => {
  const before = process.memoryUsage.rss();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
  const began = performance.now();
  const outcome = { code: 'read' };
  try {
    await read(format, path);
  } catch (error) {
    outcome.code = error?.code;
    if (!(error instanceof EspalierError) || error.code === 'INTERNAL') {
      outcome.fault = `${error?.name} ${String(error?.message).split('\n')[0]}`;
    }
  }
  outcome.ms = Math.round(performance.now() - began);
  clearInterval(watch);
  outcome.grown = Math.max(most, process.memoryUsage.rss()) - before;
  process.send(outcome);
});
