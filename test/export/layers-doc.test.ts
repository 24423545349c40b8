/** docs/layers.md says what the registry has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { layersDocument } from '../../scripts/lib/layers.mjs';
import { LOWERINGS } from '../../src/compile/lower/table.js';
import { WRITTEN_KINDS } from '../../src/export/configs.js';
import { TFJS_KINDS } from '../../src/export/rewrite.js';
import { layerKinds } from '../../src/network/layers/registry.js';

it('docs/layers.md is current: node scripts/layers.mjs writes it anew', async () => {
  const registry = { layerKinds, lowerings: LOWERINGS, tfjsKinds: TFJS_KINDS, writtenKinds: WRITTEN_KINDS };
  const path = join(import.meta.dirname, '../../docs/layers.md');
  const text = await format(layersDocument(registry), { ...(await resolveConfig(path)), parser: 'markdown' });
  expect(readFileSync(path, 'utf8')).toBe(text);
});
