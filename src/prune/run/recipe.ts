/** Recipes: what `espalier prune` is to do, in a YAML or JSON file; its schema is published as schemas/recipe-1.json. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { EspalierError } from '../../errors.js';

export const SCHEDULE_KINDS = ['polynomial', 'cubic', 'linear', 'one-cycle', 'constant'] as const;
export type ScheduleKind = (typeof SCHEDULE_KINDS)[number];

const sparsity = z.number().min(0).lt(1);
const whole = (least: number) => z.number().int().min(least).max(Number.MAX_SAFE_INTEGER);

export const recipeSchema = z
  .strictObject({
    $schema: z.string().optional().describe('where this schema is; ignored'),
    sparsity: sparsity.optional().describe('share of zeros in every pruned layer at the end, in [0, 1)'),
    perLayer: z
      .record(z.string(), z.union([sparsity, z.literal(false)]))
      .optional()
      .describe('another sparsity for a layer by its name; false leaves the layer dense'),
    scope: z
      .enum(['layer', 'global'])
      .optional()
      .describe('each layer gets the sparsity, or all weights together do; default layer'),
    exact: z
      .boolean()
      .optional()
      .describe("break ties by index, for exactly the asked count; default tfmot's rule"),
    schedule: z.enum(SCHEDULE_KINDS).optional().describe('default polynomial'),
    power: z.number().positive().optional().describe('exponent of the polynomial schedule; default 3'),
    initialSparsity: sparsity
      .optional()
      .describe("sparsity at the begin of the schedule; default the model's own"),
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
    description: 'What `espalier prune --recipe` takes, as YAML or JSON.',
  });

export type Recipe = z.infer<typeof recipeSchema>;

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
  let value: unknown;
  try {
    // A recipe is small: aliases that unfold into gigabytes are refused by the parser's own limit.
    value = extname(path).toLowerCase() === '.json' ? JSON.parse(text) : parse(text, { maxAliasCount: 20 });
  } catch (cause) {
    throw new EspalierError(
      'INVALID_RECIPE',
      `${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
  return parseRecipe(value, path);
}
