/** Small made-up tables for the tests of training, in a folder that goes when the file's tests are done. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { generator } from '../../src/random.js';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-train-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** y = 10 + 2a + b² (+ 3 where c is "x"), b missing now and then; `day` has 20 values. */
export function writeSmallTable(folder: string, rows = 400, name = 'small.csv'): string {
  const next = generator(7);
  const uniform = () => next() / 2 ** 32;
  const lines = ['y,a,b,c,day'];
  for (let i = 0; i < rows; i += 1) {
    const a = uniform() * 10;
    const b = uniform() < 0.1 ? NaN : uniform() * 3;
    const c = 'xyz'[Math.floor(uniform() * 3)]!;
    const y = 10 + 2 * a + (Number.isNaN(b) ? 3 : b ** 2) + (c === 'x' ? 3 : 0);
    lines.push(
      [y.toFixed(4), a.toFixed(4), Number.isNaN(b) ? 'NA' : b.toFixed(4), c, `d${i % 20}`].join(','),
    );
  }
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
