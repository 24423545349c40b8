/** Dense: y = act(x W + b) over the last axis. */
import type { Activation } from '../activations.js';
import { known, single } from '../shapes.js';
import { activate } from './activation.js';
import type { LayerKind, WeightSpec } from './kind.js';
import { float32 } from './kind.js';

export interface DenseSettings {
  readonly units: number;
  readonly useBias: boolean;
  readonly activation: Activation;
}

/** Weights: kernel [in, units], bias [units] if useBias. */
const dense: LayerKind<DenseSettings> = {
  distribute: (settings) => settings,
  weights: ({ units, useBias }, inputs) => {
    const { shape } = single(inputs, 2);
    const kernel: WeightSpec = {
      name: 'kernel',
      shape: [known(shape[shape.length - 1], 'the last axis of the input'), units],
      trainable: true,
    };
    return useBias ? [kernel, { name: 'bias', shape: [units], trainable: true }] : [kernel];
  },
  outputs: ({ units }, inputs) => [float32([...single(inputs, 2).shape.slice(0, -1), units])],
  run: ({ units, activation }, weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const kernel = weights.kernel!.data;
    const bias = weights.bias?.data;
    const depth = shape[shape.length - 1]!;
    const rows = data.length / depth;
    const out = new Float32Array(rows * units);
    const sums = new Float64Array(units);
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < units; j++) sums[j] = bias === undefined ? 0 : bias[j]!;
      for (let k = 0; k < depth; k++) {
        const x = data[row * depth + k]!;
        for (let j = 0; j < units; j++) sums[j]! += x * kernel[k * units + j]!;
      }
      out.set(sums, row * units);
    }
    return [activate(activation, { shape: [...shape.slice(0, -1), units], data: out })];
  },
};

export const denseKinds = { Dense: dense };
