/** Poolings in Keras's files. */
import type { GlobalPoolingSettings, PoolingSettings } from '../../network/layers/pooling.js';
import type { KerasCodec } from '../codec.js';
import { requireChannelsLast } from '../config.js';

function pooling(rank: 1 | 2, alias: 'Max' | 'Avg'): KerasCodec<PoolingSettings> {
  return {
    aliases: [`${alias}Pool${rank}D`],
    supports: 'pool_size, strides, valid and same padding; channels_last',
    tfjs: true,
    read: (config) => {
      requireChannelsLast(config);
      const poolSize = config.ints('pool_size', rank, 2);
      const strides = config.has('strides') ? config.ints('strides', rank) : poolSize;
      return { poolSize, strides, padding: config.oneOf('padding', ['valid', 'same'], 'valid') };
    },
    write: ({ poolSize, strides, padding }) => ({
      pool_size: poolSize,
      strides,
      padding,
      data_format: 'channels_last',
    }),
  };
}

function globalPooling(rank: 1 | 2, alias: 'Max' | 'Avg'): KerasCodec<GlobalPoolingSettings> {
  const masked = alias === 'Avg' && rank === 1;
  return {
    aliases: [`Global${alias}Pool${rank}D`],
    supports: `keepdims; channels_last${masked ? '; the mean leaves masked steps out' : ''}`,
    tfjs: true,
    read: (config) => {
      requireChannelsLast(config);
      return { keepDims: config.bool('keepdims', false) };
    },
    write: ({ keepDims }, { dialect }) => ({
      data_format: 'channels_last',
      ...(dialect === 'tfjs' ? {} : { keepdims: keepDims }),
    }),
    masking: () => (masked ? 'take' : 'drop'),
  };
}

export const poolingCodecs = {
  MaxPooling1D: pooling(1, 'Max'),
  MaxPooling2D: pooling(2, 'Max'),
  AveragePooling1D: pooling(1, 'Avg'),
  AveragePooling2D: pooling(2, 'Avg'),
  GlobalMaxPooling1D: globalPooling(1, 'Max'),
  GlobalMaxPooling2D: globalPooling(2, 'Max'),
  GlobalAveragePooling1D: globalPooling(1, 'Avg'),
  GlobalAveragePooling2D: globalPooling(2, 'Avg'),
};
