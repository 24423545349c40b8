/** ZeroPadding, Cropping and UpSampling in Keras's files. */
import { describe } from '../../errors.js';
import type { BorderSettings, UpSamplingSettings } from '../../network/layers/spatial.js';
import { unsupported, wrong } from '../../network/untrusted.js';
import type { KerasCodec } from '../codec.js';
import { requireChannelsLast, type Config } from '../config.js';

/** One number for all; one an axis; or [before, after] an axis. One axis: a number or [before, after]. */
function readAmounts(config: Config, key: string, rank: 1 | 2): BorderSettings {
  const value = config.raw(key) ?? 1;
  const amount = (x: unknown): number => {
    if (typeof x !== 'number' || !Number.isSafeInteger(x) || x < 0 || x > 2 ** 31 - 1) {
      throw wrong(key, 'integers of at least 0', value);
    }
    return x;
  };
  const pair = (x: unknown): [number, number] => {
    if (!Array.isArray(x)) return [amount(x), amount(x)];
    if (x.length !== 2) throw wrong(key, '[before, after]', value);
    return [amount(x[0]), amount(x[1])];
  };
  if (rank === 1) {
    const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    return { amounts: [pair(one)] };
  }
  if (!Array.isArray(value)) return { amounts: [pair(value), pair(value)] };
  if (value.length !== 2) throw wrong(key, 'two amounts or pairs', value);
  return { amounts: [pair(value[0]), pair(value[1])] };
}

function border(rank: 1 | 2, key: 'padding' | 'cropping'): KerasCodec<BorderSettings> {
  return {
    supports: 'any amount on each side; channels_last',
    ...(rank === 2 ? { tfjs: true } : {}),
    read: (config) => {
      requireChannelsLast(config);
      return readAmounts(config, key, rank);
    },
    write: ({ amounts }) =>
      amounts.length === 1 ? { [key]: amounts[0] } : { [key]: amounts, data_format: 'channels_last' },
  };
}

function upSampling(rank: 1 | 2): KerasCodec<UpSamplingSettings> {
  return {
    supports: rank === 1 ? 'size' : 'size; nearest and bilinear; channels_last',
    ...(rank === 2 ? { tfjs: true } : {}),
    read: (config) => {
      requireChannelsLast(config);
      const interpolation = config.raw('interpolation') ?? 'nearest';
      if (interpolation !== 'nearest' && (interpolation !== 'bilinear' || rank === 1)) {
        throw unsupported('interpolation', describe(interpolation), 'use nearest or bilinear');
      }
      return {
        size: config.ints('size', rank, 2),
        interpolation,
        halfPixelCenters: !config.origin.tfjs,
      };
    },
    write: ({ size, interpolation }) =>
      size.length === 1 ? { size: size[0] } : { size, interpolation, data_format: 'channels_last' },
  };
}

export const spatialCodecs = {
  ZeroPadding1D: border(1, 'padding'),
  ZeroPadding2D: border(2, 'padding'),
  Cropping1D: border(1, 'cropping'),
  Cropping2D: border(2, 'cropping'),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
};
