/** A program of one operation for each case of the registry: what every test of operations runs over. */
import { exampleNumbers } from './example.js';
import type { Operation } from './operations/registry.js';
import { OPERATIONS } from './operations/registry.js';
import { PROGRAM_VERSION, type Program, type ProgramPort } from './program.js';

export interface ProgramCase {
  readonly op: Operation['op'];
  readonly name: string;
  readonly program: Program;
  /** Numbers for each input, one sample. */
  readonly inputs: readonly (readonly number[])[];
}

export function operationCases(): ProgramCase[] {
  return OPERATIONS.flatMap((definition) =>
    definition.cases().map(({ name, inputs: given, settings }): ProgramCase => {
      const inputs = given.map((input) => (typeof input === 'number' ? exampleNumbers(input) : input));
      const sizes = inputs.map((input) => input.length);
      const from = inputs.map((_, index) => index);
      const operation = {
        ...{ op: definition.op, name: 'operation', output: inputs.length },
        ...(definition.manyInputs ? { inputs: from } : { input: 0 }),
        ...settings,
      } as unknown as Operation;
      const features = [...sizes, definition.features(operation, sizes)];
      const port = (portName: string, value: number): ProgramPort => ({
        ...{ name: portName, shape: [null, features[value] ?? 0], dtype: 'float32', value },
      });
      const program: Program = {
        ...{ version: PROGRAM_VERSION, name: 'case' },
        values: features.map((count) => ({ features: count })),
        inputs: from.map((index) => port(`in${index}`, index)),
        outputs: [port('out', inputs.length)],
        operations: [operation],
      };
      return { op: definition.op, name: `${definition.op}: ${name}`, program, inputs };
    }),
  );
}
