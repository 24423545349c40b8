/**
 * The options that say how to prune, for `espalier prune` and `espalier train`: each a setting of a recipe. A setting
 * whose help in the recipe's schema has a `value` is an option here without another word; written out are those that
 * are given otherwise than they stand in a recipe.
 */
import { Option, type Command } from 'commander';
import { invalid } from '../errors.js';
import {
  budgetSettings,
  distillationSettings,
  oneShotSettings,
  parseRecipe,
  readRecipe,
  recipeSchema,
  scanSettings,
  settingHelp,
  sparsity,
  type Recipe,
} from '../recipe/recipe.js';
import { helpText, numberOf, settingOption } from './setting-option.js';

const SETTINGS = recipeSchema.shape;
type Setting = keyof typeof SETTINGS;

/** Settings that are options as they are: they win over the recipe's own. */
const PLAIN = (Object.keys(SETTINGS) as Setting[]).filter(
  (name) => settingHelp.get(SETTINGS[name])?.value !== undefined,
);

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

/** "dense_1=0.9" or "output=false", given again for each layer. */
function layer(text: string, before: Record<string, number | false> = {}): Record<string, number | false> {
  const at = text.lastIndexOf('=');
  const name = text.slice(0, at);
  const value = text.slice(at + 1).trim();
  if (at < 1) throw invalid('INVALID_ARGUMENT', 'layer', 'NAME=SPARSITY or NAME=false', text);
  return { ...before, [name]: value === 'false' ? false : numberOf(sparsity, `layer ${name}`)(value) };
}

/** "size=120000", "error=2%" */
function budget(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [kind = '', value = ''] = text.split('=');
  const number = value.trim() === '' ? NaN : Number(value);
  const percentage = kind === 'error' && budgetSettings.error.safeParse(value).success;
  if (!Object.hasOwn(budgetSettings, kind) || !(percentage || Number.isFinite(number))) {
    const expected = 'sparsity=0.8, size=BYTES, latency=MICROSECONDS, error=RMSE or error=2%';
    throw invalid('INVALID_ARGUMENT', 'budget', expected, text);
  }
  return { ...before, [kind]: percentage ? value : number };
}

/** The options of pruning while it trains; `own`: settings that the command has options of its own for. */
export function addMaskOptions(command: Command, own: readonly string[] = []): Command {
  command.option('--recipe <file>', 'all of these settings in a YAML or JSON file; options win over it');
  for (const name of PLAIN) {
    if (!own.includes(name)) command.addOption(settingOption(SETTINGS[name], name));
  }
  const { alpha, teacher } = distillationSettings;
  const learned = 'learn from the dense model too, by this share of the loss';
  return command
    .option('--layer <name=sparsity>', 'a layer with its own sparsity, or =false: dense (repeat)', layer)
    .option('--no-keras-epsilon', 'Adam adds its epsilon where tfjs does, not where Keras does')
    .addOption(
      new Option('--distill [alpha]', helpText(alpha, { text: learned })).argParser(
        numberOf(alpha, 'distill'),
      ),
    )
    .addOption(settingOption(teacher, 'teacher', { value: 'model' }));
}

/** The options of pruning in one step and of the scan, which need a trained model. */
export function addOneShotAndScan(command: Command): Command {
  const { method, calibration, rows } = oneShotSettings;
  const files = (file: string, before: string[] = []) => [...before, file];
  const list = (text: string) => text.split(',').map(numberOf(sparsity, 'scan-sparsities'));
  return command
    .option('--one-shot', `${helpText(SETTINGS.oneShot)}; --data and --target are then optional`)
    .addOption(settingOption(method, 'method', { value: 'name' }))
    .option('--calibration <file>', `${helpText(calibration)} (repeat)`, files)
    .addOption(settingOption(rows, 'calibrationRows', { value: 'number' }))
    .option('--scan', 'only tell what pruning each layer alone costs, and what sparsities --budget allows')
    .option('--scan-sparsities <list>', helpText(scanSettings.sparsities), list)
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

/** The recipe file and the options together. Throws INVALID_RECIPE, NOT_FOUND, INVALID_ARGUMENT. */
export async function recipeOfOptions(command: Command, options: PruningOptions): Promise<Recipe> {
  const own: Recipe = options.recipe === undefined ? {} : await readRecipe(options.recipe);
  const given = (name: string) => command.getOptionValueSource(name) === 'cli';
  const flags: Record<string, unknown> = {};
  for (const name of PLAIN) if (given(name)) flags[name] = options[name];
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
