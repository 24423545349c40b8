/** The options that say how to prune, for `espalier prune` and `espalier train`: each a setting of a recipe. */
import { Option, type Command } from 'commander';
import { invalid } from '../errors.js';
import type { Recipe } from '../recipe/recipe.js';
import { numberOption, wholeOption } from './options.js';

/** Flags that are settings of a recipe as they are: they win over the recipe's own. */
const SETTINGS = [
  ...['sparsity', 'schedule', 'power', 'initialSparsity', 'ramp', 'warmUp', 'beginStep', 'endStep'],
  ...['frequency', 'scope', 'exact', 'frozen', 'onUnreachedEnd', 'blockSize', 'blockPooling', 'sparsityMByN'],
  ...['policy', 'perLayer'],
] as const;

/** Settings of training, which `train` has defaults of its own for. */
const TRAINING = ['epochs', 'batchSize', 'learningRate', 'decay', 'weightDecay', 'patience', 'seed'] as const;

export interface PruningOptions {
  recipe?: string;
  distill?: number | true;
  teacher?: string;
  kerasEpsilon?: boolean;
  oneShot?: boolean;
  method?: string;
  calibration?: string[];
  calibrationRows?: number;
  scan?: boolean;
  scanSparsities?: number[];
  budget?: Record<string, unknown>;
  [name: string]: unknown;
}

const positive = (name: string) => numberOption(name, 'a number above 0', (value) => value > 0);
const share = (name: string) => numberOption(name, 'a number in [0, 1)', (value) => value >= 0 && value < 1);

/** "4x1" or "2:4": two whole numbers. */
function pair(name: string, mark: string, example: string) {
  return (text: string): [number, number] => {
    const parts = text.split(mark).map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : NaN));
    if (parts.length !== 2 || !parts.every(Number.isSafeInteger))
      throw invalid('INVALID_ARGUMENT', name, `two whole numbers as in ${example}`, text);
    return parts as [number, number];
  };
}

/** "dense_1=0.9" or "output=false", given again for each layer. */
function layer(text: string, before: Record<string, number | false> = {}): Record<string, number | false> {
  const at = text.lastIndexOf('=');
  const value = text.slice(at + 1).trim();
  if (at < 1) throw invalid('INVALID_ARGUMENT', 'layer', 'NAME=SPARSITY or NAME=false', text);
  const sparsity = value === 'false' ? false : share(`layer ${text.slice(0, at)}`)(value);
  return { ...before, [text.slice(0, at)]: sparsity };
}

/** "size=120000", "error=2%" */
function budget(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [kind = '', value = ''] = text.split('=');
  const kinds = ['sparsity', 'size', 'latency', 'error', 'batch'];
  const number = value.trim() === '' ? NaN : Number(value);
  const percent = kind === 'error' && /^\d+(\.\d+)?\s*%$/.test(value);
  if (!kinds.includes(kind) || !(percent || Number.isFinite(number))) {
    const expected = 'sparsity=0.8, size=BYTES, latency=MICROSECONDS, error=RMSE or error=2%';
    throw invalid('INVALID_ARGUMENT', 'budget', expected, text);
  }
  return { ...before, [kind]: percent ? value : number };
}

function list(text: string): number[] {
  return text.split(',').map(share('scan-sparsities'));
}

export function addMaskOptions(command: Command): Command {
  return command
    .option('--recipe <file>', 'all of these settings in a YAML or JSON file; options win over it')
    .option(
      '--warm-up <epochs>',
      'epochs before, at the present sparsity (default: 0)',
      wholeOption('warm-up', 0),
    )
    .addOption(
      new Option('--schedule <kind>', 'how sparsity rises (default: polynomial)').choices([
        ...['polynomial', 'cubic', 'linear', 'one-cycle', 'constant'],
      ]),
    )
    .option('--power <number>', 'exponent of the polynomial (default: 3)', positive('power'))
    .option(
      '--initial-sparsity <share>',
      "sparsity at the begin (default: the model's own)",
      share('initial-sparsity'),
    )
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
    .addOption(
      new Option(
        '--frozen <what>',
        'frozen layers are pruned all the same or keep their weights (default: refused where they miss)',
      ).choices([...['prune', 'keep']]),
    )
    .option('--exact', 'keep exactly the asked count of weights, ties broken by index')
    .option(
      '--block-size <height>x<width>',
      'blocks that live and die together',
      pair('block-size', 'x', '4x1'),
    )
    .addOption(
      new Option('--block-pooling <kind>', 'what stands for a block (default: AVG)').choices(['AVG', 'MAX']),
    )
    .option(
      '--sparsity-m-by-n <m:n>',
      'm zeros in each n weights, as in 2:4, instead of --sparsity',
      pair('sparsity-m-by-n', ':', '2:4'),
    )
    .addOption(
      new Option('--policy <name>', 'chooses the layers').choices([
        ...['PruneForLatencyOnXNNPack', 'PruneForLatency'],
      ]),
    )
    .option('--layer <name=sparsity>', 'a layer with its own sparsity, or =false: dense (repeat)', layer)
    .addOption(
      new Option(
        '--on-unreached-end <what>',
        'when the steps end before the schedule does (default: error)',
      ).choices([...['error', 'warn']]),
    )
    .option('--no-keras-epsilon', 'Adam adds its epsilon where tfjs does, not where Keras does')
    .option(
      '--distill [alpha]',
      'learn from the dense model too, by this share of the loss (default: 0.5)',
      numberOption('distill', 'a number in [0, 1]', (value) => value >= 0 && value <= 1),
    )
    .option('--teacher <model>', 'the dense model to learn from (default: the one that is pruned)');
}

