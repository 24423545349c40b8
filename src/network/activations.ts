/** Activation functions and their plain formulas. */
import { wrong } from './untrusted.js';

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** erf with an absolute error below 1.2e-16: its Taylor series near 0, the continued fraction of erfc beyond. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  if (a > 6) return Math.sign(x);
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const clip = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** The elementwise functions without parameters, in float64: the one list of them. */
const PLAIN = {
  linear: (x: number) => x,
  selu: (x: number) => SELU_SCALE * (x >= 0 ? x : SELU_ALPHA * Math.expm1(x)),
  sigmoid,
  tanh: Math.tanh,
  softplus,
  softsign: (x: number) => x / (1 + Math.abs(x)),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  swish: (x: number) => x * sigmoid(x),
  exponential: Math.exp,
  mish: (x: number) => x * Math.tanh(softplus(x)),
  hard_swish: (x: number) => (x * clip(x + 3, 0, 6)) / 6,
  log_sigmoid: (x: number) => -softplus(-x),
  tanh_shrink: (x: number) => x - Math.tanh(x),
  hard_tanh: (x: number) => clip(x, -1, 1),
  squareplus: (x: number) => (x + Math.sqrt(x * x + 4)) / 2,
} satisfies Record<string, (x: number) => number>;

export type PlainActivation = keyof typeof PLAIN;

export const isPlain = (name: string): name is PlainActivation => Object.hasOwn(PLAIN, name);

export const PLAIN_ACTIVATIONS: readonly PlainActivation[] = Object.keys(PLAIN).filter(isPlain);

export type Activation =
  | { readonly kind: PlainActivation }
  /**
   * maxValue where x >= maxValue (null: no ceiling); x where x >= threshold; negativeSlope * (x - threshold) below.
   * Covers relu, relu6 (maxValue 6) and leaky_relu (negativeSlope).
   */
  | {
      readonly kind: 'relu';
      readonly negativeSlope: number;
      readonly maxValue: number | null;
      readonly threshold: number;
    }
  /** x where x > theta, 0 elsewhere. */
  | { readonly kind: 'thresholded_relu'; readonly theta: number }
  /** alpha * (e^x - 1) where x < 0. */
  | { readonly kind: 'elu'; readonly alpha: number }
  /** alpha * (e^(x/alpha) - 1) where x < 0. */
  | { readonly kind: 'celu'; readonly alpha: number }
  /** clip(alpha * x + beta, 0, 1): Keras 2 has 0.2 and 0.5, Keras 3 1/6 and 0.5. */
  | { readonly kind: 'hard_sigmoid'; readonly alpha: number; readonly beta: number }
  /** 0 where |x| <= lambda; elsewhere x (hard) or x moved by lambda towards 0 (soft). */
  | { readonly kind: 'hard_shrink' | 'soft_shrink'; readonly lambda: number }
  /** Over one axis (may be negative), not elementwise. */
  | { readonly kind: 'softmax' | 'log_softmax'; readonly axis: number };

export const LINEAR: Activation = { kind: 'linear' };

export function relu(negativeSlope = 0, maxValue: number | null = null, threshold = 0): Activation {
  return { kind: 'relu', negativeSlope, maxValue, threshold };
}

/**
 * The function of one number, in float64. NaN gives NaN, also where a comparison would hide it (docs/numbers.md).
 * @throws for softmax and log_softmax, which need their axis.
 */
export function scalarFunction(activation: Activation): (x: number) => number {
  switch (activation.kind) {
    case 'relu': {
      const { negativeSlope, maxValue, threshold } = activation;
      const ceiling = maxValue ?? Infinity;
      // A slope of 0 is no product: 0 * -Infinity would be NaN.
      const below = (x: number): number => (negativeSlope === 0 ? 0 : negativeSlope * (x - threshold));
      return (x) => (x < threshold ? below(x) : Math.min(x, ceiling));
    }
    case 'thresholded_relu':
      return (x) => (x <= activation.theta ? 0 : x);
    case 'elu':
      return (x) => (x >= 0 ? x : activation.alpha * Math.expm1(x));
    case 'celu':
      return (x) => (x >= 0 ? x : activation.alpha * Math.expm1(x / activation.alpha));
    case 'hard_sigmoid':
      return (x) => clip(activation.alpha * x + activation.beta, 0, 1);
    case 'hard_shrink':
      return (x) => (Math.abs(x) <= activation.lambda ? 0 : x);
    case 'soft_shrink':
      return (x) => Math.sign(x) * Math.max(Math.abs(x) - activation.lambda, 0);
    case 'softmax':
    case 'log_softmax':
      throw wrong('activation', 'an elementwise function', activation.kind);
    default:
      return PLAIN[activation.kind];
  }
}
