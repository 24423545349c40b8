/** Reading a model in a thread that can be ended, from the built package: threads start from compiled modules. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importModel as inPlace } from '../../src/import/index.js';
import { endlessHeap } from '../support/endless.js';

const built = pathToFileURL(`${import.meta.dirname}/../../dist/index.js`).href;
const { importModel, loadModel } = (await import(built)) as typeof import('../../src/index.js');
const models = `${import.meta.dirname}/../golden/models`;

let folder: string;
let endless: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-bounded-'));
  endless = join(folder, 'endless.h5');
  const bytes = await readFile(`${models}/activations_core/model.h5`);
  await writeFile(endless, endlessHeap(bytes));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a model is read in a thread', () => {
  test.each(['model.h5', 'model.keras'])('%s is the network that it is in place', async (file) => {
    const path = `${models}/activations_core/${file}`;
    expect(await importModel(path)).toEqual(await inPlace(path));
    expect(await importModel(await readFile(path))).toEqual(await inPlace(path));
  });

  test('one that its reader cannot end is given up, while this thread goes on', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    const failure = expect(loadModel(endless, { timeout: 1500 })).rejects;
    await failure.toMatchObject({
      ...{ name: 'EspalierError', code: 'INVALID_MODEL' },
      message: expect.stringContaining('expected a file that is read within 1.5 s'),
    });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(20);
  });

  test('what is wrong is told as it is in place', async () => {
    const message = async (read: typeof importModel, source: string | Uint8Array) =>
      read(source).then(
        () => 'read',
        (error: { code: string; message: string }) => `${error.code} ${error.message}`,
      );
    const text = join(folder, 'text.txt');
    await writeFile(text, 'no model');
    for (const source of [text, join(folder, 'nothing'), new Uint8Array(4), folder]) {
      expect(await message(importModel, source)).toBe(await message(inPlace, source));
    }
    await expect(importModel(text, { timeout: -1 })).rejects.toThrow(
      'timeout: expected milliseconds above 0',
    );
  });
});
