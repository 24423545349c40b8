/** Accuracy on a table, against answers that are known. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Program } from '../../src/program/program.js';
import { accuracyOf, readAccuracyData } from '../../src/measure/accuracy.js';
import { espBytes } from '../../src/measure/source.js';
import { temporaryFolder } from '../train/tables.js';

const folder = temporaryFolder();

/** y = W x, as an .esp file. */
async function linear(name: string, rows: number, values: number[]): Promise<string> {
  const cols = values.length / rows;
  const port = (port: string, value: number, extent: number) => ({
    ...{ name: port, shape: [null, extent], dtype: 'float32' as const, value },
  });
  const program: Program = {
    ...{ version: 1, name, values: [{ features: cols }, { features: rows }] },
    inputs: [port('x', 0, cols)],
    outputs: [port('y', 1, rows)],
    operations: [
      {
        ...{ op: 'linear', name: 'dense', input: 0, output: 1, positions: 1, bias: null },
        weight: { format: 'dense', rows, cols, values: Float32Array.from(values) },
        activation: { kind: 'linear', alpha: 0, beta: 0 },
      },
    ],
  };
  const path = join(folder, `${name}.esp`);
  await writeFile(path, await espBytes(program));
  return path;
}

async function table(name: string, lines: string[]) {
  const path = join(folder, name);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

describe('accuracy', () => {
  it('of one output is RMSE and pred/true on the held-out rows, beside the dense model', async () => {
    // y = a + b exactly; the pruned model forgot b, which is 1 everywhere.
    const lines = Array.from({ length: 60 }, (_, i) => `${i + 2},${i + 1},1,${i < 30 ? 'train' : 'test'}`);
    const data = await table('sum.csv', ['y,a,b,part', ...lines]);
    const dense = await linear('dense', 1, [1, 1]);
    const pruned = await linear('pruned', 1, [1, 0]);
    const read = await readAccuracyData(
      { data, target: 'y', split: { column: 'part', seed: 1, validation: 0.1, test: 0.1 } },
      1,
    );
    const found = await accuracyOf(pruned, pruned, dense, read!);
    expect(found).toMatchObject({ kind: 'regression', rows: 30, target: 'y' });
    expect(found.model.rmse).toBeCloseTo(1, 5);
    expect(found.dense?.rmse).toBeCloseTo(0, 5);
    expect(found.maxAbsDifference).toBeCloseTo(1, 5);
    const alone = await accuracyOf(pruned, pruned, undefined, read!);
    expect(alone.dense).toBeNull();
  });

  it('of several outputs is the share of right classes', async () => {
    // The class is the larger of two inputs; the second model always says 0.
    const rows = Array.from({ length: 40 }, (_, i) => [i % 4, 1.5, i % 4 > 1.5 ? 0 : 1, 'test'].join(','));
    const data = await table('classes.csv', ['a,b,class,part', ...rows]);
    const right = await linear('right', 2, [1, 0, 0, 1]);
    const wrong = await linear('wrong', 2, [1, 0, 0, 0]);
    const split = { column: 'part', seed: 1, validation: 0.1, test: 0.1 };
    const read = await readAccuracyData({ data, target: 'class', split }, 1);
    const found = await accuracyOf(wrong, wrong, right, read!);
    expect(found.kind).toBe('classification');
    expect(found.dense?.accuracy).toBe(1);
    expect(found.model.accuracy).toBe(0.5);
    const bad = await table('bad.csv', ['a,b,class,part', '1,2,5,test', '1,2,0,test']);
    const wrongClass = await readAccuracyData({ data: bad, target: 'class', split }, 1);
    await expect(accuracyOf(right, right, undefined, wrongClass!)).rejects.toMatchObject({
      code: 'INVALID_DATA',
    });
  });
});
