/** Activation functions: their names in each Keras generation, and their plain formulas. */
import type { Config } from './config.js';
import { isRecord, own, unsupported, wrong } from './config.js';

/** The elementwise functions without parameters. */
export type PlainActivation =
  | 'linear'
  | 'selu'
  | 'sigmoid'
  | 'tanh'
  | 'softplus'
  | 'softsign'
  | 'gelu'
  | 'gelu_tanh'
  | 'swish'
  | 'exponential'
  | 'mish'
  | 'hard_swish'
  | 'log_sigmoid'
  | 'tanh_shrink'
  | 'hard_tanh'
  | 'squareplus';

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

const PLAIN: Readonly<Record<string, PlainActivation>> = {
  linear: 'linear',
  selu: 'selu',
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  softplus: 'softplus',
  softsign: 'softsign',
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  swish: 'swish',
  silu: 'swish',
  exponential: 'exponential',
  mish: 'mish',
  hard_swish: 'hard_swish',
  hard_silu: 'hard_swish',
  log_sigmoid: 'log_sigmoid',
  tanh_shrink: 'tanh_shrink',
  hard_tanh: 'hard_tanh',
  squareplus: 'squareplus',
};

/** What Keras 3 names `leaky_relu` has slope 0.2, as tf.nn.leaky_relu has; the layer LeakyReLU has 0.3. */
const LEAKY_RELU_FUNCTION_SLOPE = 0.2;

function byName(name: string, keras: 2 | 3): Activation | null {
  if (Object.hasOwn(PLAIN, name)) return { kind: PLAIN[name]! };
  switch (name) {
    case 'relu':
      return relu();
    case 'relu6':
      return relu(0, 6);
    case 'leaky_relu':
      return relu(LEAKY_RELU_FUNCTION_SLOPE);
    case 'elu':
      return { kind: 'elu', alpha: 1 };
    case 'celu':
      return { kind: 'celu', alpha: 1 };
    case 'hard_sigmoid':
      return hardSigmoid(keras);
    case 'hard_shrink':
    case 'soft_shrink':
      return { kind: name, lambda: 0.5 };
    case 'softmax':
    case 'log_softmax':
      return { kind: name, axis: -1 };
    default:
      return null;
  }
}

/** Keras 2 and tfjs: clip(0.2 x + 0.5); Keras 3: relu6(x + 3) / 6. */
export function hardSigmoid(keras: 2 | 3): Activation {
  return { kind: 'hard_sigmoid', alpha: keras === 2 ? 0.2 : 1 / 6, beta: 0.5 };
}

/** Layers that may stand where an activation is named; they are parsed as layers of their own. */
export type ActivationLayerParser = (className: string, config: Config) => Activation | null;

/**
 * Parses the value of an `activation` setting: a name, null (linear), or a serialised function or layer.
 * @throws INVALID_MODEL for what is no activation, UNSUPPORTED_LAYER for one that is not known here.
 */
export function parseActivation(
  config: Config,
  key = 'activation',
  fallback = 'linear',
  layers?: ActivationLayerParser,
): Activation {
  let value = config.raw(key) ?? fallback;
  if (isRecord(value)) {
    const className = own(value, 'class_name');
    const inner = own(value, 'config');
    const registered = own(value, 'registered_name');
    if (className === 'function' && typeof inner === 'string') {
      const module = own(value, 'module');
      const builtin = typeof module === 'string' && module.includes('keras');
      if (!builtin && typeof registered === 'string' && registered !== inner) {
        throw unsupported(key, `the custom function ${inner}`, 'use an activation that Keras has');
      }
      value = inner;
    } else if (typeof className === 'string' && isRecord(inner) && layers !== undefined) {
      const activation = layers(className, config.child(key).child('config'));
      if (activation !== null) return activation;
      throw unsupported(key, `an object of class ${className.slice(0, 60)}`, 'name a Keras activation');
    }
  }
  if (typeof value !== 'string') throw wrong(key, 'the name of an activation', value);
  const activation = byName(value, config.origin.keras);
  if (activation === null) {
    throw unsupported(
      key,
      `the activation ${JSON.stringify(value.slice(0, 60))}`,
      'use an activation that Keras has',
    );
  }
  return activation;
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** erf with an absolute error below 1.2e-16: its Taylor series near 0, the continued fraction of erfc beyond. */
export function erf(x: number): number {
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

/**
 * The function of one number, in float64. NaN gives NaN, also where a comparison would hide it (docs/numbers.md).
 * @throws for softmax and log_softmax, which need their axis. */
export function scalarFunction(activation: Activation): (x: number) => number {
  switch (activation.kind) {
    case 'linear':
      return (x) => x;
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
    case 'selu':
      return (x) => SELU_SCALE * (x >= 0 ? x : SELU_ALPHA * Math.expm1(x));
    case 'sigmoid':
      return sigmoid;
    case 'hard_sigmoid':
      return (x) => clip(activation.alpha * x + activation.beta, 0, 1);
    case 'tanh':
      return Math.tanh;
    case 'softplus':
      return softplus;
    case 'softsign':
      return (x) => x / (1 + Math.abs(x));
    case 'gelu':
      return (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
    case 'gelu_tanh':
      return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case 'swish':
      return (x) => x * sigmoid(x);
    case 'exponential':
      return Math.exp;
    case 'mish':
      return (x) => x * Math.tanh(softplus(x));
    case 'hard_swish':
      return (x) => (x * clip(x + 3, 0, 6)) / 6;
    case 'log_sigmoid':
      return (x) => -softplus(-x);
    case 'tanh_shrink':
      return (x) => x - Math.tanh(x);
    case 'hard_tanh':
      return (x) => clip(x, -1, 1);
    case 'squareplus':
      return (x) => (x + Math.sqrt(x * x + 4)) / 2;
    case 'hard_shrink':
      return (x) => (Math.abs(x) <= activation.lambda ? 0 : x);
    case 'soft_shrink':
      return (x) => Math.sign(x) * Math.max(Math.abs(x) - activation.lambda, 0);
    case 'softmax':
    case 'log_softmax':
      throw wrong('activation', 'an elementwise function', activation.kind);
  }
}
