/** Merging layers in Keras's files. */
import type { ConcatenateSettings, MergeSettings } from '../../network/layers/merge.js';
import type { KerasCodec } from '../codec.js';

const merge: KerasCodec<MergeSettings> = {
  supports: 'two inputs or more, broadcasting',
  tfjs: true,
  read: () => ({}),
  write: () => ({}),
  masking: () => 'merge',
};

const { tfjs: _, ...unknownToTfjs } = merge;

const concatenate: KerasCodec<ConcatenateSettings> = {
  supports: 'any axis but the batch',
  tfjs: true,
  read: (config) => ({ axis: config.int('axis', -1, { min: -8, max: 8 }) }),
  write: ({ axis }) => ({ axis }),
  masking: () => 'merge',
};

export const mergeCodecs = {
  Add: merge,
  Subtract: { ...unknownToTfjs, supports: 'two inputs, broadcasting' } satisfies KerasCodec<MergeSettings>,
  Multiply: merge,
  Average: merge,
  Maximum: merge,
  Minimum: merge,
  Concatenate: concatenate,
};
