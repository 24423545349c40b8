/** docs/layers.md says what the registry has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { layersDocument } from '../../scripts/lib/layers.mjs';
import { LOWERINGS } from '../../src/compile/lower/table.js';
import { ACTIVATION_NAMES } from '../../src/keras/activations.js';
import { KERAS_CODECS } from '../../src/keras/codecs.js';
import { REFUSED } from '../../src/keras/refused.js';

it('docs/layers.md is current: node scripts/layers.mjs writes it anew', async () => {
  const registry = {
    codecs: KERAS_CODECS,
    lowerings: LOWERINGS,
    refused: REFUSED,
    activations: ACTIVATION_NAMES,
  };
  const path = join(import.meta.dirname, '../../docs/layers.md');
  const text = await format(layersDocument(registry), { ...(await resolveConfig(path)), parser: 'markdown' });
  expect(readFileSync(path, 'utf8')).toBe(text);
});
