#!/usr/bin/env node
/**
 * `npm run demo`: everything in a few minutes. Sets up, makes the table of 327,346 flights, trains, prunes to 0.75,
 * compares on held-out days, converts, runs, and measures beside the others.
 *
 *   node scripts/demo.mjs [--output DIR]      default runs/demo
 *
 * Exits with 1 if the dense network does not beat the mean per route, or if the sparse one is more than 3 % worse.
 */
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { seconds } from '../install/run.mjs';
import { reportFailure, root, setup } from './setup.mjs';

const DENSE_EPOCHS = 14;
const PRUNE = { sparsity: 0.75, epochs: 13, warmUp: 1, seed: 1 };
/** The sparse network may be this much worse than the dense one. */
const TOLERANCE = 1.03;

const at = process.argv.indexOf('--output');
const output = at === -1 ? join(root, 'runs/demo') : process.argv[at + 1];
const [dense, sparse] = [join(output, 'dense'), join(output, 'sparse')];

const started = Date.now();
let number = 0;
function step(title, command) {
  number += 1;
  console.log(`\n── ${number}. ${title} (${seconds(Date.now() - started)} so far)`);
  if (command !== undefined) console.log(`   as by: ${command}`);
}

const short = (path) => relative(process.cwd(), path) || '.';

/** Runs a command of the package with its output shown; its exit code. */
function espalier(...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), ...args], { stdio: 'inherit' });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function verdict(failures, holds, text) {
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${text}`);
  if (!holds) failures.push(text);
}

async function main() {
  step('set-up');
  await setup();
  const flights = await import('../examples/flights/prepare.mjs');
  const runs = await import('../examples/flights/runs.mjs');
  const { interruptSignal } = await import('../dist/cli/training-progress.js');
  const { signal, release } = interruptSignal();

  step('the table', 'node examples/flights/prepare.mjs');
  const path = await flights.prepareFlights({ say: (text) => console.log(text) });
  const package_ = await runs.load();
  const table = await package_.readTable(path);
  const baseline = runs.routeMeanRmse(table);
  console.log(
    `${table.rows} flights; on the held-out days the mean per route has RMSE ${baseline.toFixed(2)} minutes`,
  );
  const data = `--data ${path} --target ${flights.TARGET}`;

  // A demo begins anew: only the caches stay.
  rmSync(output, { recursive: true, force: true });
  const { hidden, batchSize, weightDecay } = runs.DENSE;
  step(
    `train, ${DENSE_EPOCHS} epochs`,
    `espalier train ${data} --split ${flights.SPLIT} --network ${hidden} --epochs ${DENSE_EPOCHS} --batch-size ${batchSize} ` +
      `--weight-decay ${weightDecay} --output ${short(dense)}`,
  );
  await runs.trainDense(package_, { table, epochs: DENSE_EPOCHS, seed: 1, output: dense, signal });

  const { ramp, frequency } = runs.recipe(PRUNE);
  step(
    `prune to ${PRUNE.sparsity}, ${PRUNE.warmUp} + ${PRUNE.epochs} epochs`,
    `espalier prune ${short(dense)} ${data} --sparsity ${PRUNE.sparsity} --epochs ${PRUNE.epochs} --warm-up ${PRUNE.warmUp} ` +
      `--ramp ${ramp} --frequency ${frequency} --output ${short(sparse)}`,
  );
  const tensorboard = join(output, 'logs');
  await runs.prune(package_, { ...PRUNE, table, model: dense, output: sparse, signal, tensorboard });
  console.log(`sparsity over time: tensorboard --logdir ${short(tensorboard)}`);

  step('compare on held-out days', `espalier analyze ${short(dense)} ${short(sparse)} ${data}`);
  const analysis = await package_.analyze({ a: dense, b: sparse, data: table, target: flights.TARGET });
  console.log(
    package_.renderAnalysis({
      ...analysis,
      a: { ...analysis.a, source: 'dense' },
      b: { ...analysis.b, source: 'pruned' },
    }),
  );

  const esp = join(output, 'flights.esp');
  step('convert', `espalier convert ${short(sparse)} ${short(esp)}`);
  const bytes = await package_.convertModel(sparse, esp);
  console.log(`${short(esp)}: ${bytes.length.toLocaleString('en-US')} bytes`);

  step(
    'run',
    `espalier run ${short(esp)} --input ${short(join(output, 'input.bin'))} --output-dir ${short(output)}`,
  );
  const failures = [];
  const [{ Dataset, readPreprocessing }, { readFile }] = await Promise.all([
    import('../dist/table/dataset.js'),
    import('node:fs/promises'),
  ]);
  const dataset = new Dataset(table, await readPreprocessing(sparse));
  const rows = dataset.split.test.slice(0, 1000);
  writeFileSync(join(output, 'input.bin'), new Uint8Array(dataset.encoder.encode(rows).buffer));
  const ran = await espalier('run', esp, '--input', join(output, 'input.bin'), '--output-dir', output);
  verdict(failures, ran === 0, 'the converted network runs');
  if (ran === 0) {
    const answer = await readFile(join(output, 'outputs.0.bin'));
    const predicted = new Float32Array(answer.buffer, answer.byteOffset, answer.length / 4);
    for (const row of [0, 1, 2]) {
      const truth = dataset.target[rows[row]];
      console.log(`flight ${row + 1}: ${predicted[row].toFixed(1)} minutes predicted, ${truth} flown`);
    }
  }
  release();

  step('measure', `espalier bench ${short(esp)} --batch 1,64 --json ${short(join(output, 'bench.json'))}`);
  const measured = await espalier('bench', esp, '--batch', '1,64', '--json', join(output, 'bench.json'));
  verdict(failures, measured === 0, 'espalier bench');

  const [denseRmse, sparseRmse] = [analysis.a.all.rmse, analysis.b.all.rmse];
  const more = ((sparseRmse / denseRmse - 1) * 100).toFixed(2);
  verdict(
    failures,
    denseRmse < baseline,
    `dense RMSE ${denseRmse.toFixed(3)} beats the ${baseline.toFixed(2)} of the mean per route`,
  );
  verdict(
    failures,
    sparseRmse <= denseRmse * TOLERANCE,
    `sparsity ${analysis.b.sparsity.toFixed(3)}: RMSE ${sparseRmse.toFixed(3)}, ${more} % more than dense`,
  );
  console.log(
    `\ndemo: ${failures.length === 0 ? 'all well' : `${failures.length} failed`} in ${seconds(Date.now() - started)}`,
  );
  return failures.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = error?.code === 'INTERRUPTED' ? 130 : reportFailure(error);
}
