import { Command, Option } from 'commander';
import { invalid } from '../../errors.js';
import type { Recipe } from '../../prune/run/recipe.js';
import { numberOption, wholeOption } from '../options.js';
import { interruptSignal, trainingProgress } from '../training-progress.js';
import { addSplitOptions, describeMetrics, givenSplit, type DataOptions } from './train.js';

interface Options extends DataOptions {
  recipe?: string;
  sparsity?: number;
  epochs?: number;
  warmUp?: number;
  ramp?: number;
  schedule?: string;
  power?: number;
  beginStep?: number;
  endStep?: number;
  frequency?: number;
  scope?: string;
  exact?: boolean;
  onUnreachedEnd?: string;
  batchSize?: number;
  learningRate?: number;
  decay?: string;
  weightDecay?: number;
  patience?: number;
  seed?: number;
  threads?: number;
  tensorboard?: string;
  tensorboardEvery: number;
  resume?: boolean;
  dryRun?: boolean;
  output?: string;
}

/** Options of the command that are settings of a recipe: they win over the recipe's own. */
const RECIPE_OPTIONS = [
  ...[
    'sparsity',
    'epochs',
    'warmUp',
    'ramp',
    'schedule',
    'power',
    'beginStep',
    'endStep',
    'frequency',
    'scope',
  ],
  ...['exact', 'onUnreachedEnd', 'batchSize', 'learningRate', 'decay', 'weightDecay', 'patience', 'seed'],
] as const;

const positive = (name: string) => numberOption(name, 'a number above 0', (value) => value > 0);

/** `espalier prune`: a trained model and its data in, a sparse model out. */
export function pruneCommand(): Command {
  const command = new Command('prune')
    .description(
      'train a model on while its smallest weights are set to zero, by a schedule, and keep it good',
    )
    .argument(
      '<model>',
      'what `espalier train` wrote, or any model of one input: model.json, its folder, .h5 or .keras',
    )
    .requiredOption('--data <file.csv>', 'table with a header')
    .requiredOption('--target <column>', 'column of numbers to predict')
    .option(
      '--sparsity <share>',
      'share of zeros in every pruned layer at the end',
      numberOption('sparsity', 'a number in [0, 1)', (value) => value >= 0 && value < 1),
    )
    .option('--epochs <number>', 'epochs of pruning and fine-tuning (default: 20)', wholeOption('epochs', 1))
    .option(
      '--warm-up <epochs>',
      'epochs before, at the present sparsity (default: 0)',
      wholeOption('warm-up', 0),
    )
    .option('--recipe <file>', 'all of these settings in a YAML or JSON file; options win over it')
    .addOption(
      new Option('--schedule <kind>', 'how sparsity rises (default: polynomial)').choices([
        ...['polynomial', 'cubic', 'linear', 'one-cycle', 'constant'],
      ]),
    )
    .option('--power <number>', 'exponent of the polynomial (default: 3)', positive('power'))
    .option(
      '--ramp <epochs>',
      'epochs until the target is reached (default: half of --epochs)',
      positive('ramp'),
    )
    .option('--begin-step <step>', 'first step that prunes, from 1', wholeOption('begin-step', 1))
    .option('--end-step <step>', 'step in which the target is reached', wholeOption('end-step', 1))
    .option(
      '--frequency <steps>',
      'steps between updates of the masks (default: 100, less in short runs)',
      wholeOption('frequency', 1),
    )
    .addOption(
      new Option('--scope <scope>', 'the sparsity is that of each layer, or of all weights together').choices(
        [...['layer', 'global']],
      ),
    )
    .option('--exact', 'keep exactly the asked count of weights, ties broken by index')
    .addOption(
      new Option(
        '--on-unreached-end <what>',
        'when the steps end before the schedule does (default: error)',
      ).choices([...['error', 'warn']]),
    )
    .option('--batch-size <number>', 'rows a step (default: that of training)', wholeOption('batch-size', 1))
    .option(
      '--learning-rate <rate>',
      "Adam's learning rate at the begin (default: 0.001)",
      positive('learning-rate'),
    )
    .addOption(
      new Option('--decay <kind>', 'how the learning rate falls (default: cosine)').choices([
        ...['cosine', 'exponential', 'constant'],
      ]),
    )
    .option(
      '--weight-decay <number>',
      'decoupled weight decay (default: a tenth of that of training)',
      numberOption('weight-decay', 'a number from 0', (value) => value >= 0),
    )
    .option(
      '--patience <epochs>',
      'end when so many epochs after the target is reached bring nothing better',
      wholeOption('patience', 1),
    )
    .option('--seed <number>', 'shuffling (default: 1)', wholeOption('seed', 0));
  return addSplitOptions(command, true)
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
    .option('--output <folder>', 'gets model.json, preprocessing.json, training.json and the checkpoint')
    .action(async (model: string, options: Options, self: Command) => {
      const progress = trainingProgress();
      const [{ pruneModel, planRun }, { parseRecipe, readRecipe }, { describePlan }] = await Promise.all([
        import('../../prune/run/run.js'),
        import('../../prune/run/recipe.js'),
        import('../../prune/run/chart.js'),
      ]);
      const given = Object.fromEntries(
        RECIPE_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
      );
      const own: Recipe = options.recipe === undefined ? {} : await readRecipe(options.recipe);
      const recipe = parseRecipe({ ...own, ...given }, 'options');
      if (recipe.sparsity === undefined) {
        throw invalid(
          'INVALID_ARGUMENT',
          'sparsity',
          'a number in [0, 1), by --sparsity or in the recipe',
          undefined,
        );
      }
      const shared = {
        ...options,
        model,
        recipe,
        split: givenSplit(self, options),
        progress,
      };
      if (options.dryRun === true) {
        console.log(describePlan(await planRun({ ...shared, output: '' })));
        return;
      }
      const { output } = options;
      if (output === undefined) throw invalid('INVALID_ARGUMENT', 'output', 'a folder', undefined);
      const { signal, release } = interruptSignal();
      try {
        const { state, test, sparsity, layers } = await pruneModel({ ...shared, output, signal });
        progress.stop();
        const { best } = state;
        console.log(`best epoch ${best?.epoch}: validation RMSE ${best?.validationRmse.toPrecision(5)}`);
        for (const layer of layers)
          console.log(`  ${layer.name}: sparsity ${layer.sparsity.toFixed(4)} of ${layer.weights}`);
        console.log(`sparsity ${sparsity.toFixed(4)}`);
        if (test !== undefined) console.log(describeMetrics(test));
        console.log(`written to ${output}`);
      } finally {
        progress.stop();
        release();
      }
    });
}
