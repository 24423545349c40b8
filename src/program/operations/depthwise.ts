import { LINEAR, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleFloats } from '../example.js';
import { count, inputFeatures, vector } from '../expect.js';
import {
  EXAMPLE_WINDOWS,
  readWindow,
  taps,
  windowFloats,
  windowInputFloats,
  windowJson,
  windowPlanes,
  type Window,
} from '../images.js';
import { activationJson, activationOf, optionalVector, readOptionalVector } from '../stored.js';

/** Channel c gives channels c * multiplier + m; weights [channels * multiplier][taps]. */
export interface Depthwise extends OneInput<'depthwise'>, Window {
  readonly channels: number;
  readonly multiplier: number;
  readonly weights: Float32Array;
  readonly bias: Float32Array | null;
  readonly activation: Activation;
}

export const depthwise: OperationDefinition<Depthwise> = {
  op: 'depthwise',
  manyInputs: false,
  computes: 'convolution of each channel by itself, `multiplier` times',
  keys: { channels: '', multiplier: '1', window: 'as above', weights: '', bias: '', activation: '' },
  features(o, [input]) {
    const plane = windowFloats(o);
    const outputs = count(o.channels, `${o.name}.channels`) * count(o.multiplier, `${o.name}.multiplier`);
    inputFeatures(input, o.channels * windowInputFloats(o), o.name);
    vector(o.weights, outputs * o.kernelHeight * o.kernelWidth, `${o.name}.weights`);
    if (o.bias !== null) vector(o.bias, outputs, `${o.name}.bias`);
    return outputs * plane;
  },
  write: (o, context) => ({
    channels: o.channels,
    ...(o.multiplier === 1 ? {} : { multiplier: o.multiplier }),
    window: windowJson(o),
    weights: context.vector(o.weights),
    ...optionalVector('bias', o.bias, context),
    ...activationJson(o.activation),
  }),
  read(json, context) {
    const { name } = context;
    const channels = count(json.channels, `${name}.channels`);
    const multiplier = count(json.multiplier ?? 1, `${name}.multiplier`);
    const window = readWindow(json, name);
    const outputs = channels * multiplier;
    const weights = outputs * window.kernelHeight * window.kernelWidth;
    return {
      channels,
      multiplier,
      ...window,
      weights: context.vector(json.weights, weights, `${name}.weights`),
      bias: readOptionalVector(json, 'bias', outputs, context),
      activation: activationOf(json, context),
    };
  },
  reference: (o, [x = []]) =>
    windowPlanes(o, o.channels * o.multiplier, (out, outY, outX) => {
      const read = taps(o, x, Math.floor(out / o.multiplier), outY, outX);
      const weight = (tap: number): number => o.weights[out * read.length + tap] as number;
      return read.reduce((sum, v, tap) => sum + v * weight(tap), o.bias?.[out] ?? 0);
    }),
  cases: () => [
    {
      name: 'over a frame, twice',
      inputs: [3 * windowInputFloats(EXAMPLE_WINDOWS.framed)],
      settings: {
        ...{ channels: 3, multiplier: 2, ...EXAMPLE_WINDOWS.framed, weights: exampleFloats(36) },
        ...{ bias: exampleFloats(6), activation: exampleActivation('relu') },
      },
    },
    {
      name: 'of one tap, over planes, without bias',
      inputs: [2 * windowInputFloats(EXAMPLE_WINDOWS.planes)],
      settings: {
        ...{ channels: 2, multiplier: 1, ...EXAMPLE_WINDOWS.planes, weights: exampleFloats(2) },
        ...{ bias: null, activation: LINEAR },
      },
    },
  ],
};
