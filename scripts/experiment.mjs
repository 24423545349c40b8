#!/usr/bin/env node
/**
 * `npm run experiment`: the whole table of README. Trains the dense network for 100 epochs with three seeds, prunes it
 * to 0.3, 0.5, 0.75 (three seeds) and 0.9, compares each with the dense network it came from on held-out days, and
 * writes experiment.json and experiment.md.
 *
 *   node scripts/experiment.mjs [--output DIR] [--quick] [--readme]
 *
 * Safe to interrupt: run again, it goes on with the run and the epoch where it stopped. --quick: a tenth of the epochs,
 * one seed, to see that all works. --readme: puts the table between the experiment marks of README.md.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seconds } from '../install/run.mjs';
import { reportFailure, root, setup } from './setup.mjs';
import { experimentTable, replaceBetweenMarks } from '../examples/flights/report.mjs';

const at = process.argv.indexOf('--output');
const quick = process.argv.includes('--quick');
const output =
  at === -1 ? join(root, quick ? 'runs/experiment-quick' : 'runs/experiment') : process.argv[at + 1];
const SEEDS = quick ? [1] : [1, 2, 3];
const DENSE_EPOCHS = quick ? 10 : 100;

const shorter = (settings) =>
  quick
    ? { ...settings, epochs: Math.ceil(settings.epochs / 10), warmUp: Math.min(1, settings.warmUp) }
    : settings;

/** In the order in which they run: what matters most first. */
function plannedRuns() {
  const dense = (seed) => ({ name: `dense-${seed}`, seed, epochs: DENSE_EPOCHS });
  const pruned = (sparsity, epochs, warmUp, seed) => ({
    name: `sparse-${sparsity}-${seed}`,
    from: `dense-${seed}`,
    ...shorter({ sparsity, epochs, warmUp }),
    seed,
  });
  const first = [
    dense(1),
    pruned(0.75, 35, 3, 1),
    pruned(0.3, 33, 0, 1),
    pruned(0.5, 20, 3, 1),
    pruned(0.9, 35, 3, 1),
  ];
  return [...first, ...SEEDS.slice(1).flatMap((seed) => [dense(seed), pruned(0.75, 35, 3, seed)])];
}

/** The result of a run that was done before with these settings. */
function done(folder, settings) {
  const path = join(folder, 'result.json');
  if (!existsSync(path)) return undefined;
  const result = JSON.parse(readFileSync(path, 'utf8'));
  return JSON.stringify(result.settings) === JSON.stringify(settings) ? result : undefined;
}

async function main() {
  const started = Date.now();
  await setup();
  const [flights, runs, { interruptSignal }, { writeFileAtomic }, { describeMachine }] = await Promise.all([
    import('../examples/flights/prepare.mjs'),
    import('../examples/flights/runs.mjs'),
    import('../dist/cli/training-progress.js'),
    import('../dist/files.js'),
    import('../dist/measure/race/machine.js'),
  ]);
  const espalier = await runs.load();
  const path = await flights.prepareFlights({ say: (text) => console.log(text) });
  const table = await espalier.readTable(path);
  const { signal } = interruptSignal();
  const results = [];
  const planned = plannedRuns();
  for (const [index, run] of planned.entries()) {
    const { name, from, seed, epochs, warmUp, sparsity } = run;
    const folder = join(output, name);
    const settings = from === undefined ? { ...runs.DENSE, epochs, seed } : { from, ...runs.recipe(run) };
    console.log(`\n── ${index + 1}/${planned.length} ${name} (${seconds(Date.now() - started)} so far)`);
    let result = done(folder, settings);
    if (result !== undefined) console.log('done before');
    else {
      const begun = Date.now();
      const common = { table, output: folder, signal };
      const { state } =
        from === undefined
          ? await runs.trainDense(espalier, { ...common, epochs, seed })
          : await runs.prune(espalier, {
              ...common,
              model: join(output, from),
              sparsity,
              epochs,
              warmUp,
              seed,
            });
      const spent = (Date.now() - begun) / 1000;
      const { a, b, comparison } = await espalier.analyze({
        ...(from === undefined ? { a: folder } : { a: join(output, from), b: folder }),
        ...{ data: table, target: flights.TARGET },
      });
      const { samples, all, layers, sparsity: reached, sizes } = b ?? a;
      result = {
        ...{ name, from, seed, epochs, warmUp, target: sparsity ?? 0, settings, best: state.best },
        ...{
          epochsRun: state.history.length,
          seconds: spent,
          sparsity: reached,
          layers,
          samples,
          all,
          sizes,
          comparison,
        },
      };
      await writeFileAtomic(join(folder, 'result.json'), `${JSON.stringify(result, null, 1)}\n`);
    }
    console.log(
      `${name}: RMSE ${result.all.rmse.toFixed(3)}, pred/true ${result.all.ratio.mean.toFixed(4)}, sparsity ${result.sparsity.toFixed(4)}`,
    );
    results.push(result);
    // What is there so far, so that a stop loses nothing.
    const report = {
      ...{
        format: 'espalier-experiment',
        version: 1,
        quick,
        baseline: { routeMeanRmse: runs.routeMeanRmse(table) },
      },
      ...{ rows: table.rows, heldOut: result.all.samples, machine: await describeMachine(), runs: results },
    };
    await writeFileAtomic(join(output, 'experiment.json'), `${JSON.stringify(report, null, 1)}\n`);
    await writeFileAtomic(join(output, 'experiment.md'), experimentTable(report));
  }
  const markdown = readFileSync(join(output, 'experiment.md'), 'utf8');
  console.log(`\n${markdown}`);
  if (process.argv.includes('--readme')) {
    const readme = join(root, 'README.md');
    await writeFileAtomic(readme, replaceBetweenMarks(readFileSync(readme, 'utf8'), markdown));
    console.log('README.md has the table');
  }
  console.log(`written to ${output} in ${seconds(Date.now() - started)}`);
}

try {
  await main();
} catch (error) {
  if (error?.code === 'INTERRUPTED') console.error(`\n${error.message}; npm run experiment does`);
  process.exitCode = error?.code === 'INTERRUPTED' ? 130 : reportFailure(error);
}
