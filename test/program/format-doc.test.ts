/** docs/format.md tells the operations that the registry has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withOperations } from '../../scripts/lib/operations.mjs';
import { OPERATIONS } from '../../src/program/operations/registry.js';

it('its table is current: node scripts/operations.mjs writes it anew', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/format.md'), 'utf8');
  expect(document).toBe(withOperations(document, OPERATIONS));
});
