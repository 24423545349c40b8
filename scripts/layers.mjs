#!/usr/bin/env node
/** Writes docs/layers.md from the registry. After `npm run build:ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { LOWERINGS } from '../dist/compile/lower/table.js';
import { WRITTEN_KINDS } from '../dist/export/configs.js';
import { TFJS_KINDS } from '../dist/export/rewrite.js';
import { layerKinds } from '../dist/network/layers/registry.js';
import { layersDocument } from './lib/layers.mjs';

const text = layersDocument({
  layerKinds,
  lowerings: LOWERINGS,
  tfjsKinds: TFJS_KINDS,
  writtenKinds: WRITTEN_KINDS,
});
const path = join(import.meta.dirname, '../docs/layers.md');
writeFileSync(path, await format(text, { ...(await resolveConfig(path)), parser: 'markdown' }));
console.log(path);
