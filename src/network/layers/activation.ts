/** Activation layers: Activation, ReLU, LeakyReLU, ELU, Softmax, ThresholdedReLU. */
import type { Activation } from '../activations.js';
import { parseActivation, relu, scalarFunction } from '../activations.js';
import type { Config } from '../config.js';
import { wrong } from '../config.js';
import { resolveAxis, single } from '../shapes.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Settings of every kind of this file: `settings.activation`. The kind of all of them is "Activation". */
export interface ActivationSettings {
  readonly activation: Activation;
}

/** Applies any activation; softmax over its axis, with the maximum subtracted first. */
export function activate(activation: Activation, x: Arr): Arr {
  const { shape, data } = x;
  const out = new Float32Array(data.length);
  if (activation.kind !== 'softmax' && activation.kind !== 'log_softmax') {
    const f = scalarFunction(activation);
    for (let i = 0; i < data.length; i++) out[i] = f(data[i]!);
    return { shape, data: out };
  }
  const axis = resolveAxis(activation.axis, shape.length);
  const extent = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  for (let start = 0; start < data.length; start += extent * inner) {
    for (let j = start; j < start + inner; j++) {
      let max = -Infinity;
      for (let i = 0; i < extent; i++) max = Math.max(max, data[j + i * inner]!);
      let sum = 0;
      for (let i = 0; i < extent; i++) sum += Math.exp(data[j + i * inner]! - max);
      for (let i = 0; i < extent; i++) {
        const shifted = data[j + i * inner]! - max;
        out[j + i * inner] =
          activation.kind === 'softmax' ? Math.exp(shifted) / sum : shifted - Math.log(sum);
      }
    }
  }
  return { shape, data: out };
}

/** Keras layers that are one activation, as settings: also where a layer stands as another's `activation`. */
export function activationLayer(className: string, config: Config): Activation | null {
  const keras3 = config.origin.keras === 3;
  switch (className) {
    case 'Activation':
      return parseActivation(config, 'activation', 'linear', activationLayer);
    case 'ReLU': {
      const max = config.has('max_value') ? config.number('max_value', undefined, { min: 0 }) : null;
      return relu(config.number('negative_slope', 0, { min: 0 }), max, config.number('threshold', 0));
    }
    case 'LeakyReLU':
      // Keras 2 and tfjs name the slope alpha, Keras 3 negative_slope; either takes the other's name.
      return relu(
        config.has('negative_slope') && (keras3 || !config.has('alpha'))
          ? config.number('negative_slope')
          : config.number('alpha', 0.3),
      );
    case 'ELU':
      return { kind: 'elu', alpha: config.number('alpha', 1) };
    case 'ThresholdedReLU':
      return { kind: 'thresholded_relu', theta: config.number('theta', 1, { min: 0 }) };
    case 'Softmax': {
      const axis = config.raw('axis') ?? -1;
      const one: unknown = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
      if (typeof one !== 'number' || !Number.isInteger(one)) throw wrong('axis', 'one integer', axis);
      return { kind: 'softmax', axis: one };
    }
    default:
      return null;
  }
}

function kindOf(className: string, supports: string): LayerKind<ActivationSettings> {
  return {
    names: [className],
    supports,
    parse: (config) => {
      const activation = activationLayer(className, config);
      if (activation === null) throw wrong('class_name', 'an activation layer', className);
      return { activation };
    },
    masking: () => (className === 'Softmax' ? 'refuse' : 'pass'),
    distribute: ({ activation }) => {
      if (activation.kind !== 'softmax' && activation.kind !== 'log_softmax') return { activation };
      const { axis } = activation;
      return { activation: { ...activation, axis: axis < 0 ? axis : axis + 1 } };
    },
    outputs: ({ activation }, inputs) => {
      const { shape } = single(inputs);
      if (activation.kind === 'softmax' || activation.kind === 'log_softmax') {
        resolveAxis(activation.axis, shape.length);
      }
      return [float32(shape)];
    },
    run: ({ activation }, _weights, inputs) => [activate(activation, inputs[0]!)],
  };
}

export const activationKinds: readonly LayerKind<ActivationSettings>[] = [
  kindOf('Activation', 'every activation of Keras by name'),
  kindOf('ReLU', 'max_value, negative_slope, threshold'),
  kindOf('LeakyReLU', 'alpha (Keras 2) or negative_slope (Keras 3)'),
  kindOf('ELU', 'alpha'),
  kindOf('ThresholdedReLU', 'theta'),
  kindOf('Softmax', 'one axis other than the batch'),
];
