/** Activations by their scalar functions, and with them a Program computed plainly in float64. */
import { scalarFunction } from '../../src/network/activations.js';
import type { Activation as NetworkActivation } from '../../src/network/activations.js';
import type { Activation, Program } from '../../src/program/program.js';
import { runProgram as run } from '../../src/program/run.js';

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

/** One sample; the outputs in order. */
export function runProgram(program: Program, inputs: readonly ArrayLike<number>[]): number[][] {
  return run(program, inputs, activate);
}
