import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { Program } from '../../src/program/program.js';
import { readProgram } from '../../src/file/read.js';
import { writeProgram } from '../../src/file/write.js';
import { csr, sharedMatrix, mlp, normal, random } from '../support/programs.js';

const headerBytes = (bytes: Uint8Array) => 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));

it('a program comes back as it was', () => {
  for (const program of [sharedMatrix(), mlp([5, 4, 1], 0.5).program, mlp([1, 1], 0).program]) {
    expect(readProgram(writeProgram(program))).toEqual(program);
  }
});

it('what operations share stays shared and is stored once', () => {
  const read = readProgram(writeProgram(sharedMatrix()));
  const [left, right] = read.operations as unknown as { weight?: unknown; bias?: unknown }[];
  expect(left?.weight).toBe(right?.weight);
  expect(left?.bias).toBe(right?.bias);
});

it('values are numbered in the order in which they are made', () => {
  const program = sharedMatrix();
  // The same program with its values shuffled.
  const moved = [3, 8, 0, 7, 1, 6, 2, 5, 4];
  const shuffled = {
    ...program,
    values: program.values.map((_, at) => program.values[moved.indexOf(at)]),
    inputs: program.inputs.map((port) => ({ ...port, value: moved[port.value] })),
    outputs: program.outputs.map((port) => ({ ...port, value: moved[port.value] })),
    operations: program.operations.map((operation) => ({
      ...operation,
      ...('input' in operation ? { input: moved[operation.input] } : {}),
      ...('inputs' in operation ? { inputs: operation.inputs.map((value) => moved[value]) } : {}),
      output: moved[operation.output],
    })),
  } as Program;
  expect(writeProgram(shuffled)).toEqual(writeProgram(program));
});

it('reads bytes that start anywhere, and empty and full matrices', () => {
  const { program } = mlp([7, 3], 0.4);
  const [operation] = program.operations;
  for (const dense of [new Float32Array(21), new Float32Array(21).fill(2.5)]) {
    const changed = { ...program, operations: [{ ...operation, weight: csr(dense, 3, 7) }] } as Program;
    const bytes = writeProgram(changed);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(readProgram(shifted.subarray(1))).toEqual(changed);
  }
});

it('a file is no larger than the stripped dense weights are by gzip -9, from 0.75 and 100,000 weights on', () => {
  const next = random(3);
  // Heavy tails, whole neurons gone, and values of few bits, besides plain normal weights.
  const kinds: Record<string, (length: number) => Float32Array> = {
    normal: (length) => normal(length, next),
    heavy: (length) => normal(length, next).map((w) => w ** 3),
    'dead outputs': (length) =>
      normal(length, next).map((w, i) => (Math.floor(i / 320) % 3 === 0 ? w * 1e-3 : w)),
    'dead inputs': (length) => normal(length, next).map((w, i) => (i % 320 < 192 ? w * 1e-3 : w)),
    quantised: (length) => normal(length, next).map((w) => Math.fround(Math.round(w * 40) / 40)),
    half: (length) =>
      normal(length, next).map((w) => {
        const unit = 2 ** (Math.floor(Math.log2(Math.abs(w))) - 10);
        return Math.round(w / unit) * unit;
      }),
  };
  for (const [kind, weights] of Object.entries(kinds)) {
    for (const sparsity of [0.75, 0.8, 0.9, 0.95, 0.99]) {
      const { program, dense } = mlp([320, 320, 10], sparsity, 5, weights);
      const all = Buffer.concat(dense.map(({ buffer }) => new Uint8Array(buffer)));
      const file = writeProgram(program).length;
      expect(file, `${kind} at ${sparsity}`).toBeLessThanOrEqual(gzipSync(all, { level: 9 }).length);
    }
  }
});

it('the header of a small network takes at most 4 KB, also with 20 layers', () => {
  expect(headerBytes(writeProgram(mlp([16, 64, 32, 32, 5], 0.75).program))).toBeLessThan(1200);
  expect(headerBytes(writeProgram(mlp(new Array<number>(21).fill(8), 0.5).program))).toBeLessThanOrEqual(
    4096,
  );
});
