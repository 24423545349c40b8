/** Activation, ReLU, LeakyReLU, ELU, Softmax and ThresholdedReLU in Keras's files. */
import { relu, type Activation } from '../../network/activations.js';
import type { ActivationSettings } from '../../network/layers/activation.js';
import { wrong } from '../../network/untrusted.js';
import { readActivation, writtenName } from '../activations.js';
import type { KerasCodec, WrittenConfig } from '../codec.js';
import type { Config } from '../config.js';
import type { Dialect } from '../dialect.js';

type Reader = (config: Config) => Activation;

/** Layers that are one activation: also where a layer stands as another's `activation`. */
const READERS = {
  Activation: (config) => readActivation(config, 'activation', 'linear', activationLayer),
  ReLU: (config) => {
    const max = config.has('max_value') ? config.number('max_value', undefined, { min: 0 }) : null;
    return relu(config.number('negative_slope', 0, { min: 0 }), max, config.number('threshold', 0));
  },
  LeakyReLU: (config) =>
    // Keras 2 and tfjs name the slope alpha, Keras 3 negative_slope; either takes the other's name.
    relu(
      config.has('negative_slope') && (config.origin.keras === 3 || !config.has('alpha'))
        ? config.number('negative_slope')
        : config.number('alpha', 0.3),
    ),
  ELU: (config) => ({ kind: 'elu', alpha: config.number('alpha', 1) }),
  ThresholdedReLU: (config) => ({ kind: 'thresholded_relu', theta: config.number('theta', 1, { min: 0 }) }),
  Softmax: (config) => {
    const axis = config.raw('axis') ?? -1;
    const one: unknown = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
    if (typeof one !== 'number' || !Number.isInteger(one)) throw wrong('axis', 'one integer', axis);
    return { kind: 'softmax', axis: one };
  },
} satisfies Record<string, Reader>;

const isReader = (name: string): name is keyof typeof READERS => Object.hasOwn(READERS, name);

export function activationLayer(className: string, config: Config): Activation | null {
  return isReader(className) ? READERS[className](config) : null;
}

/** The parameters of a layer of its own: it is chosen by them (export/rewrite.ts). */
function parameters(given: Activation): WrittenConfig {
  switch (given.kind) {
    case 'relu':
      return { alpha: given.negativeSlope };
    case 'elu':
      return { alpha: given.alpha };
    case 'thresholded_relu':
      return { theta: given.theta };
    case 'softmax':
      return { axis: given.axis };
    default:
      return {};
  }
}

function reluParameters(given: Activation, dialect: Dialect): WrittenConfig {
  if (given.kind !== 'relu') return {};
  const { maxValue, negativeSlope, threshold } = given;
  return {
    max_value: maxValue,
    ...(dialect === 'tfjs' ? {} : { negative_slope: negativeSlope, threshold }),
  };
}

function codec(
  className: keyof typeof READERS,
  supports: string,
  write: (activation: Activation, dialect: Dialect) => WrittenConfig = parameters,
): KerasCodec<ActivationSettings> {
  return {
    supports,
    tfjs: true,
    untrained: true,
    read: (config) => ({ activation: READERS[className](config) }),
    write: ({ activation }, { dialect }) => write(activation, dialect),
    masking: () => (className === 'Softmax' ? 'refuse' : 'pass'),
  };
}

export const activationCodecs = {
  Activation: codec('Activation', 'every activation of Keras by name', (activation, dialect) => ({
    activation: writtenName(activation, dialect),
  })),
  ReLU: codec('ReLU', 'max_value, negative_slope, threshold', reluParameters),
  LeakyReLU: codec('LeakyReLU', 'alpha (Keras 2) or negative_slope (Keras 3)'),
  ELU: codec('ELU', 'alpha'),
  ThresholdedReLU: codec('ThresholdedReLU', 'theta'),
  Softmax: codec('Softmax', 'one axis other than the batch'),
};
