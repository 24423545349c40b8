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
import { optionalVector, readOptionalVector } from '../stored.js';

/** scale null: the maximum of a window; else its sum times scale[pixel]. */
export interface Pool extends OneInput<'pool'>, Window {
  readonly channels: number;
  readonly scale: Float32Array | null;
}

export const pool: OperationDefinition<Pool> = {
  op: 'pool',
  manyInputs: false,
  computes: 'the maximum of each window, or its sum times the `scale` of the pixel',
  keys: { channels: '', window: 'as above', scale: '' },
  features(o, [input]) {
    const plane = windowFloats(o);
    inputFeatures(input, count(o.channels, `${o.name}.channels`) * windowInputFloats(o), o.name);
    if (o.scale !== null) vector(o.scale, o.outHeight * o.outWidth, `${o.name}.scale`);
    return o.channels * plane;
  },
  write: (o, context) => ({
    channels: o.channels,
    window: windowJson(o),
    ...optionalVector('scale', o.scale, context),
  }),
  read(json, context) {
    const window = readWindow(json, context.name);
    return {
      channels: count(json.channels, `${context.name}.channels`),
      ...window,
      scale: readOptionalVector(json, 'scale', window.outHeight * window.outWidth, context),
    };
  },
  reference: (o, [x = []]) =>
    windowPlanes(o, o.channels, (channel, outY, outX) => {
      const read = taps(o, x, channel, outY, outX);
      if (o.scale === null) return Math.max(...read);
      return read.reduce((a, b) => a + b, 0) * (o.scale[outY * o.outWidth + outX] as number);
    }),
  cases: () => [
    {
      name: 'maximum',
      inputs: [2 * windowInputFloats(EXAMPLE_WINDOWS.framed)],
      settings: { channels: 2, ...EXAMPLE_WINDOWS.framed, scale: null },
    },
    {
      name: 'scaled sum',
      inputs: [2 * windowInputFloats(EXAMPLE_WINDOWS.framed)],
      settings: { channels: 2, ...EXAMPLE_WINDOWS.framed, scale: exampleFloats(21) },
    },
  ],
};
