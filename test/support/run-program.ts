/**
 * A Program computed plainly in float64: the oracle of the compiler's passes. No operation or activation is left out.
 * NaN and infinities go where docs/numbers.md says.
 */
import { scalarFunction } from '../../src/network/activations.js';
import type { Activation as NetworkActivation } from '../../src/network/activations.js';
import { SEQUENCE_RULES } from '../../src/program/operations/check-sequences.js';
import type { Activation, Matrix, Operation, Program } from '../../src/program/program.js';
import type { SequenceOperation } from '../../src/program/operations/sequences.js';
import { runImage } from './run-images.js';
import { runSequence } from './run-sequences.js';

export function activate({ kind, alpha, beta }: Activation, x: number): number {
  switch (kind) {
    case 'threshold':
      return x < alpha ? (beta === 0 ? 0 : beta * (x - alpha)) : x;
    case 'clip':
      return Math.min(Math.max(x, alpha), beta);
    case 'clipped_leaky_relu':
      return Math.min(x < 0 ? alpha * x : x, beta);
    default:
      return scalarFunction(named(kind, alpha, beta))(x);
  }
}

function named(
  kind: Exclude<Activation['kind'], 'threshold' | 'clip' | 'clipped_leaky_relu'>,
  alpha: number,
  beta: number,
): NetworkActivation {
  const relu = { kind: 'relu', negativeSlope: 0, maxValue: null, threshold: 0 } as const;
  switch (kind) {
    case 'relu':
      return relu;
    case 'relu6':
      return { ...relu, maxValue: 6 };
    case 'leaky_relu':
      return { ...relu, negativeSlope: alpha };
    case 'elu':
      return { kind, alpha };
    case 'hard_sigmoid':
      return { kind, alpha, beta };
    case 'hard_shrink':
    case 'soft_shrink':
      return { kind, lambda: alpha };
    default:
      return { kind };
  }
}

function dense(matrix: Matrix): ArrayLike<number> {
  if (matrix.format === 'dense') return matrix.values;
  const out = new Float64Array(matrix.rows * matrix.cols);
  for (let row = 0; row < matrix.rows; row++) {
    for (let at = matrix.rowPtr[row] as number; at < (matrix.rowPtr[row + 1] as number); at++) {
      out[row * matrix.cols + (matrix.colIdx[at] as number)] = matrix.values[at] as number;
    }
  }
  return out;
}

function isSequence(operation: Operation): operation is SequenceOperation {
  return Object.hasOwn(SEQUENCE_RULES, operation.op);
}

/** One sample; the outputs in order. */
export function runProgram(program: Program, inputs: readonly ArrayLike<number>[]): number[][] {
  const values: number[][] = [];
  program.inputs.forEach((port, index) => (values[port.value] = Array.from(inputs[index] ?? [])));
  for (const o of program.operations) {
    const x = 'input' in o ? (values[o.input] as number[]) : [];
    let y: number[];
    switch (o.op) {
      case 'linear': {
        const { rows, cols } = o.weight;
        const w = dense(o.weight);
        y = Array.from({ length: o.positions * rows }, (_, i) => {
          const position = Math.floor(i / rows);
          const row = i % rows;
          let sum = o.bias?.[row] ?? 0;
          for (let col = 0; col < cols; col++) {
            // A weight of zero is none: it does not make NaN of an infinity.
            const weight = w[row * cols + col] as number;
            if (weight !== 0) sum += weight * (x[position * cols + col] as number);
          }
          return sum;
        });
        break;
      }
      case 'affine':
        y = x.map(
          (v, i) => v * (o.scale[i % o.scale.length] as number) + (o.offset[i % o.scale.length] as number),
        );
        break;
      case 'activate':
        y = [...x];
        break;
      case 'softmax':
        y = x.map((v, i) => {
          const group = x.slice(i - (i % o.group), i - (i % o.group) + o.group);
          const most = Math.max(...group);
          return Math.exp(v - most) / group.reduce((sum, g) => sum + Math.exp(g - most), 0);
        });
        break;
      case 'add':
        y = (values[o.inputs[0] as number] as number[]).map((_, i) =>
          o.inputs.reduce((sum, value) => sum + ((values[value] as number[])[i] as number), 0),
        );
        break;
      case 'concat':
        y = Array.from({ length: o.outer }, (_, run) =>
          o.inputs.flatMap((value) => {
            const whole = values[value] as number[];
            const part = whole.length / o.outer;
            return whole.slice(run * part, (run + 1) * part);
          }),
        ).flat();
        break;
      default: {
        const inputs = 'inputs' in o ? o.inputs : [o.input];
        const given = inputs.map((value) => values[value] as number[]);
        const weight = 'weight' in o ? dense(o.weight) : [];
        y = isSequence(o) ? runSequence(o, given, weight, activate) : runImage(o, given, weight);
      }
    }
    values[o.output] = 'activation' in o ? y.map((v) => activate(o.activation, Math.fround(v))) : y;
  }
  return program.outputs.map((port) => values[port.value] as number[]);
}
