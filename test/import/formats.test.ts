/** The list of source formats: told apart by content, each in a folder of its own, known to those who ask. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { IMPORTED, IMPORT_FORMATS, MODEL_SOURCES } from '../../src/import/formats.js';
import { importModel } from '../../src/import/index.js';

const ROOT = join(import.meta.dirname, '../..');
const GOLDEN = join(ROOT, 'test/golden/models/prelu');

it('each format has a folder, endings that no other has, and a name with its article', () => {
  const endings = IMPORT_FORMATS.flatMap(({ extensions }) => extensions);
  expect(new Set(endings).size).toBe(endings.length);
  for (const { id, name } of IMPORT_FORMATS) {
    expect(existsSync(join(ROOT, 'src/import', id, 'format.ts')), id).toBe(true);
    expect(name).toMatch(/^an? /);
  }
});

it.each([
  ['model.json', 'tfjs-layers'],
  ['model.h5', 'keras-h5'],
  ['model.keras', 'keras-zip'],
])('%s is told by its content alone', (file, id) => {
  const bytes = readFileSync(join(GOLDEN, file));
  expect(IMPORT_FORMATS.filter((format) => format.matches(bytes)).map((format) => format.id)).toEqual([id]);
});

it('what is none of them is refused with the names of all', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'formats-'));
  const path = join(folder, 'model.h5');
  await writeFile(path, 'MZ');
  for (const source of [path, new Uint8Array([0x4d, 0x5a])]) {
    await expect(importModel(source)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: `source: expected ${IMPORTED}, received a file of another kind`,
    });
  }
  await rm(folder, { recursive: true });
});

it('commands that take a model say what they take', () => {
  for (const name of ['run', 'inspect', 'convert', 'export', 'bench', 'analyze']) {
    const command = COMMANDS.map((make) => make()).find((known) => known.name() === name);
    expect(command?.helpInformation().replace(/\s+/g, ' '), name).toContain(MODEL_SOURCES);
  }
});
