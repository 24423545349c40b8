/** Networks of the layers that the engine runs without convolutions, at random from a seed. */
import { PLAIN_ACTIVATIONS, type Activation } from '../../src/network/activations.js';
import { outputsOf, typed, weightsOf, type Kind, type Settings } from '../../src/network/layers/registry.js';
import type { Layer, Network, Node, Tensor, Value } from '../../src/network/types.js';
import { random } from './programs.js';

const relu = (negativeSlope: number, maxValue: number | null): Activation => ({
  kind: 'relu',
  negativeSlope,
  maxValue,
  threshold: 0,
});

export const ACTIVATIONS: readonly Activation[] = [
  ...PLAIN_ACTIVATIONS.map((kind): Activation => ({ kind })),
  relu(0, null),
  relu(0, 6),
  relu(0.3, null),
  { kind: 'elu', alpha: 0.7 },
  { kind: 'hard_sigmoid', alpha: 0.2, beta: 0.5 },
  { kind: 'celu', alpha: 1 },
  { kind: 'hard_shrink', lambda: 0.5 },
  { kind: 'soft_shrink', lambda: 0.5 },
  { kind: 'thresholded_relu', theta: 0.5 },
  relu(0, 1.5),
  relu(0.25, 1.5),
  { kind: 'relu', negativeSlope: 0.25, maxValue: 2, threshold: 0.5 },
  { kind: 'log_softmax', axis: -1 },
  { kind: 'softmax', axis: -1 },
];

export class NetworkBuilder {
  readonly layers: Layer[] = [];
  readonly values: Value[] = [];
  readonly nodes: Node[] = [];
  readonly inputs: { name: string; value: number }[] = [];

  constructor(readonly next: () => number) {}

  input(shape: readonly (number | null)[]): number {
    this.values.push({ shape: [null, ...shape], dtype: 'float32' });
    this.inputs.push({ name: `in_${this.inputs.length}`, value: this.values.length - 1 });
    return this.values.length - 1;
  }

  /** Adds a layer with weights as its kind wants them, half of the kernel's zero, and calls it. */
  add<K extends Kind>(kind: K, settings: Settings[K], ...inputs: number[]): number {
    const layer = typed<Kind>(kind, settings);
    const weights: Record<string, Tensor> = {};
    for (const { name, shape } of weightsOf(
      layer,
      inputs.map((value) => this.values[value] as Value),
    )) {
      const length = shape.reduce((product, extent) => product * extent, 1);
      const data = Float32Array.from({ length }, () => {
        const x = 2 * this.next() - 1;
        if (name.includes('variance')) return 0.3 + x * x;
        return name === 'kernel' && this.next() < 0.5 ? 0 : x;
      });
      weights[name] = { shape, data };
    }
    this.layers.push({ name: `${kind.toLowerCase()}_${this.layers.length}`, ...layer, weights });
    return this.call(this.layers.length - 1, ...inputs);
  }

  /** Returns the first output; the others follow it. */
  call(layer: number, ...inputs: number[]): number {
    const made = outputsOf(
      this.layers[layer] as Layer,
      inputs.map((input) => this.values[input] as Value),
    );
    const first = this.values.length;
    this.values.push(...made);
    this.nodes.push({ layer, inputs, outputs: made.map((_, i) => first + i) });
    return first;
  }

  finish(...outputs: number[]): Network {
    return {
      name: 'random',
      layers: this.layers,
      values: this.values,
      nodes: this.nodes,
      inputs: this.inputs,
      outputs: outputs.map((value, index) => ({ name: `out_${index}`, value })),
    };
  }
}

/** A random functional network, and what it is made of follows from the seed. */
export function randomNetwork(seed: number): Network {
  const next = random(seed);
  const b = new NetworkBuilder(next);
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  const some = <T>(list: readonly T[]): T => list[whole(0, list.length - 1)] as T;
  const extentOf = (value: number) => (b.values[value] as Value).shape.slice(1) as number[];
  const live = [b.input([whole(1, 9)]), b.input(next() < 0.5 ? [whole(1, 4), whole(1, 5)] : [whole(1, 12)])];
  for (let step = whole(2, 9); step > 0; step--) {
    const x = some(live);
    const shape = extentOf(x);
    const features = shape.reduce((product, extent) => product * extent, 1);
    const choices: (() => number)[] = [
      () => b.add('Dense', { units: whole(1, 9), useBias: next() < 0.7, activation: some(ACTIVATIONS) }, x),
      () => b.add('Dense', { units: whole(1, 9), useBias: true, activation: { kind: 'linear' } }, x),
      () => b.add('Activation', { activation: some(ACTIVATIONS) }, x),
      () => b.add('Dropout', {}, x),
      () => b.add('Flatten', {}, x),
      () => b.add('Reshape', { targetShape: features % 2 === 0 ? [2, features / 2] : [features, 1] }, x),
      () => {
        const settings = { axis: some([-1, 1]), epsilon: 1e-3, center: next() < 0.8, scale: next() < 0.8 };
        return b.add('BatchNormalization', settings, x);
      },
      () =>
        b.add(
          'Normalization',
          { axis: some([-1, null]), invert: next() < 0.3, mean: null, variance: null },
          x,
        ),
      () => b.add('Normalization', { axis: null, invert: false, mean: [300], variance: [4] }, x),
      () => b.add('Rescaling', { scale: [next() * 2], offset: [next() < 0.5 ? 0 : -1] }, x),
      () => b.add(some(['Add', 'Subtract', 'Average'] as const), {}, x, x),
      () => b.add('Concatenate', { axis: -1 }, x, x),
      () => {
        const other = live.find((value) => value !== x && String(extentOf(value)) === String(shape)) ?? x;
        return b.add('Concatenate', { axis: 1 }, x, other);
      },
      () => {
        const dense = b.nodes.find(
          ({ layer, inputs: [input = 0] }) =>
            b.layers[layer]?.kind === 'Dense' && extentOf(input).at(-1) === shape.at(-1),
        );
        return dense === undefined ? b.add('Flatten', {}, x) : b.call(dense.layer, x);
      },
    ];
    live.push(some(choices)());
  }
  return b.finish(...new Set([live.at(-1) as number, some(live)]));
}
