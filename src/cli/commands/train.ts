import { Command } from 'commander';
import { invalid } from '../../errors.js';
import type { Recipe } from '../../recipe/recipe.js';
import { addSplitOptions, share, splitSettings, type DataOptions } from '../data-options.js';
import { numberOption, wholeOption } from '../options.js';
import { addMaskOptions, asksToPrune, recipeOf, type PruningOptions } from '../pruning-options.js';
import { interruptSignal, trainingProgress } from '../training-progress.js';
import { dryRun, printResult, pruneAndPrint } from '../training-runs.js';

interface Options extends DataOptions, PruningOptions {
  network: string;
  activation: string;
  dropout: number;
  epochs: number;
  batchSize: number;
  learningRate: number;
  decay: string;
  weightDecay: number;
  patience?: number;
  seed: number;
  threads?: number;
  tensorboard?: string;
  resume?: boolean;
  dryRun?: boolean;
  output?: string;
}

/** `espalier train`: a CSV file and a target column in, a trained network out. */
export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a network on a CSV file: numbers are standardised, texts become one input a category')
    .requiredOption('--data <file.csv>', 'table with a header')
    .requiredOption('--target <column>', 'column of numbers to predict; all others are inputs')
    .option('--network <units>', 'units of the hidden layers', '256,128,128')
    .option('--activation <name>', 'activation of the hidden layers', 'relu')
    .option('--dropout <share>', 'dropout after each hidden layer', share('dropout'), 0)
    .option('--epochs <number>', 'passes over the training rows', wholeOption('epochs', 1), 100)
    .option('--batch-size <number>', 'rows a step', wholeOption('batch-size', 1), 256)
    .option(
      '--learning-rate <rate>',
      "Adam's learning rate at the begin",
      numberOption('learning-rate', 'a number above 0', (value) => value > 0),
      0.001,
    )
    .option('--decay <kind>', 'how the learning rate falls: cosine, exponential or constant', 'cosine')
    .option(
      '--weight-decay <number>',
      'decoupled weight decay, times the learning rate (AdamW)',
      numberOption('weight-decay', 'a number from 0', (value) => value >= 0),
      0.01,
    )
    .option('--patience <epochs>', 'end when so many epochs bring nothing better', wholeOption('patience', 1))
    .option(
      '--seed <number>',
      'starting weights and shuffling: the same seed, the same result',
      wholeOption('seed', 0),
      1,
    );
  addMaskOptions(command).option(
    '--sparsity <share>',
    'prune while it trains: share of zeros in each layer at the end, from 0 and below 1',
    share('sparsity'),
  );
  return addSplitOptions(command)
    .option('--threads <number>', "TensorFlow's threads (default: all cores)", wholeOption('threads', 1))
    .option('--tensorboard <folder>', 'write TensorBoard logs')
    .option('--resume', 'go on from the checkpoint in the output folder')
    .option('--dry-run', 'print the network, the steps and, where it is pruned, every trap; train nothing')
    .option('--output <folder>', 'gets model.json, preprocessing.json, training.json and the checkpoint')
    .action(async (options: Options, self: Command) => {
      const recipe = await recipeOf(self, options);
      const { epochs, batchSize, learningRate, decay, weightDecay, patience, seed } = options;
      // What was given on the command line is in the recipe already; the recipe's own win over defaults.
      const settings = {
        ...{ epochs, batchSize, learningRate, decay, weightDecay, patience, seed },
        ...Object.fromEntries(TRAINING.flatMap((n) => (recipe[n] === undefined ? [] : [[n, recipe[n]]]))),
      };
      if (recipe.oneShot ?? recipe.scan) {
        const expected = 'a trained model: `espalier prune` scans it or prunes it in one step';
        throw invalid('INVALID_ARGUMENT', recipe.oneShot ? 'one-shot' : 'scan', expected, 'a new network');
      }
      return asksToPrune(recipe)
        ? trainPruned({ ...options, ...settings }, { ...recipe, ...(settings as Recipe) })
        : trainDense({ ...options, ...settings });
    });
}

const TRAINING = ['epochs', 'batchSize', 'learningRate', 'decay', 'weightDecay', 'patience', 'seed'] as const;

function outputOf({ output }: Options): string {
  if (output === undefined) throw invalid('INVALID_ARGUMENT', 'output', 'a folder, by --output', undefined);
  return output;
}

async function networkOf(options: Options) {
  const [{ parseNetwork }, { parseDecay }] = await Promise.all([
    import('../../train/network.js'),
    import('../../train/learning-rate.js'),
  ]);
  const { activation, dropout } = options;
  return { hidden: parseNetwork(options.network), activation, dropout, decay: parseDecay(options.decay) };
}

/** A new network that is pruned while it trains. */
async function trainPruned(options: Options, recipe: Recipe): Promise<void> {
  const { decay, ...model } = await networkOf(options);
  const { data, target, threads, tensorboard, resume } = options;
  const shared = {
    ...{ model, data, target, threads, tensorboard, resume, split: splitSettings(options) },
    ...{ recipe: { ...recipe, decay }, progress: trainingProgress() },
  };
  if (options.dryRun === true) return dryRun(shared);
  return pruneAndPrint(shared, outputOf(options));
}

async function trainDense(options: Options): Promise<void> {
  const { describeNetwork, train } = await import('../../train/train.js');
  const progress = trainingProgress();
  const given = { ...options, ...(await networkOf(options)), split: splitSettings(options), progress };
  if (options.dryRun === true) {
    console.log(await describeNetwork(given));
    return;
  }
  const output = outputOf(options);
  const { signal, release } = interruptSignal();
  try {
    const result = await train({ ...given, output, signal });
    progress.stop();
    printResult(result, output);
  } finally {
    progress.stop();
    release();
  }
}
