#!/usr/bin/env node
/** Writes docs/layers.md from the registry. After `npm run build:ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { LOWERINGS } from '../dist/compile/lower/table.js';
import { ACTIVATION_NAMES } from '../dist/keras/activations.js';
import { KERAS_CODECS } from '../dist/keras/codecs.js';
import { REFUSED } from '../dist/keras/refused.js';
import { layersDocument } from './lib/layers.mjs';

const text = layersDocument({
  codecs: KERAS_CODECS,
  lowerings: LOWERINGS,
  refused: REFUSED,
  activations: ACTIVATION_NAMES,
});
const path = join(import.meta.dirname, '../docs/layers.md');
writeFileSync(path, await format(text, { ...(await resolveConfig(path)), parser: 'markdown' }));
console.log(path);
