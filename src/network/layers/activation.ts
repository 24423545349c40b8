/** Activation layers: Activation, ReLU, LeakyReLU, ELU, Softmax, ThresholdedReLU. */
import type { Activation } from '../activations.js';
import { scalarFunction } from '../activations.js';
import { resolveAxis, single } from '../shapes.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Settings of every kind of this file. */
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

const activation: LayerKind<ActivationSettings> = {
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

/** They differ in what a file says of them only. */
export const activationKinds = {
  Activation: activation,
  ReLU: activation,
  LeakyReLU: activation,
  ELU: activation,
  ThresholdedReLU: activation,
  Softmax: activation,
};
