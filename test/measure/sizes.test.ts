import { describe, expect, it } from 'vitest';
import { csrFromDense } from '../../src/engine/csr.js';
import { writeProgram } from '../../src/file/write.js';
import { espSizes } from '../../src/inspect/esp-sizes.js';
import { sizeOf, weightSize } from '../../src/inspect/sizes.js';
import { denseValues } from '../../src/program/dense.js';
import { operationCases } from '../../src/program/cases.js';
import { wirings } from './programs.js';

describe('what an .esp file holds', () => {
  it.each([...operationCases(), ...wirings()])(
    'is counted without decoding its weights: $name',
    async ({ program }) => {
      const bytes = writeProgram(program, csrFromDense);
      const matrices = program.operations.flatMap((operation) =>
        'weight' in operation ? [denseValues(operation.weight)] : [],
      );
      const count = (has: (value: number) => boolean) =>
        matrices.reduce((sum, values) => sum + values.filter(has).length, 0);
      const never = () => {
        throw new Error('small files take no time');
      };
      expect(await espSizes(bytes, false, never)).toEqual({
        dense: await weightSize(program),
        esp: await sizeOf(bytes),
        weights: count(() => true),
        nonZero: count((value) => value !== 0),
      });
    },
  );
});
