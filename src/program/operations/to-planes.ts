import type { OneInput, OperationDefinition } from '../definition.js';
import { inputFeatures } from '../expect.js';
import { IMAGE_KEYS, imageFloats, imageJson, planesOf, readImage, type ImageSize } from '../images.js';

/** [pixels, channels] to planes. */
export interface ToPlanes extends OneInput<'to_planes'>, ImageSize {}

export const toPlanes: OperationDefinition<ToPlanes> = {
  op: 'to_planes',
  manyInputs: false,
  computes: 'pixels × channels as planes',
  keys: IMAGE_KEYS,
  features(o, [input]) {
    const planes = imageFloats(o);
    inputFeatures(input, o.channels * o.pixels, o.name);
    return planes;
  },
  write: imageJson,
  read: (json, { name }) => readImage(json, name),
  reference: (o, [x = []]) => planesOf(o, (channel, at) => x[at * o.channels + channel] as number),
  cases: () => [{ name: 'of 18 pixels', inputs: [54], settings: { channels: 3, pixels: 18 } }],
};
