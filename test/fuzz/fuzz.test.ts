/** A fixed small part of `npm run fuzz`: damaged files of every format are read, or refused by an error of ours. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FORMATS, mutated, seedFiles } from '../../scripts/lib/fuzzing.mjs';
import { EspalierError } from '../../src/errors.js';
import { loadModel } from '../../src/index.js';
import { predict } from '../../src/predict/predict.js';
import { readRecipe } from '../../src/recipe/recipe.js';
import { readTable } from '../../src/table/table.js';
import { readCheckpoint } from '../../src/train/checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const seeds = await seedFiles(folder);
const FILES = 40;

async function read(format: string, path: string): Promise<void> {
  switch (format) {
    case 'checkpoint':
      await readCheckpoint(path);
      return;
    case 'yaml':
      await readRecipe(path);
      return;
    case 'table':
      await readTable(path);
      return;
    case 'arrow':
    case 'parquet':
    case 'csv':
    case 'jsonl':
    case 'npy': {
      const output = join(folder, 'scores.csv');
      const columns = format === 'npy' ? undefined : ['a', 'b'];
      try {
        await predict({ model: join(folder, 'model.esp'), input: path, output, columns, threads: 1 });
      } catch (error) {
        expect(existsSync(output)).toBe(false);
        throw error;
      }
      rmSync(output);
      return;
    }
    default:
      (await loadModel(format === 'tfjs' ? dirname(path) : path, { threads: 1 })).dispose();
  }
}

describe('a damaged file is read, or refused by an error of ours', () => {
  it.each(FORMATS)('%s', async (format) => {
    let [whole, refused] = [0, 0];
    for (let number = 1; number <= FILES; number++) {
      const { path } = mutated(seeds[format]!, number, folder);
      try {
        await read(format, path);
        whole++;
      } catch (error) {
        refused++;
        expect(error, `${format} ${number}`).toBeInstanceOf(EspalierError);
        expect((error as EspalierError).code, `${format} ${number}: ${String(error)}`).not.toBe('INTERNAL');
      }
    }
    expect([whole + refused, refused > 0]).toEqual([FILES, true]);
  });
});
