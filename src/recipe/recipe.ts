/**
 * Recipes: what `espalier prune` is to do, in a YAML or JSON file. What a setting may be, what holds without it and what
 * help says of it is told here alone: the published schemas/recipe-1.json and the options of `espalier prune` and
 * `espalier train` are made from this schema.
 */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { z } from 'zod';
import { parseYaml } from '../yaml.js';
import { EspalierError, invalid } from '../errors.js';
import { DECAYS } from '../train/learning-rate.js';

const SCHEDULE_KINDS = ['polynomial', 'cubic', 'linear', 'one-cycle', 'constant'] as const;
export type ScheduleKind = (typeof SCHEDULE_KINDS)[number];
const POLICIES = ['PruneForLatencyOnXNNPack', 'PruneForLatency'] as const;
const METHODS = ['magnitude', 'activation-aware'] as const;

/** What holds where a recipe does not tell. */
export const RECIPE_DEFAULTS = {
  schedule: 'polynomial',
  power: 3,
  epochs: 20,
  warmUp: 0,
  frequency: 100,
  learningRate: 0.001,
  decay: 'cosine',
  onUnreachedEnd: 'error',
  seed: 1,
  /** Share of the teacher in the loss of distillation. */
  alpha: 0.5,
  /** Rows to calibrate one-shot pruning with. */
  calibrationRows: 1024,
} as const;

/** What help says of a setting. */
export interface SettingHelp {
  text: string;
  /** What holds without it, in words. */
  fallback?: string | number;
  /**
   * Makes a setting of the recipe an option of the command line: what stands for its value in help, as in
   * `--ramp <epochs>`; '' for one that takes none.
   */
  value?: string;
}

/** The help of every setting, by its schema. */
export const settingHelp = z.registry<SettingHelp>();

function setting<T extends z.ZodType>(schema: T, text: string, more: Omit<SettingHelp, 'text'> = {}) {
  const description = more.fallback === undefined ? text : `${text}; default ${more.fallback}`;
  const optional = schema.optional().describe(description);
  settingHelp.add(optional, { text, ...more });
  return optional;
}

/** A share of zeros. */
export const sparsity = z.number().min(0).lt(1);
export const wholeNumber = (least: number) => z.number().int().min(least).max(Number.MAX_SAFE_INTEGER);

/** Settings of masks, for all layers or for one. */
const masks = {
  schedule: setting(z.enum(SCHEDULE_KINDS), 'how sparsity rises', {
    fallback: `${RECIPE_DEFAULTS.schedule}, constant for m-by-n masks`,
    value: 'kind',
  }),
  power: setting(z.number().positive(), 'exponent of the polynomial schedule', {
    fallback: RECIPE_DEFAULTS.power,
    value: 'number',
  }),
  initialSparsity: setting(sparsity, 'sparsity at the begin of the schedule', {
    fallback: "the model's own",
    value: 'share',
  }),
  exact: setting(z.boolean(), 'break ties by index, for exactly the asked count', {
    fallback: "tfmot's rule",
    value: '',
  }),
  blockSize: setting(
    z.tuple([wholeNumber(1), wholeNumber(1)]),
    'height and width of blocks that are kept or pruned together',
    { fallback: '1 and 1', value: 'height>x<width' },
  ),
  blockPooling: setting(
    z.enum(['AVG', 'MAX']),
    'what stands for a block: the mean or the largest of its magnitudes',
    { fallback: 'AVG', value: 'kind' },
  ),
  sparsityMByN: setting(
    z.tuple([wholeNumber(0), wholeNumber(1)]),
    'm zeros in each n weights along the inputs, as 2 in 4, made in the first step',
    { value: 'm:n' },
  ),
};

const layerRecipe = z.strictObject({ sparsity: sparsity.optional(), ...masks });

/** "2%". */
const percentage = z.string().regex(/^\d+(\.\d+)?\s*%$/);

