import type { OneInput, OperationDefinition } from '../definition.js';
import { inputFeatures, oneOf } from '../expect.js';
import { IMAGE_KEYS, imageFloats, imageJson, planeFloats, readImage, type ImageSize } from '../images.js';
import { numbered, readChoice } from '../stored.js';

const GLOBAL_POOL_KINDS = ['maximum', 'mean'] as const;

/** The maximum or the mean of each plane: one number a channel. */
export interface GlobalPool extends OneInput<'global_pool'>, ImageSize {
  readonly kind: (typeof GLOBAL_POOL_KINDS)[number];
}

export const globalPool: OperationDefinition<GlobalPool> = {
  op: 'global_pool',
  manyInputs: false,
  choices: { kind: GLOBAL_POOL_KINDS },
  computes: 'one number a plane',
  keys: { ...IMAGE_KEYS, mean: numbered(GLOBAL_POOL_KINDS) },
  features(o, [input]) {
    inputFeatures(input, imageFloats(o), o.name);
    oneOf(o.kind, GLOBAL_POOL_KINDS, `${o.name}.kind`);
    return o.channels;
  },
  write: (o) => ({ ...imageJson(o), mean: GLOBAL_POOL_KINDS.indexOf(o.kind) }),
  read: (json, { name }) => ({
    ...readImage(json, name),
    kind: readChoice(GLOBAL_POOL_KINDS, json.mean, `${name}.mean`),
  }),
  reference: (o, [x = []]) =>
    Array.from({ length: o.channels }, (_, channel) => {
      const start = channel * planeFloats(o.pixels);
      const plane = x.slice(start, start + o.pixels);
      return o.kind === 'mean' ? plane.reduce((a, b) => a + b, 0) / o.pixels : Math.max(...plane);
    }),
  cases: () =>
    GLOBAL_POOL_KINDS.map((kind) => ({
      name: kind,
      inputs: [96],
      settings: { channels: 3, pixels: 18, kind },
    })),
};
