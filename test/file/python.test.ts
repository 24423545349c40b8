import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { roundValues } from '../../src/program/value-formats.js';
import { writeProgram } from '../../src/file/write.js';
import { csr, mlp, normal, prune, random } from '../support/programs.js';

const documentation = readFileSync(join(import.meta.dirname, '../../docs/format.md'), 'utf8');
const example = /```python\n([^]*?)```/.exec(documentation)?.[1] ?? '';

it('ten lines of Python, as documented, give back the CSR matrices of every coding', () => {
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(10);
  const { program } = mlp([120, 90, 80, 70, 60, 50, 40, 30, 50], 0);
  const next = random(8);
  const kinds: ((length: number) => Float32Array)[] = [
    (length) => prune(normal(length, next), 0.5),
    (length) => normal(length, next),
    (length) => prune(normal(length, next), 0.9).map((w) => Math.round(w * 20) / 16),
    (length) => new Float32Array(length),
    (length) => prune(normal(length, next), 0.2).map((w) => Math.round(w * 1024) / 1024),
    (length) => prune(normal(length, next), 0.999),
    (length) => prune(normal(length, next), 0.3),
    (length) => prune(normal(length, next), 0.3),
  ];
  const operations = program.operations.map((operation, index) => {
    if (operation.op !== 'linear') return operation;
    const { rows, cols } = operation.weight;
    return {
      ...operation,
      weight: csr((kinds[index] as (length: number) => Float32Array)(rows * cols), rows, cols),
    };
  });
  const file = join(mkdtempSync(join(tmpdir(), 'espalier-')), 'model.esp');
  // The last two in fewer bits.
  for (const [at, format] of [
    [-2, 'bfloat16'],
    [-1, 'int8'],
  ] as const) {
    const made = roundValues({ ...program, operations: operations.slice(at) }, format).operations[0];
    operations[operations.length + at] = made as (typeof operations)[number];
  }
  const bytes = writeProgram({ ...program, operations });
  writeFileSync(file, bytes);
  const header = Buffer.from(bytes.subarray(8, 4096)).toString();
  for (const dtype of ['F32', 'split', 'U8', 'BF16', 'I8']) expect(header).toContain(`values.${dtype}`);
  const script = `${example}
print(json.dumps([[k, m.shape, m.indptr.tolist(), m.indices.tolist(), [float(x) for x in m.data], str(m.dtype)] for k, m in matrices.items()]))`;
  const { stdout, stderr } = spawnSync(process.env.ESPALIER_PYTHON ?? '', ['-c', script, file], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: process.env.ESPALIER_PYTHONPATH },
    maxBuffer: 2 ** 28,
  });
  expect(stderr).not.toMatch(/Error/);
  expect(JSON.parse(stdout)).toEqual(
    operations.map(({ name, weight: { rows, cols, rowPtr, colIdx, values } }: any) => [
      name,
      [rows, cols],
      [...rowPtr],
      [...colIdx],
      [...values],
      'float32',
    ]),
  );
});
