/** The command `espalier train`: its options, with or without pruning while it trains. */
import type { Command } from 'commander';
import { invalid } from '../../errors.js';
import type { Recipe } from '../../recipe/recipe.js';
import { addSplitOptions, shareOption, splitSettings, type DataOptions } from '../data-options.js';
import { LateCommand } from '../late-command.js';
import { wholeOption } from '../options.js';
import type { PruningOptions } from '../pruning-options.js';
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
  return new LateCommand('train', addOptions)
    .description('train a network on a CSV file: numbers are standardised, texts become one input a category')
    .action(async (options: Options, self: Command) => {
      const { asksToPrune, recipeOfOptions } = await import('../pruning-options.js');
      const recipe = await recipeOfOptions(self, options);
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

/** What `train` says otherwise than the recipe of a pruning, whose defaults are others too. */
const TRAINING_HELP: Partial<Record<(typeof TRAINING)[number], string>> = {
  epochs: 'passes over the training rows',
  patience: 'end when so many epochs bring nothing better',
  seed: 'starting weights and shuffling: the same seed, the same result',
};

async function addOptions(command: Command): Promise<void> {
  const [{ addMaskOptions }, { settingOption }, { recipeSchema }, { TRAIN_DEFAULTS }] = await Promise.all([
    import('../pruning-options.js'),
    import('../setting-option.js'),
    import('../../recipe/recipe.js'),
    import('../../train/train.js'),
  ]);
  const { shape } = recipeSchema;
  const defaults: Partial<Record<string, unknown>> = TRAIN_DEFAULTS;
  command
    .requiredOption('--data <file.csv>', 'table with a header')
    .requiredOption('--target <column>', 'column of numbers to predict; all others are inputs')
    .option('--network <units>', 'units of the hidden layers', TRAIN_DEFAULTS.hidden.join(','))
    .option('--activation <name>', 'activation of the hidden layers', TRAIN_DEFAULTS.activation)
    .option(
      '--dropout <shareOption>',
      'dropout after each hidden layer',
      shareOption('dropout'),
      TRAIN_DEFAULTS.dropout,
    );
  for (const name of TRAINING) {
    const text = TRAINING_HELP[name];
    const option = settingOption(shape[name], name, { ...(text && { text }), fallback: undefined });
    command.addOption(option.default(defaults[name]));
  }
  command.addOption(
    settingOption(shape.sparsity, 'sparsity', {
      text: `prune while it trains: ${shape.sparsity.description}`,
    }),
  );
  addMaskOptions(command, [...TRAINING, 'sparsity']);
  addSplitOptions(command)
    .option('--threads <number>', "TensorFlow's threads (default: all cores)", wholeOption('threads', 1))
    .option('--tensorboard <folder>', 'write TensorBoard logs')
    .option('--resume', 'go on from the checkpoint in the output folder')
    .option('--dry-run', 'print the network, the steps and, where it is pruned, every trap; train nothing')
    .option('--output <folder>', 'gets model.json, preprocessing.json, training.json and the checkpoint');
}

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