export function addOneShotAndScan(command: Command): Command {
  const files = (file: string, before: string[] = []) => [...before, file];
  return command
    .option('--one-shot', 'prune in one step, without training; --data and --target are then optional')
    .addOption(
      new Option('--method <name>', 'of --one-shot (default: activation-aware if there are inputs)').choices([
        ...['magnitude', 'activation-aware'],
      ]),
    )
    .option(
      '--calibration <file>',
      'raw float32 inputs for activation-aware, one file an input (repeat)',
      files,
    )
    .option(
      '--calibration-rows <number>',
      'training rows for activation-aware (default: 1024)',
      wholeOption('calibration-rows', 1),
    )
    .option('--scan', 'only tell what pruning each layer alone costs, and what sparsities --budget allows')
    .option('--scan-sparsities <list>', 'tried by the scan (default: 0.3,0.5,0.7,0.8,0.9,0.95)', list)
    .option(
      '--budget <kind=value>',
      'scan first and give each layer its sparsity: sparsity=0.8, size=BYTES, latency=MICROSECONDS, error=RMSE, error=2%',
      budget,
    );
}

/** Whether anything was asked for that `train` does only while it prunes. */
export function asksToPrune(recipe: Recipe): boolean {
  const { sparsity, sparsityMByN, perLayer, scan, oneShot } = recipe;
  return [sparsity, sparsityMByN, perLayer, scan, oneShot].some((setting) => setting !== undefined);
}

/** The recipe file and the flags together. Throws INVALID_RECIPE, NOT_FOUND, INVALID_ARGUMENT. */
export async function recipeOf(command: Command, options: PruningOptions): Promise<Recipe> {
  const { parseRecipe, readRecipe } = await import('../recipe/recipe.js');
  const own: Recipe = options.recipe === undefined ? {} : await readRecipe(options.recipe);
  const given = (name: string) => command.getOptionValueSource(name) === 'cli';
  const flags: Record<string, unknown> = { layer: undefined };
  for (const name of [...SETTINGS, ...TRAINING]) if (given(name)) flags[name] = options[name];
  delete flags['layer'];
  if (given('layer')) flags['perLayer'] = { ...own.perLayer, ...(options['layer'] as object) };
  if (given('kerasEpsilon')) flags['kerasEpsilon'] = options.kerasEpsilon;
  if (given('distill') || given('teacher')) {
    const before = typeof own.distillation === 'object' ? own.distillation : {};
    const { distill, teacher } = options;
    flags['distillation'] = {
      ...before,
      ...(typeof distill === 'number' && { alpha: distill }),
      ...(teacher !== undefined && { teacher }),
    };
  }
  const { method, calibration, calibrationRows: rows } = options;
  const shot = { ...(method && { method }), ...(calibration && { calibration }), ...(rows && { rows }) };
  if (given('oneShot') || own.oneShot) {
    const before = typeof own.oneShot === 'object' ? own.oneShot : {};
    flags['oneShot'] = { ...before, ...shot };
  } else if (Object.keys(shot).length > 0) {
    throw invalid('INVALID_ARGUMENT', 'one-shot', '--one-shot with --method and --calibration', undefined);
  }
  if (given('scan') || given('budget') || given('scanSparsities')) {
    flags['scan'] = {
      ...own.scan,
      ...(options.scanSparsities && { sparsities: options.scanSparsities }),
      ...(options.budget && { budget: options.budget }),
    };
  }
  return parseRecipe({ ...own, ...flags }, 'options');
}
