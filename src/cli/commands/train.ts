import { Command } from 'commander';
import { invalid } from '../../errors.js';
import type { Metrics } from '../../train/metrics.js';
import type { SplitSettings } from '../../train/split.js';
import { numberOption, wholeOption } from '../options.js';
import { interruptSignal, trainingProgress } from '../training-progress.js';

export interface DataOptions {
  data: string;
  target: string;
  split?: string;
  groupBy?: string;
  validationShare: number;
  testShare: number;
  splitSeed: number;
}

interface Options extends DataOptions {
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
  output: string;
}

const share = (name: string) =>
  numberOption(name, 'a number from 0, below 1', (value) => value >= 0 && value < 1);

/** The options that say which rows do what, for the commands that read a table; `stored`: a model may know them. */
export function addSplitOptions(command: Command, stored = false): Command {
  const by = stored ? ' (default: as the model was trained)' : '';
  return command
    .option('--split <column>', `column that says train, validation or test; it is no input${by}`)
    .option('--group-by <column>', 'rows with the same value here stay in one part; it is no input')
    .option(
      '--validation-share <share>',
      'share of rows (or groups) to choose by',
      share('validation-share'),
      0.1,
    )
    .option('--test-share <share>', 'share of rows (or groups) held out', share('test-share'), 0.1)
    .option('--split-seed <number>', 'which rows these are', wholeOption('split-seed', 0), 1);
}

export function splitSettings(options: DataOptions): SplitSettings {
  if (options.split !== undefined && options.groupBy !== undefined) {
    throw invalid('INVALID_ARGUMENT', 'split', 'either --split or --group-by', 'both');
  }
  return {
    column: options.split,
    group: options.groupBy,
    seed: options.splitSeed,
    validation: options.validationShare,
    test: options.testShare,
  };
}

/** The split that was asked for by an option; undefined where none was, and the model's own holds. */
export function givenSplit(command: Command, options: DataOptions): SplitSettings | undefined {
  const names = ['split', 'groupBy', 'validationShare', 'testShare', 'splitSeed'];
  return names.some((name) => command.getOptionValueSource(name) === 'cli')
    ? splitSettings(options)
    : undefined;
}

export function describeMetrics({ samples, rmse, mae, r2, ratio }: Metrics): string {
  const spread = `${ratio.mean.toFixed(4)} ± ${ratio.deviation.toFixed(4)}`;
  return `RMSE ${rmse.toPrecision(5)}  MAE ${mae.toPrecision(5)}  R² ${r2.toFixed(4)}  pred/true ${spread}  (${samples} held-out rows)`;
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
  return addSplitOptions(command)
    .option('--threads <number>', "TensorFlow's threads (default: all cores)", wholeOption('threads', 1))
    .option('--tensorboard <folder>', 'write TensorBoard logs')
    .option('--resume', 'go on from the checkpoint in the output folder')
    .requiredOption(
      '--output <folder>',
      'gets model.json, preprocessing.json, training.json and the checkpoint',
    )
    .action(async (options: Options) => {
      const [{ train }, { parseNetwork }, { parseDecay }] = await Promise.all([
        import('../../train/train.js'),
        import('../../train/network.js'),
        import('../../train/learning-rate.js'),
      ]);
      const progress = trainingProgress();
      const { signal, release } = interruptSignal();
      try {
        const { state, test } = await train({
          ...options,
          hidden: parseNetwork(options.network),
          decay: parseDecay(options.decay),
          split: splitSettings(options),
          progress,
          signal,
        });
        progress.stop();
        const { best } = state;
        console.log(`best epoch ${best?.epoch}: validation RMSE ${best?.validationRmse.toPrecision(5)}`);
        if (test !== undefined) console.log(describeMetrics(test));
        console.log(`written to ${options.output}`);
      } finally {
        progress.stop();
        release();
      }
    });
}