/** What a scan's sparsities have to meet: each setting by itself. */
export const budgetSettings = {
  sparsity: sparsity.optional().describe('of all pruned weights together, at least'),
  size: wholeNumber(1).optional().describe("bytes of the pruned layers' weights in an .esp file, at most"),
  latency: z.number().positive().optional().describe('microseconds of the pruned layers, at most'),
  error: z
    .union([z.number().positive(), percentage])
    .optional()
    .describe('RMSE on the validation rows, at most; "2%": so much above that of the dense model'),
  batch: wholeNumber(1).optional().describe('samples at once that latency is for; default 1'),
};
const budget = z
  .strictObject(budgetSettings)
  .refine(
    ({ sparsity: share, size, latency, error }) =>
      [share, size, latency, error].filter((given) => given !== undefined).length === 1,
    { message: 'one of sparsity, size, latency, error' },
  );

const policy = z.union([
  z.enum(POLICIES),
  z.strictObject({
    name: z.literal('PruneForLatency'),
    sparsity: sparsity.optional().describe('that pruning will reach; default that of the recipe'),
    batch: wholeNumber(1).optional().describe('samples at once; default 1'),
    gain: z.number().min(0).lt(1).optional().describe('share of the time that zeros must save; default 0.05'),
  }),
]);

const perLayer = z.record(z.string(), z.union([sparsity, z.literal(false), layerRecipe]));

export const scanSettings = {
  budget: budget.optional().describe('what the sparsities proposed for each layer have to meet'),
  sparsities: setting(z.array(sparsity).min(1), 'tried layer by layer', {
    fallback: '0.3, 0.5, 0.7, 0.8, 0.9, 0.95',
  }),
  layers: z.array(z.string()).min(1).optional().describe('that are tried; default all pruned'),
};

export const oneShotSettings = {
  method: setting(z.enum(METHODS), 'how weights are ranked in one step', {
    fallback: 'activation-aware (Wanda) where there are inputs to calibrate with',
  }),
  calibration: setting(
    z.array(z.string()).min(1),
    'raw little-endian float32 files to calibrate with, one an input of the model',
    { fallback: 'rows of the data' },
  ),
  rows: setting(wholeNumber(1), 'training rows to calibrate with', {
    fallback: RECIPE_DEFAULTS.calibrationRows,
  }),
};

export const distillationSettings = {
  teacher: setting(z.string(), 'the dense model to learn from', { fallback: 'the one that is pruned' }),
  alpha: setting(z.number().min(0).max(1), 'share of the teacher in the loss', {
    fallback: RECIPE_DEFAULTS.alpha,
  }),
};

/** How it trains. */
const training = {
  epochs: setting(wholeNumber(1), 'epochs of pruning and fine-tuning, after warm-up', {
    fallback: RECIPE_DEFAULTS.epochs,
    value: 'number',
  }),
  batchSize: setting(wholeNumber(1), 'rows a step', {
    fallback: "that of the model's training",
    value: 'number',
  }),
  learningRate: setting(z.number().positive(), "Adam's learning rate at the begin", {
    fallback: RECIPE_DEFAULTS.learningRate,
    value: 'rate',
  }),
  decay: setting(z.enum(DECAYS), 'how the learning rate falls', {
    fallback: RECIPE_DEFAULTS.decay,
    value: 'kind',
  }),
  weightDecay: setting(z.number().min(0), 'decoupled weight decay (AdamW)', {
    fallback: "a tenth of that of the model's training",
    value: 'number',
  }),
  patience: setting(
    wholeNumber(1),
    'epochs without a better one, after the target is reached, that end the run',
    { value: 'epochs' },
  ),
  seed: setting(wholeNumber(0), 'of what is random: shuffling, and the weights of a new network', {
    fallback: RECIPE_DEFAULTS.seed,
    value: 'number',
  }),
};

