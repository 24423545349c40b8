/** Writes the published schemas anew from what src was built to. Tests tell when that is due. */
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { resultJsonSchema } from '../dist/measure/result.js';
import { recipeJsonSchema } from '../dist/recipe/recipe.js';
import { configJsonSchema } from '../dist/serve/config.js';
import { sweepJsonSchema } from '../dist/sweep/recipe.js';

for (const [name, schema] of [
  ['bench-result-1', resultJsonSchema()],
  ['recipe-1', recipeJsonSchema()],
  ['serve-config-1', configJsonSchema()],
  ['sweep-1', sweepJsonSchema()],
]) {
  const file = new URL(`../schemas/${name}.json`, import.meta.url);
  const options = { ...(await resolveConfig(file)), parser: 'json' };
  writeFileSync(file, await format(JSON.stringify(schema), options));
}
