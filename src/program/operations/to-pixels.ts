import type { OneInput, OperationDefinition } from '../definition.js';
import { inputFeatures } from '../expect.js';
import { IMAGE_KEYS, imageFloats, imageJson, planeFloats, readImage, type ImageSize } from '../images.js';

/** Planes to [pixels, channels]. */
export interface ToPixels extends OneInput<'to_pixels'>, ImageSize {}

export const toPixels: OperationDefinition<ToPixels> = {
  op: 'to_pixels',
  manyInputs: false,
  computes: 'planes as pixels × channels',
  keys: IMAGE_KEYS,
  features(o, [input]) {
    inputFeatures(input, imageFloats(o), o.name);
    return o.channels * o.pixels;
  },
  write: imageJson,
  read: (json, { name }) => readImage(json, name),
  reference: (o, [x = []]) =>
    Array.from(
      { length: o.channels * o.pixels },
      (_, i) => x[(i % o.channels) * planeFloats(o.pixels) + Math.floor(i / o.channels)] as number,
    ),
  cases: () => [{ name: 'of 18 pixels', inputs: [96], settings: { channels: 3, pixels: 18 } }],
};
