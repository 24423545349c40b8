/** Programs for the tests of measure, and a plain executor of programs: slow, obvious, in double precision. */
import { activate } from '../support/run-program.js';
import type { Activation, ActivationKind, Matrix, Operation, Program } from '../../src/program/program.js';
import { denseValues } from '../../src/program/dense.js';
import { seededRandom } from '../../src/measure/race/statistics.js';

export const LINEAR: Activation = { kind: 'linear', alpha: 0, beta: 0 };

export const ACTIVATIONS: Activation[] = [
  ...(
    [
      ...['linear', 'relu', 'relu6', 'selu', 'sigmoid', 'tanh', 'softplus', 'softsign', 'gelu', 'gelu_tanh'],
      ...['swish', 'exponential'],
    ] as ActivationKind[]
  ).map((kind) => ({ kind, alpha: 0, beta: 0 })),
  { kind: 'leaky_relu', alpha: 0.3, beta: 0 },
  { kind: 'elu', alpha: 1, beta: 0 },
  { kind: 'elu', alpha: 0.7, beta: 0 },
  { kind: 'hard_sigmoid', alpha: 0.2, beta: 0.5 },
  { kind: 'hard_sigmoid', alpha: 1 / 6, beta: 0.5 },
];

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

/** One small program for each operation and each activation. */
export function everyOperation(): { name: string; program: Program }[] {
  const cases = ACTIVATIONS.map((activation) => ({
    name: `linear with ${activation.kind} ${activation.alpha}`,
    program: programOf(
      [5, 7],
      [0],
      [{ value: 1 }],
      [linear(0, 1, denseMatrix(7, 5, 1), randomFloats(7, 2), activation)],
    ),
  }));
  return [
    ...cases,
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
      name: 'linear at positions',
      program: programOf(
        [12, 20],
        [0],
        [{ value: 1, shape: [4, 5] }],
        [linear(0, 1, denseMatrix(5, 3, 4), randomFloats(5, 5), { kind: 'relu', alpha: 0, beta: 0 }, 4)],
      ),
    },
    ...[6, 3, 1].map((period) => ({
      name: `affine of period ${period}`,
      program: programOf(
        [6, 6],
        [0],
        [{ value: 1 }],
        [
          {
            op: 'affine',
            name: 'f',
            input: 0,
            output: 1,
            scale: randomFloats(period, 6),
            offset: randomFloats(period, 7),
            activation: { kind: 'relu', alpha: 0, beta: 0 },
          } satisfies Operation,
        ],
      ),
    })),
    ...[6, 3, 2].map((group) => ({
      name: `softmax in groups of ${group}`,
      program: programOf(
        [6, 6],
        [0],
        [{ value: 1 }],
        [{ op: 'softmax', name: 's', input: 0, output: 1, group } satisfies Operation],
      ),
    })),
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
      name: 'concat by runs',
      program: programOf(
        [4, 6, 10],
        [0, 1],
        [{ value: 2, shape: [2, 5] }],
        [{ op: 'concat', name: 'cat', inputs: [0, 1], output: 2, outer: 2 }],
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

function erf(x: number): number {
  // Series of erf: converges for the magnitudes of these tests.
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export function applyActivation(x: number, { kind, alpha, beta }: Activation): number {
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
  switch (kind) {
    case 'linear':
      return x;
    case 'relu':
      return Math.max(x, 0);
    case 'relu6':
      return Math.min(Math.max(x, 0), 6);
    case 'leaky_relu':
      return x < 0 ? alpha * x : x;
    case 'elu':
      return x < 0 ? alpha * Math.expm1(x) : x;
    case 'selu':
      return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x);
    case 'sigmoid':
      return sigmoid(x);
    case 'hard_sigmoid':
      return Math.min(Math.max(alpha * x + beta, 0), 1);
    case 'tanh':
      return Math.tanh(x);
    case 'softplus':
      return Math.log1p(Math.exp(x));
    case 'softsign':
      return x / (1 + Math.abs(x));
    case 'gelu':
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case 'gelu_tanh':
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case 'swish':
      return x * sigmoid(x);
    case 'exponential':
      return Math.exp(x);
    default:
      return activate({ kind, alpha, beta }, x);
  }
}

/** Runs a program sample by sample; inputs and outputs are batch × features, row-major. */
export function execute(program: Program, batch: number, inputs: Float32Array[]): Float32Array[] {
  const outputs = program.outputs.map(
    ({ value }) => new Float32Array(batch * (program.values[value]?.features ?? 0)),
  );
  for (let sample = 0; sample < batch; sample++) {
    const values: number[][] = [];
    program.inputs.forEach(({ value }, index) => {
      const features = program.values[value]?.features ?? 0;
      values[value] = [...(inputs[index]?.subarray(sample * features, (sample + 1) * features) ?? [])];
    });
    for (const operation of program.operations) values[operation.output] = compute(operation, values);
    program.outputs.forEach(({ value }, index) => {
      outputs[index]?.set(values[value] ?? [], sample * (program.values[value]?.features ?? 0));
    });
  }
  return outputs;
}

function compute(operation: Operation, values: number[][]): number[] {
  const get = (index: number) => values[index] ?? [];
  switch (operation.op) {
    case 'linear': {
      const { rows, cols } = operation.weight;
      const weights = denseValues(operation.weight);
      const answer: number[] = [];
      for (let position = 0; position < operation.positions; position++) {
        for (let row = 0; row < rows; row++) {
          let sum = operation.bias?.[row] ?? 0;
          for (let col = 0; col < cols; col++) {
            sum += (weights[row * cols + col] ?? 0) * (get(operation.input)[position * cols + col] ?? 0);
          }
          answer.push(applyActivation(sum, operation.activation));
        }
      }
      return answer;
    }
    case 'affine': {
      const { scale, offset, activation } = operation;
      const at = (array: Float32Array, i: number) => array[i % array.length] ?? 0;
      return get(operation.input).map((x, i) =>
        applyActivation(x * at(scale, i) + at(offset, i), activation),
      );
    }
    case 'activate':
      return get(operation.input).map((x) => applyActivation(x, operation.activation));
    case 'softmax': {
      const { group } = operation;
      const exps = get(operation.input).map(Math.exp);
      return exps.map((e, i) => {
        const start = i - (i % group);
        return e / exps.slice(start, start + group).reduce((a, b) => a + b, 0);
      });
    }
    case 'add':
      return get(operation.inputs[0] ?? 0).map((_, i) =>
        applyActivation(
          operation.inputs.reduce((sum, input) => sum + (get(input)[i] ?? 0), 0),
          operation.activation,
        ),
      );
    case 'concat': {
      const answer: number[] = [];
      for (let run = 0; run < operation.outer; run++) {
        for (const input of operation.inputs) {
          const each = get(input).length / operation.outer;
          answer.push(...get(input).slice(run * each, (run + 1) * each));
        }
      }
      return answer;
    }
    default:
      throw new Error(`no naive form of ${operation.op}`);
  }
}
