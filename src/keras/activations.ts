/** The names of activations in each library and Keras generation: how they are read, and how they are written. */
import {
  PLAIN_ACTIVATIONS,
  isPlain,
  relu,
  type Activation,
  type PlainActivation,
} from '../network/activations.js';
import { isRecord, own, unsupported, wrong } from '../network/untrusted.js';
import type { Config } from './config.js';
import type { Dialect } from './dialect.js';

/** Names of parameterless functions where they are not the function's own. */
const OTHER_NAMES: Readonly<Record<string, PlainActivation>> = {
  gelu_new: 'gelu_tanh',
  silu: 'swish',
  hard_silu: 'hard_swish',
};

/** What has no name of its own: Keras has it as an argument of gelu, and transformers as gelu_new. */
const UNNAMED: ReadonlySet<string> = new Set<PlainActivation>(['gelu_tanh']);

/** What Keras 3 names `leaky_relu` has slope 0.2, as tf.nn.leaky_relu has; the layer LeakyReLU has 0.3. */
const LEAKY_RELU_FUNCTION_SLOPE = 0.2;

/** Functions with parameters, as their bare name means them. */
const WITH_PARAMETERS: Readonly<Record<string, (keras: 2 | 3) => Activation>> = {
  relu: () => relu(),
  relu6: () => relu(0, 6),
  leaky_relu: () => relu(LEAKY_RELU_FUNCTION_SLOPE),
  elu: () => ({ kind: 'elu', alpha: 1 }),
  celu: () => ({ kind: 'celu', alpha: 1 }),
  // Keras 2 and tfjs: clip(0.2 x + 0.5); Keras 3: relu6(x + 3) / 6.
  hard_sigmoid: (keras) => ({ kind: 'hard_sigmoid', alpha: keras === 2 ? 0.2 : 1 / 6, beta: 0.5 }),
  hard_shrink: () => ({ kind: 'hard_shrink', lambda: 0.5 }),
  soft_shrink: () => ({ kind: 'soft_shrink', lambda: 0.5 }),
  softmax: () => ({ kind: 'softmax', axis: -1 }),
  log_softmax: () => ({ kind: 'log_softmax', axis: -1 }),
};

/** Every name that is read. */
export const ACTIVATION_NAMES: readonly string[] = [
  ...PLAIN_ACTIVATIONS.filter((name) => !UNNAMED.has(name)),
  ...Object.keys(OTHER_NAMES),
  ...Object.keys(WITH_PARAMETERS),
];

function byName(name: string, keras: 2 | 3): Activation | null {
  if (isPlain(name) && !UNNAMED.has(name)) return { kind: name };
  const other = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined;
  if (other !== undefined) return { kind: other };
  return Object.hasOwn(WITH_PARAMETERS, name) ? (WITH_PARAMETERS[name]?.(keras) ?? null) : null;
}

/** Layers that may stand where an activation is named; they are read as layers of their own. */
export type ActivationLayerReader = (className: string, config: Config) => Activation | null;

/**
 * Reads the value of an `activation` setting: a name, null (linear), or a serialised function or layer.
 * @throws INVALID_MODEL for what is no activation, UNSUPPORTED_LAYER for one that is not known here.
 */
export function readActivation(
  config: Config,
  key: string,
  fallback: string,
  layers: ActivationLayerReader,
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
    } else if (typeof className === 'string' && isRecord(inner)) {
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

const BOTH: readonly PlainActivation[] = [
  ...(['linear', 'selu', 'sigmoid', 'tanh', 'softplus', 'softsign', 'gelu', 'swish', 'mish'] as const),
];
/** The parameterless functions that the library names as we do. */
const WRITTEN: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  tfjs: new Set(BOTH),
  keras: new Set<PlainActivation>([...BOTH, 'exponential']),
};

/**
 * The name that stands for the activation with just these parameters, or null. `inner`: inside a recurrent layer, where
 * no layer can take its place, so that hard_sigmoid of Keras 2 keeps its name.
 */
export function activationName(activation: Activation, dialect: Dialect, inner = false): string | null {
  const { kind } = activation;
  switch (kind) {
    case 'relu': {
      const { negativeSlope, maxValue, threshold } = activation;
      if (negativeSlope !== 0 || threshold !== 0) return null;
      // Keras 2 has relu6 as a layer only.
      return maxValue === null ? 'relu' : maxValue === 6 && dialect === 'tfjs' && !inner ? 'relu6' : null;
    }
    case 'elu':
      return activation.alpha === 1 ? 'elu' : null;
    case 'hard_sigmoid': {
      const named = activation.alpha === 0.2 && activation.beta === 0.5 && (inner || dialect === 'tfjs');
      return named ? 'hard_sigmoid' : null;
    }
    case 'softmax':
      return activation.axis === -1 && !inner ? 'softmax' : null;
    default:
      return WRITTEN[dialect].has(kind) ? kind : null;
  }
}

/** A network is in the dialect's layers when it is written: every activation has a name, or its layer parameters. */
export function writtenName(activation: Activation, dialect: Dialect, inner = false): string {
  return activationName(activation, dialect, inner) ?? 'linear';
}
