/** Recipes: what `espalier prune` is to do, in a YAML or JSON file; its schema is published as schemas/recipe-1.json. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { EspalierError } from '../errors.js';

export const SCHEDULE_KINDS = ['polynomial', 'cubic', 'linear', 'one-cycle', 'constant'] as const;
export type ScheduleKind = (typeof SCHEDULE_KINDS)[number];
export const POLICIES = ['PruneForLatencyOnXNNPack', 'PruneForLatency'] as const;
export const METHODS = ['magnitude', 'activation-aware'] as const;

const sparsity = z.number().min(0).lt(1);
const whole = (least: number) => z.number().int().min(least).max(Number.MAX_SAFE_INTEGER);

/** Settings of masks, for all layers or for one. */
const masks = {
  schedule: z
    .enum(SCHEDULE_KINDS)
    .optional()
    .describe('how sparsity rises; default polynomial, constant with sparsityMByN'),
  power: z.number().positive().optional().describe('exponent of the polynomial schedule; default 3'),
  initialSparsity: sparsity
    .optional()
    .describe("sparsity at the begin of the schedule; default the model's own"),
  exact: z
    .boolean()
    .optional()
    .describe("break ties by index, for exactly the asked count; default tfmot's rule"),
  blockSize: z
    .tuple([whole(1), whole(1)])
    .optional()
    .describe('[height, width] of blocks that are kept or pruned together; default [1, 1]'),
  blockPooling: z
    .enum(['AVG', 'MAX'])
    .optional()
    .describe('what stands for a block: the mean or the largest of its magnitudes; default AVG'),
  sparsityMByN: z
    .tuple([whole(0), whole(1)])
    .optional()
    .describe('[m, n]: m zeros in each n weights along the inputs, made in the first step'),
};

const layerRecipe = z.strictObject({ sparsity: sparsity.optional(), ...masks });

const percent = z.string().regex(/^\d+(\.\d+)?\s*%$/);
const budget = z
  .strictObject({
    sparsity: sparsity.optional().describe('of all pruned weights together, at least'),
    size: whole(1).optional().describe("bytes of the pruned layers' weights in an .esp file, at most"),
    latency: z.number().positive().optional().describe('microseconds of the pruned layers, at most'),
    error: z
      .union([z.number().positive(), percent])
      .optional()
      .describe('RMSE on the validation rows, at most; "2%": so much above that of the dense model'),
    batch: whole(1).optional().describe('samples at once that latency is for; default 1'),
  })
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
    batch: whole(1).optional().describe('samples at once; default 1'),
    gain: z.number().min(0).lt(1).optional().describe('share of the time that zeros must save; default 0.05'),
  }),
]);

export const recipeSchema = z
  .strictObject({
    $schema: z.string().optional().describe('where this schema is; ignored'),
    sparsity: sparsity.optional().describe('share of zeros in every pruned layer at the end, in [0, 1)'),
    ...masks,
    perLayer: z
      .record(z.string(), z.union([sparsity, z.literal(false), layerRecipe]))
      .optional()
      .describe('by layer name: another sparsity, settings that differ, or false to leave the layer dense'),
    scope: z
      .enum(['layer', 'global'])
      .optional()
      .describe('each layer gets the sparsity, or all weights together do; default layer'),
    frozen: z
      .enum(['prune', 'keep'])
      .optional()
      .describe(
        'frozen layers are pruned all the same, or keep their weights; default: refused where they miss',
      ),
    policy: policy.optional().describe('chooses the layers; default all that can be pruned'),
    scan: z
      .strictObject({
        budget: budget.optional().describe('what the sparsities proposed for each layer have to meet'),
        sparsities: z
          .array(sparsity)
          .min(1)
          .optional()
          .describe('tried layer by layer; default 0.3, 0.5, 0.7, 0.8, 0.9, 0.95'),
        layers: z.array(z.string()).min(1).optional().describe('that are tried; default all pruned'),
      })
      .optional()
      .describe('first see what pruning each layer alone costs; with a budget, prune as that proposes'),
    oneShot: z
      .union([
        z.boolean(),
        z.strictObject({
          method: z
            .enum(METHODS)
            .optional()
            .describe('default activation-aware (Wanda) where there are inputs to calibrate with'),
          calibration: z
            .array(z.string())
            .min(1)
            .optional()
            .describe('raw little-endian float32 files, one an input of the model; default rows of the data'),
          rows: whole(1).optional().describe('training rows to calibrate with; default 1024'),
        }),
      ])
      .optional()
      .describe('prune in one step, without training'),
    distillation: z
      .union([
        z.boolean(),
        z.strictObject({
          teacher: z.string().optional().describe('the dense model; default the one that is pruned'),
          alpha: z
            .number()
            .min(0)
            .max(1)
            .optional()
            .describe('share of the teacher in the loss; default 0.5'),
        }),
      ])
      .optional()
      .describe('learn from the dense model too'),
    epochs: whole(1).optional().describe('epochs of pruning and fine-tuning, after warm-up; default 20'),
    warmUp: whole(0).optional().describe('epochs at the present sparsity before; default 0'),
    ramp: z
      .number()
      .positive()
      .optional()
      .describe('epochs in which the schedule runs; default half of epochs'),
    beginStep: whole(0).optional().describe('first step that prunes, counted from 1; default after warm-up'),
    endStep: whole(1).optional().describe('step of the target sparsity; default the end of the ramp'),
    frequency: whole(1)
      .optional()
      .describe('steps between two updates of the masks; default 100, at most a tenth of the ramp'),
    onUnreachedEnd: z
      .enum(['error', 'warn'])
      .optional()
      .describe('when the steps end before the schedule does; default error'),
    kerasEpsilon: z.boolean().optional().describe('Adam adds its epsilon where Keras does; default true'),
    batchSize: whole(1).optional().describe("rows a step; default that of the model's training"),
    learningRate: z.number().positive().optional().describe('at the begin; default 0.001'),
    decay: z
      .enum(['cosine', 'exponential', 'constant'])
      .optional()
      .describe('of the learning rate; default cosine'),
    weightDecay: z
      .number()
      .min(0)
      .optional()
      .describe("decoupled (AdamW); default a tenth of that of the model's training"),
    patience: whole(1)
      .optional()
      .describe('epochs without a better one, after the target is reached, that end the run'),
    seed: whole(0).optional().describe('default 1'),
  })
  .meta({
    title: 'espalier recipe',
    description: 'What `espalier prune --recipe` and `espalier train --recipe` take, as YAML or JSON.',
  });

export type Recipe = z.infer<typeof recipeSchema>;
export type LayerRecipe = z.infer<typeof layerRecipe>;
export type RecipeBudget = z.infer<typeof budget>;

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
    // A recipe is small: aliases that unfold into gigabytes are refused by the parser's own limit.
    return extname(path).toLowerCase() === '.json' ? JSON.parse(text) : parse(text, { maxAliasCount: 20 });
  } catch (cause) {
    throw new EspalierError(
      'INVALID_RECIPE',
      `${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
}
