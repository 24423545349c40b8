/** The networks that rivals get compute what the program says: each operation, each activation. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Program } from '../../src/program/program.js';
import { toOnnx } from '../../src/export/onnx/index.js';
import type { Rival, RivalInput } from '../../src/measure/race/rival.js';
import { rival as onnxruntime } from '../../src/measure/rivals/onnxruntime.js';
import { rival as tfjsNode } from '../../src/measure/rivals/tfjs-node.js';
import { toTfjs } from '../../src/export/tfjs-of-program.js';
import { operationCases } from '../../src/program/cases.js';
import { execute, randomFloats, wirings } from './programs.js';

/** Operations that both writers take as they stand; those on images need their neighbours (test/measure/images.test.ts). */
const ROWS = ['linear', 'affine', 'activate', 'softmax', 'add', 'concat'];
/** Activations that neither writer has. */
const REFUSED = [
  ...['mish', 'hard_swish', 'log_sigmoid', 'tanh_shrink', 'squareplus', 'hard_shrink', 'soft_shrink'],
  ...['threshold', 'clip', 'clipped_leaky_relu'],
];
const cases = [
  ...operationCases().filter(
    ({ op, program }) => ROWS.includes(op) && !REFUSED.includes(kindOf(program.operations[0])),
  ),
  ...wirings(),
];
function kindOf(operation: object | undefined): string {
  return (operation as { activation?: { kind: string } } | undefined)?.activation?.kind ?? '';
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-export-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Loads the files into the rival and compares its answers at two batch sizes with the plain executor's. */
async function compare(rival: Rival, program: Program, files: { onnx?: string; tfjs?: string }) {
  const ports = (list: Program['inputs']) => list.map(({ name, shape }) => ({ name, shape: [...shape] }));
  await rival.load({
    files: { esp: '', ...files },
    inputs: ports(program.inputs),
    outputs: ports(program.outputs),
    threads: 1,
  });
  for (const batch of [1, 3]) {
    const inputs: RivalInput[] = program.inputs.map(({ name, shape, value }, index) => ({
      name,
      shape: shape.map((extent) => extent ?? batch),
      data: randomFloats(batch * (program.values[value]?.features ?? 0), 10 + index, 2),
    }));
    const expected = execute(
      program,
      batch,
      inputs.map(({ data }) => data),
    );
    const outputs = await rival.run(inputs);
    expect(outputs.length).toBe(expected.length);
    outputs.forEach((output, index) => {
      expect(output.length).toBe(expected[index]?.length);
      output.forEach((value, i) => expect(value).toBeCloseTo(expected[index]?.[i] ?? Number.NaN, 5));
    });
  }
  await rival.dispose();
}

describe('ONNX, run by onnxruntime-node', () => {
  it.each(cases)('$name', async ({ program }) => {
    const onnx = join(folder, 'model.onnx');
    await writeFile(onnx, await toOnnx(program));
    await compare(onnxruntime, program, { onnx });
  });
});

describe('TFJS layers model, run by tfjs-node', () => {
  it.each(cases)('$name', async ({ program }) => {
    const { manifest, weights } = toTfjs(program);
    const tfjs = join(folder, 'model.json');
    await writeFile(tfjs, JSON.stringify(manifest));
    await writeFile(join(folder, 'weights.bin'), weights);
    await compare(tfjsNode, program, { tfjs });
  });
});
