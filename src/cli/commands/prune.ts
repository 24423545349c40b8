/** The command `espalier prune`: its options, and which of the works of a recipe they ask for. */
import type { Command } from 'commander';
import { invalid } from '../../errors.js';
import type { Recipe } from '../../recipe/recipe.js';
import { LateCommand } from '../late-command.js';
import { wholeOption } from '../options.js';
import type { PruningOptions } from '../pruning-options.js';
import { trainingProgress } from '../training-progress.js';
import { describeMetrics, dryRun, printLayers, pruneAndPrint, type Shared } from '../training-runs.js';
import { addSplitOptions, givenSplit, type SplitOptions } from '../data-options.js';
import { IMPORTED } from '../../import/formats.js';

interface Options extends SplitOptions, PruningOptions {
  data?: string;
  target?: string;
  threads?: number;
  tensorboard?: string;
  tensorboardEvery?: number;
  resume?: boolean;
  dryRun?: boolean;
  output?: string;
}

function required(name: 'data' | 'target' | 'output', value: string | undefined): string {
  const expected = { data: 'a CSV file', target: 'a column', output: 'a folder' }[name];
  if (value === undefined) throw invalid('INVALID_ARGUMENT', name, `${expected}, by --${name}`, undefined);
  return value;
}

async function oneShot(model: string, recipe: Recipe, options: Options, shared: Omit<Shared, 'model'>) {
  const { pruneOnce, planPruneOnce } = await import('../../recipe/prune-once.js');
  const { data, target, dryRun } = options;
  const given = { ...shared, model, recipe, data, target };
  if (dryRun === true) {
    const { method, layers } = await planPruneOnce({ ...given, output: '' });
    const { framelessTable } = await import('../plan-text.js');
    const rows = layers.map(({ name, weights, present, target: then, parameters }) => [
      ...[name, String(weights), present.toFixed(4), then.toFixed(4), String(parameters ?? weights)],
    ]);
    console.log(`one-shot, ${method}`);
    console.log(framelessTable([['layer', 'weights', 'sparsity now', 'then', 'parameters'], ...rows]));
    return;
  }
  const output = required('output', options.output);
  const { layers, sparsity, before, after } = await pruneOnce({ ...given, output });
  printLayers(layers, sparsity);
  if (before) console.log(`dense:  ${describeMetrics(before)}`);
  if (after) console.log(`pruned: ${describeMetrics(after)}`);
  console.log(`written to ${output}`);
}

async function scan(shared: Shared, output: string | undefined): Promise<void> {
  const [{ scanRun }, { writeScan }, { describeScan }] = await Promise.all([
    import('../../recipe/train-and-prune.js'),
    import('../../recipe/scan.js'),
    import('../plan-text.js'),
  ]);
  const report = await scanRun({ ...shared, output: '' });
  console.log(describeScan(report));
  if (output === undefined) return;
  const written = await writeScan(output, report, shared.recipe);
  console.log(`written to ${output}: ${written.join(', ')}`);
}

/** `espalier prune`: a trained model and its data in, a sparse model out. */
export function pruneCommand(): Command {
  return new LateCommand('prune', addOptions)
    .description(
      'train a model on while its smallest weights are set to zero, by a schedule, and keep it good',
    )
    .argument('<model>', `what \`espalier train\` wrote, or any model of one input: ${IMPORTED}`)
    .action(async (model: string, options: Options, self: Command) => {
      const progress = trainingProgress();
      const { recipeOfOptions } = await import('../pruning-options.js');
      const recipe = await recipeOfOptions(self, options);
      const { threads, tensorboard, tensorboardEvery, resume } = options;
      const common = {
        ...{ recipe, threads, tensorboard, tensorboardEvery, resume, progress },
        split: givenSplit(self, options),
      };
      if (recipe.oneShot) {
        return oneShot(model, recipe, options, { ...common, data: '', target: '' });
      }
      const [data, target] = [required('data', options.data), required('target', options.target)];
      const shared = { ...common, model, data, target };
      if (options.scan === true) return scan(shared, options.output);
      const { sparsityMissing, tellsSparsity } = await import('../../recipe/recipe.js');
      if (!tellsSparsity(recipe)) throw sparsityMissing();
      if (options.dryRun === true) return dryRun(shared);
      return pruneAndPrint(shared, required('output', options.output));
    });
}

async function addOptions(command: Command): Promise<void> {
  const { addMaskOptions, addOneShotAndScan } = await import('../pruning-options.js');
  command
    .option('--data <file.csv>', 'table with a header')
    .option('--target <column>', 'column of numbers to predict');
  addOneShotAndScan(addMaskOptions(command));
  addSplitOptions(command, true)
    .option('--threads <number>', "TensorFlow's threads (default: all cores)", wholeOption('threads', 1))
    .option('--tensorboard <folder>', 'write TensorBoard logs, with the sparsity of each layer')
    .option(
      '--tensorboard-every <steps>',
      'steps between two entries',
      wholeOption('tensorboard-every', 1),
      1,
    )
    .option('--resume', 'go on from the checkpoint in the output folder')
    .option('--dry-run', 'print the schedule, the layers and every trap, and train nothing')
    .option('--output <folder>', 'gets model.json, preprocessing.json, training.json and the checkpoint');
}
