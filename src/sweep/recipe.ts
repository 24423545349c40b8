/** Recipes of `espalier sweep`, in YAML or JSON; their schema is published as schemas/sweep-1.json. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../errors.js';
import { AGAINST } from '../measure/race/roster.js';
import { SCENARIOS } from '../measure/options.js';
import { readRecipeFile, recipeSchema, sparsity, wholeNumber } from '../recipe/recipe.js';
import { DECAYS } from '../train/learning-rate.js';

/** For one network of the sweep. */
const ownRecipe = recipeSchema.required({ sparsity: true });

export const sweepSchema = z
  .strictObject({
    $schema: z.string().optional().describe('where this schema is; ignored'),
    name: z.string().min(1).describe('title of the report'),
    data: z.strictObject({
      file: z.string().optional().describe('CSV file with a header, relative to the recipe'),
      module: z
        .string()
        .optional()
        .describe(
          'in place of a file: a module, relative to the recipe, whose function `prepare` makes the file and answers its path; it is run',
        ),
      target: z.string().min(1).describe('column of numbers that is predicted'),
      split: z.string().optional().describe('column that says train, validation or test'),
    }),
    model: z
      .string()
      .optional()
      .describe('a trained dense model, relative to the recipe; without it one is trained'),
    train: z
      .strictObject({
        network: z
          .array(wholeNumber(1))
          .min(1)
          .optional()
          .describe('units of the hidden layers; default 256, 128, 128'),
        activation: z.string().optional().describe('default relu'),
        dropout: z.number().min(0).lt(1).optional().describe('default 0'),
        epochs: wholeNumber(1).optional().describe('default 100'),
        batchSize: wholeNumber(1).optional().describe('default 256'),
        learningRate: z.number().positive().optional().describe('default 0.001'),
        decay: z.enum(DECAYS).optional().describe('default cosine'),
        weightDecay: z.number().min(0).optional().describe('default 0.01'),
        patience: wholeNumber(1).optional(),
        seed: wholeNumber(0).optional().describe('default 1'),
      })
      .optional()
      .describe('settings of `espalier train`'),
    prune: recipeSchema
      .optional()
      .describe('settings of `espalier prune`, for every sparsity: recipe-1.json'),
    sparsities: z
      .array(z.union([sparsity, ownRecipe]))
      .min(1)
      .describe('a pruned network each; an object sets more of the recipe for that one'),
    bench: z
      .strictObject({
        batches: z.array(wholeNumber(1)).min(1).optional().describe('default 1 and 64'),
        threads: wholeNumber(1).optional().describe('default 1'),
        against: z
          .array(z.enum([...Object.keys(AGAINST), 'all']))
          .optional()
          .describe('default tfjs-node, onnxruntime and dense'),
        scenarios: z.array(z.enum([...SCENARIOS])).optional(),
        latencyBound: z.number().positive().optional().describe('milliseconds; default 10'),
        rounds: wholeNumber(1).optional().describe('default 10'),
        minTime: z.number().positive().optional().describe('seconds; default 2'),
        cold: z.boolean().optional(),
        layers: z.boolean().optional().describe('default true'),
      })
      .optional()
      .describe('settings of `espalier bench`'),
    formats: z
      .array(z.enum(['html', 'md', 'csv']))
      .optional()
      .describe('of the report; default html and md'),
  })
  .meta({ title: 'espalier sweep recipe', description: 'What `espalier sweep` takes, as YAML or JSON.' });

export type SweepRecipe = z.infer<typeof sweepSchema>;
export type SweepPruning = z.infer<typeof recipeSchema> & { sparsity: number };

/** The published JSON Schema (draft 2020-12). */
export function sweepJsonSchema(): Record<string, unknown> {
  // The recipe of pruning is published by itself.
  const reference = { $ref: 'recipe-1.json' };
  return z.toJSONSchema(sweepSchema, {
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema !== ownRecipe && zodSchema !== recipeSchema) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key as keyof typeof jsonSchema];
      Object.assign(
        jsonSchema,
        zodSchema === ownRecipe ? { allOf: [reference], required: ['sparsity'] } : reference,
      );
    },
  });
}

/** Checks a recipe. Throws INVALID_RECIPE with every complaint and its place. */
export function parseSweep(value: unknown, path = 'recipe'): SweepRecipe {
  const parsed = sweepSchema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path: place, message }) => ({
      place: place.join('.'),
      message,
    }));
    throw new EspalierError('INVALID_RECIPE', `${path}: ${z.prettifyError(parsed.error)}`, {
      parameter: issues[0]?.place === '' ? path : issues[0]?.place,
      issues,
    });
  }
  const { data, model, train } = parsed.data;
  if ((data.file === undefined) === (data.module === undefined)) {
    throw new EspalierError('INVALID_RECIPE', `${path}: data: expected either file or module`, {
      parameter: 'data',
      expected: 'file or module',
    });
  }
  if (model !== undefined && train !== undefined) {
    throw new EspalierError('INVALID_RECIPE', `${path}: expected either model or train, received both`, {
      parameter: 'model',
    });
  }
  return parsed.data;
}

/** Paths in it are made absolute. Throws NOT_FOUND or INVALID_RECIPE. */
export async function readSweep(path: string): Promise<SweepRecipe> {
  const recipe = parseSweep(await readRecipeFile(path), path);
  const absolute = (file: string | undefined) =>
    file === undefined ? undefined : resolve(dirname(path), file);
  return {
    ...recipe,
    data: { ...recipe.data, file: absolute(recipe.data.file), module: absolute(recipe.data.module) },
    ...(recipe.model === undefined ? {} : { model: absolute(recipe.model) }),
  };
}

/** What each sparsity is pruned by: the shared recipe, and what its own entry sets. */
export function pruningsOf({ prune = {}, sparsities }: SweepRecipe): SweepPruning[] {
  return sparsities.map((entry) => ({
    ...prune,
    ...(typeof entry === 'number' ? { sparsity: entry } : entry),
  }));
}
