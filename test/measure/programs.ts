/** Programs for the tests of measure, and the plain executor over a batch. */
import { runProgram } from '../support/run-program.js';
import type { Activation, Matrix, Operation, Program } from '../../src/program/program.js';
import { seededRandom } from '../../src/measure/race/statistics.js';

export const LINEAR: Activation = { kind: 'linear', alpha: 0, beta: 0 };

export function randomFloats(length: number, seed: number, scale = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => (random() * 2 - 1) * scale);
}

export function denseMatrix(rows: number, cols: number, seed: number): Matrix {
  return { format: 'dense', rows, cols, values: randomFloats(rows * cols, seed) };
}

/** A program of one input of `features` (or of `shape`) and the operations given; outputs as listed. */
export function programOf(
  features: number[],
  inputs: number[],
  outputs: { value: number; shape?: number[] }[],
  operations: Operation[],
): Program {
  const port = (value: number, name: string, shape = [features[value] ?? 0]) => ({
    name,
    shape: [null, ...shape],
    dtype: 'float32' as const,
    value,
  });
  return {
    version: 1,
    name: 'test',
    values: features.map((count) => ({ features: count })),
    inputs: inputs.map((value, index) => port(value, `in${index}`)),
    outputs: outputs.map(({ value, shape }, index) => port(value, `out${index}`, shape)),
    operations,
  };
}

/** What the cases of operations lack: operations one after the other, several ports, ports that share a value. */
export function wirings(): { name: string; program: Program }[] {
  return [
    {
      name: 'linear without bias, then an activation of its own',
      program: programOf(
        [4, 3, 3],
        [0],
        [{ value: 2 }],
        [
          linear(0, 1, denseMatrix(3, 4, 3), null, LINEAR),
          { op: 'activate', name: 'a', input: 1, output: 2, activation: { kind: 'tanh', alpha: 0, beta: 0 } },
        ],
      ),
    },
    {
      name: 'two inputs, add and concat, two outputs',
      program: programOf(
        [4, 4, 4, 8],
        [0, 1],
        [{ value: 3 }, { value: 2 }],
        [
          {
            op: 'add',
            name: 'sum',
            inputs: [0, 1, 0],
            output: 2,
            activation: { kind: 'softsign', alpha: 0, beta: 0 },
          },
          { op: 'concat', name: 'cat', inputs: [2, 1], output: 3, outer: 1 },
        ],
      ),
    },
    {
      name: 'an input that is an output, twice',
      program: programOf(
        [3, 3],
        [0],
        [{ value: 0 }, { value: 1 }, { value: 1 }],
        [{ op: 'activate', name: 'a', input: 0, output: 1, activation: { kind: 'relu', alpha: 0, beta: 0 } }],
      ),
    },
  ];
}

export function linear(
  input: number,
  output: number,
  weight: Matrix,
  bias: Float32Array | null,
  activation: Activation,
  positions = 1,
): Operation {
  return { op: 'linear', name: `linear${output}`, input, output, positions, weight, bias, activation };
}

/** Runs a program sample by sample; inputs and outputs are batch × features, row-major. */
export function execute(program: Program, batch: number, inputs: Float32Array[]): Float32Array[] {
  const outputs = program.outputs.map(
    ({ value }) => new Float32Array(batch * (program.values[value]?.features ?? 0)),
  );
  for (let sample = 0; sample < batch; sample++) {
    const given = inputs.map((input) => {
      const features = input.length / batch;
      return input.subarray(sample * features, (sample + 1) * features);
    });
    runProgram(program, given).forEach((output, index) =>
      outputs[index]?.set(output, sample * output.length),
    );
  }
  return outputs;
}
