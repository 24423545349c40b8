import { LINEAR, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleFloats } from '../example.js';
import { inputFeatures, vector } from '../expect.js';
import {
  IMAGE_KEYS,
  imageFloats,
  imageJson,
  planeFloats,
  planesOf,
  readImage,
  type ImageSize,
} from '../images.js';
import { activationJson, activationOf } from '../stored.js';

/** y[c, :] = act(x[c, :] * scale[c] + offset[c]). */
export interface ChannelAffine extends OneInput<'channel_affine'>, ImageSize {
  readonly scale: Float32Array;
  readonly offset: Float32Array;
  readonly activation: Activation;
}

export const channelAffine: OperationDefinition<ChannelAffine> = {
  op: 'channel_affine',
  manyInputs: false,
  computes: 'each plane times its `scale` plus its `offset`',
  keys: { ...IMAGE_KEYS, scale: '', offset: '', activation: '' },
  features(o, [input]) {
    const planes = imageFloats(o);
    inputFeatures(input, planes, o.name);
    vector(o.scale, o.channels, `${o.name}.scale`);
    vector(o.offset, o.channels, `${o.name}.offset`);
    return planes;
  },
  write: (o, { vector }) => ({
    ...imageJson(o),
    scale: vector(o.scale),
    offset: vector(o.offset),
    ...activationJson(o.activation),
  }),
  read(json, context) {
    const { name } = context;
    const size = readImage(json, name);
    return {
      ...size,
      scale: context.vector(json.scale, size.channels, `${name}.scale`),
      offset: context.vector(json.offset, size.channels, `${name}.offset`),
      activation: activationOf(json, context),
    };
  },
  reference: (o, [x = []]) =>
    planesOf(o, (channel, at) => {
      const v = x[channel * planeFloats(o.pixels) + at] as number;
      return v * (o.scale[channel] as number) + (o.offset[channel] as number);
    }),
  cases: () =>
    [LINEAR, exampleActivation('swish')].map((activation) => ({
      name: activation.kind,
      inputs: [96],
      settings: { channels: 3, pixels: 18, scale: exampleFloats(3), offset: exampleFloats(3), activation },
    })),
};
