/** Flatten, Reshape, Permute and RepeatVector in Keras's files. */
import type {
  FlattenSettings,
  PermuteSettings,
  RepeatVectorSettings,
  ReshapeSettings,
} from '../../network/layers/reshape.js';
import { wrong } from '../../network/untrusted.js';
import type { KerasCodec } from '../codec.js';

const flatten: KerasCodec<FlattenSettings> = {
  supports: 'channels_last',
  tfjs: true,
  read: (config) => {
    config.oneOf('data_format', ['channels_last'], 'channels_last');
    return {};
  },
  write: () => ({ data_format: 'channels_last' }),
};

const reshape: KerasCodec<ReshapeSettings> = {
  supports: 'target_shape with at most one -1',
  tfjs: true,
  read: (config) => {
    const targetShape = config.intList('target_shape', { min: -1 });
    if (targetShape.includes(0) || targetShape.filter((extent) => extent === -1).length > 1) {
      throw wrong('target_shape', 'positive extents and at most one -1', targetShape);
    }
    return { targetShape };
  },
  write: ({ targetShape }) => ({ target_shape: targetShape }),
};

const permute: KerasCodec<PermuteSettings> = {
  supports: 'any permutation',
  tfjs: true,
  read: (config) => {
    const dims = config.intList('dims');
    const sorted = [...dims].sort((a, b) => a - b);
    if (!sorted.every((axis, i) => axis === i + 1)) throw wrong('dims', 'a permutation of 1, 2, ...', dims);
    return { dims };
  },
  write: ({ dims }) => ({ dims }),
};

const repeatVector: KerasCodec<RepeatVectorSettings> = {
  supports: 'n',
  tfjs: true,
  read: (config) => ({ n: config.int('n') }),
  write: ({ n }) => ({ n }),
};

export const reshapeCodecs = {
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
};
