import type { ManyInputs, OperationDefinition } from '../definition.js';
import { bad, inputFeatures } from '../expect.js';
import {
  IMAGE_KEYS,
  imageFloats,
  imageJson,
  planeFloats,
  planesOf,
  readImage,
  type ImageSize,
} from '../images.js';

/** Two inputs, planes and one number a channel: y[c, :] = x[c, :] * s[c]. */
export interface ChannelScale extends ManyInputs<'channel_scale'>, ImageSize {}

export const channelScale: OperationDefinition<ChannelScale> = {
  op: 'channel_scale',
  manyInputs: true,
  computes: 'planes, the first input, each times its number of the second',
  keys: IMAGE_KEYS,
  features(o, inputs) {
    const planes = imageFloats(o);
    if (inputs.length !== 2) throw bad(`${o.name}.inputs`, 'two', inputs.length);
    inputFeatures(inputs[0], planes, o.name);
    inputFeatures(inputs[1], o.channels, o.name);
    return planes;
  },
  write: imageJson,
  read: (json, { name }) => readImage(json, name),
  reference: (o, [x = [], scale = []]) =>
    planesOf(o, (channel, at) => {
      const v = x[channel * planeFloats(o.pixels) + at] as number;
      return v * (scale[channel] as number);
    }),
  cases: () => [{ name: 'of 18 pixels', inputs: [96, 3], settings: { channels: 3, pixels: 18 } }],
};
