/** An activation as JSON. */
import type { Activation, ActivationKind } from '../program/program.js';
import { invalid } from '../errors.js';
import { isObject } from '../safetensors.js';

export type Json = Record<string, unknown>;

const ACTIVATIONS: { [K in ActivationKind]: 0 | 1 | 2 } = {
  linear: 0,
  relu: 0,
  relu6: 0,
  leaky_relu: 1,
  elu: 1,
  selu: 0,
  sigmoid: 0,
  hard_sigmoid: 2,
  tanh: 0,
  softplus: 0,
  softsign: 0,
  gelu: 0,
  gelu_tanh: 0,
  swish: 0,
  exponential: 0,
  mish: 0,
  hard_swish: 0,
  log_sigmoid: 0,
  tanh_shrink: 0,
  squareplus: 0,
  hard_shrink: 1,
  soft_shrink: 1,
  threshold: 2,
  clip: 2,
  clipped_leaky_relu: 2,
};

/** Nothing for linear, the kind alone where alpha and beta are 0, else all three. */
export function writeActivation({ kind, alpha, beta }: Activation): Json {
  if (alpha !== 0 || beta !== 0) return { activation: { kind, alpha, beta } };
  return kind === 'linear' ? {} : { activation: kind };
}

export function readActivation(json: unknown, name: string): Activation {
  const { kind, alpha, beta } = (
    isObject(json) ? json : { kind: json ?? 'linear', alpha: 0, beta: 0 }
  ) as Partial<Record<keyof Activation, unknown>>;
  if (typeof kind !== 'string' || !Object.hasOwn(ACTIVATIONS, kind)) {
    throw invalid('INVALID_MODEL', `${name}.activation`, Object.keys(ACTIVATIONS).join(', '), kind);
  }
  const used = ACTIVATIONS[kind as ActivationKind];
  if (
    !Number.isFinite(alpha) ||
    !Number.isFinite(beta) ||
    (used < 2 && beta !== 0) ||
    (used < 1 && alpha !== 0)
  ) {
    throw invalid('INVALID_MODEL', `${name}.activation`, `${used} finite settings for ${kind}`, json);
  }
  return { kind: kind as ActivationKind, alpha: alpha as number, beta: beta as number };
}
