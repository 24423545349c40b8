/** The elementwise functions of a program: their one list, and how each is stored. */
import { invalid } from '../errors.js';

/**
 * By kind, an example of the settings it has: none, alpha, or alpha and beta; the others are 0.
 * - relu: max(x, 0); relu6: min(max(x, 0), 6).
 * - leaky_relu: alpha = slope for x < 0. elu: alpha. hard_sigmoid: clip(alpha * x + beta, 0, 1) (Keras 2: 0.2, 0.5;
 *   Keras 3: 1/6, 0.5).
 * - hard_shrink, soft_shrink: alpha = lambda, not negative.
 * - threshold: x where x >= alpha, else beta * (x - alpha). clip: min(max(x, alpha), beta).
 * - clipped_leaky_relu: min(leaky_relu(x), beta).
 */
export const ACTIVATIONS = {
  linear: [],
  relu: [],
  relu6: [],
  leaky_relu: [0.3],
  elu: [0.7],
  selu: [],
  sigmoid: [],
  hard_sigmoid: [0.2, 0.5],
  tanh: [],
  softplus: [],
  softsign: [],
  gelu: [],
  gelu_tanh: [],
  swish: [],
  exponential: [],
  mish: [],
  hard_swish: [],
  log_sigmoid: [],
  tanh_shrink: [],
  squareplus: [],
  hard_shrink: [0.5],
  soft_shrink: [0.5],
  threshold: [0.5, 0.25],
  clip: [-0.5, 0.75],
  clipped_leaky_relu: [0.3, 0.75],
} as const satisfies Record<string, readonly number[]>;

export type ActivationKind = keyof typeof ACTIVATIONS;
export const ACTIVATION_KINDS = Object.keys(ACTIVATIONS) as readonly ActivationKind[];

export interface Activation {
  readonly kind: ActivationKind;
  readonly alpha: number;
  readonly beta: number;
}

export const LINEAR: Activation = { kind: 'linear', alpha: 0, beta: 0 };

/** The activation with the settings of the list. */
export function exampleActivation(kind: ActivationKind): Activation {
  const [alpha = 0, beta = 0]: readonly number[] = ACTIVATIONS[kind];
  return { kind, alpha: Math.fround(alpha), beta: Math.fround(beta) };
}

/** As JSON: undefined for linear, the kind alone where alpha and beta are 0, else all three. */
export function storedActivation({ kind, alpha, beta }: Activation): unknown {
  if (alpha !== 0 || beta !== 0) return { kind, alpha, beta };
  return kind === 'linear' ? undefined : kind;
}

/** @throws EspalierError INVALID_MODEL */
export function readActivation(json: unknown, name: string): Activation {
  const { kind, alpha, beta } = (
    typeof json === 'object' && json !== null ? json : { kind: json ?? 'linear', alpha: 0, beta: 0 }
  ) as Partial<Record<keyof Activation, unknown>>;
  if (typeof kind !== 'string' || !Object.hasOwn(ACTIVATIONS, kind)) {
    throw invalid('INVALID_MODEL', `${name}.activation`, ACTIVATION_KINDS.join(', '), kind);
  }
  const used = ACTIVATIONS[kind as ActivationKind].length;
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
