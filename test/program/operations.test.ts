/** Every case of every operation: what the engine computes, what a file keeps, and that C++ knows the same contract. */
import { describe, expect, it } from 'vitest';
import { addon } from '../../src/engine/find.js';
import { readProgram } from '../../src/file/read.js';
import { writeProgram } from '../../src/file/write.js';
import { ACTIVATION_KINDS } from '../../src/program/activation.js';
import { operationCases } from '../../src/program/cases.js';
import { checkProgram } from '../../src/program/check.js';
import { VALUE_CODES } from '../../src/program/coded.js';
import { OPERATIONS } from '../../src/program/operations/registry.js';
import { VALUE_FORMATS } from '../../src/program/value-formats.js';
import type { FieldKind } from '../../src/engine/addon.js';
import { runProgram } from '../support/run-program.js';

const CASES = operationCases();
/** What an operation has besides its settings. */
const COMMON = ['op', 'name', 'input', 'inputs', 'output'];
/** One sample, a few side by side, and a panel with columns left over. */
const BATCHES = [1, 3, 19];

describe('a case', () => {
  it.each(CASES)('is a program and comes back from a file: $name', ({ program }) => {
    checkProgram(program);
    expect(readProgram(writeProgram(program))).toEqual(program);
  });

  it.each(CASES)('gives the same in the engine and plainly: $name', ({ program, inputs }) => {
    const [expected = []] = runProgram(program, inputs);
    expect(expected.length).toBe(program.values.at(-1)?.features);
    for (const isa of addon().cpu().available) {
      const model = addon().load(program, { threads: 1, batchSizes: [], isa });
      for (const batch of BATCHES) {
        const given = inputs.map((input) =>
          Float32Array.from(Array.from({ length: batch }, () => input).flat()),
        );
        const y = new Float32Array(batch * expected.length);
        model.runSync(batch, given, [y]);
        y.forEach((value, i) => {
          const wanted = expected[i % expected.length] as number;
          // NaN: room after a plane, where anything may be.
          if (Number.isNaN(wanted)) return;
          const far = Math.abs(value - Math.fround(wanted)) > 2e-5 * Math.max(1, Math.abs(wanted));
          if (far || Number.isNaN(value))
            expect.fail(`${isa}, batch ${batch}: ${value} at ${i}, not ${wanted}`);
        });
      }
      model.dispose();
    }
  });
});

describe('TypeScript and C++', () => {
  const contract = addon().contract();

  it('know the same operations, with as many inputs', () => {
    const here = OPERATIONS.map(({ op, manyInputs }) => ({ op, manyInputs }));
    const there = contract.operations.map(({ op, manyInputs }) => ({ op, manyInputs }));
    const byName = (a: { op: string }, b: { op: string }) => a.op.localeCompare(b.op);
    expect(here.sort(byName)).toEqual(there.sort(byName));
  });

  it.each(contract.operations)('know the same settings of $op', ({ op, fields }) => {
    const cases = CASES.filter((one) => one.op === op);
    expect(cases.length).toBeGreaterThan(0);
    for (const { program } of cases) {
      const settings = Object.fromEntries(
        Object.entries(program.operations[0] ?? {}).filter(([key]) => !COMMON.includes(key)),
      );
      expect(Object.keys(settings).sort()).toEqual(fields.map((field) => field.name).sort());
      for (const field of fields)
        expect([field.name, field.kind]).toEqual([field.name, kindOf(settings[field.name], field.kind)]);
    }
    const choices = fields
      .filter(({ kind }) => kind === 'choice')
      .map((field) => [field.name, field.choices]);
    const definition = OPERATIONS.find((one) => one.op === op);
    expect(definition?.choices ?? {}).toEqual(Object.fromEntries(choices));
  });

  it('know the same activations, formats and codes of values', () => {
    expect(contract.activations).toEqual(ACTIVATION_KINDS);
    expect(contract.valueFormats).toEqual(VALUE_FORMATS);
    expect(contract.valueCodes.sort()).toEqual([...VALUE_CODES].sort());
  });
});

/** The kind of field that a setting is; where several are possible, the one expected. */
function kindOf(setting: unknown, expected: FieldKind): FieldKind | undefined {
  const of = (...kinds: FieldKind[]) => kinds.find((kind) => kind === expected) ?? kinds[0];
  if (typeof setting === 'boolean') return 'flag';
  if (typeof setting === 'string') return 'choice';
  if (typeof setting === 'number') return Number.isInteger(setting) ? of('size', 'number') : 'number';
  if (setting === null) return 'optional floats';
  if (setting instanceof Float32Array) return of('floats', 'optional floats');
  if (setting instanceof Int32Array) return 'indices';
  return typeof setting === 'object' && 'kind' in setting ? 'activation' : 'matrix';
}