export const recipeSchema = z
  .strictObject({
    $schema: z.string().optional().describe('where this schema is; ignored'),
    sparsity: setting(sparsity, 'share of zeros in every pruned layer at the end, in [0, 1)', {
      value: 'share',
    }),
    ...masks,
    perLayer: setting(
      perLayer,
      'by layer name: another sparsity, settings that differ, or false to leave the layer dense',
    ),
    scope: setting(z.enum(['layer', 'global']), 'each layer gets the sparsity, or all weights together do', {
      fallback: 'layer',
      value: 'scope',
    }),
    frozen: setting(
      z.enum(['prune', 'keep']),
      'frozen layers are pruned all the same, or keep their weights',
      {
        fallback: 'refused where they keep a run from its sparsity',
        value: 'what',
      },
    ),
    policy: setting(policy, 'chooses the layers', { fallback: 'all that can be pruned', value: 'name' }),
    scan: setting(
      z.strictObject(scanSettings),
      'first see what pruning each layer alone costs; with a budget, prune as that proposes',
    ),
    oneShot: setting(
      z.union([z.boolean(), z.strictObject(oneShotSettings)]),
      'prune in one step, without training',
    ),
    distillation: setting(
      z.union([z.boolean(), z.strictObject(distillationSettings)]),
      'learn from the dense model too',
    ),
    warmUp: setting(wholeNumber(0), 'epochs before, at the present sparsity', {
      fallback: RECIPE_DEFAULTS.warmUp,
      value: 'epochs',
    }),
    ramp: setting(z.number().positive(), 'epochs until the target is reached', {
      fallback: 'half of epochs',
      value: 'epochs',
    }),
    beginStep: setting(wholeNumber(0), 'first step that prunes, counted from 1', {
      fallback: 'after warm-up',
      value: 'step',
    }),
    endStep: setting(wholeNumber(1), 'step in which the target is reached', {
      fallback: 'the end of the ramp',
      value: 'step',
    }),
    frequency: setting(wholeNumber(1), 'steps between two updates of the masks', {
      fallback: `${RECIPE_DEFAULTS.frequency}, at most a tenth of the ramp`,
      value: 'steps',
    }),
    onUnreachedEnd: setting(z.enum(['error', 'warn']), 'when the steps end before the schedule does', {
      fallback: RECIPE_DEFAULTS.onUnreachedEnd,
      value: 'what',
    }),
    kerasEpsilon: setting(z.boolean(), 'Adam adds its epsilon where Keras does', { fallback: 'true' }),
    ...training,
  })
  .meta({
    title: 'espalier recipe',
    description: 'What `espalier prune --recipe` and `espalier train --recipe` take, as YAML or JSON.',
  });

export type Recipe = z.infer<typeof recipeSchema>;
export type LayerRecipe = z.infer<typeof layerRecipe>;
export type RecipeBudget = z.infer<typeof budget>;

/** Whether a recipe tells how sparse at least one layer is to become. */
export function tellsSparsity({ sparsity: all, sparsityMByN, perLayer: own, scan }: Recipe): boolean {
  return [all, sparsityMByN, own, scan?.budget].some((setting) => setting !== undefined);
}

/** For a recipe that does not tell the sparsity of a layer; of any layer without `layer`. */
export function sparsityMissing(layer?: string): EspalierError {
  const which = layer === undefined ? '' : `, for layer ${layer}`;
  const expected = `a number in [0, 1), by --sparsity or in the recipe${which}`;
  return invalid('INVALID_ARGUMENT', 'sparsity', expected, undefined);
}

/** The published JSON Schema (draft 2020-12). */
export function recipeJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(recipeSchema);
}

/** Checks a recipe. Throws INVALID_RECIPE with every complaint and its place. */
export function parseRecipe(value: unknown, path = 'recipe'): Recipe {
  const parsed = recipeSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path: place, message }) => ({ place: place.join('.'), message }));
  throw new EspalierError('INVALID_RECIPE', `${path}: ${z.prettifyError(parsed.error)}`, {
    parameter: issues[0]?.place === '' ? path : issues[0]?.place,
    issues,
  });
}

/** Reads a recipe: JSON where the name ends in .json, YAML otherwise. Throws NOT_FOUND or INVALID_RECIPE. */
export async function readRecipe(path: string): Promise<Recipe> {
  return parseRecipe(await readRecipeFile(path), path);
}

/** What a recipe's file holds, before anything of it is checked. Throws NOT_FOUND or INVALID_RECIPE. */
export async function readRecipeFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new EspalierError(
      'NOT_FOUND',
      `cannot read the recipe ${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
  try {
    return extname(path).toLowerCase() === '.json' ? JSON.parse(text) : parseYaml(text);
  } catch (cause) {
    throw new EspalierError(
      'INVALID_RECIPE',
      `${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
}
