/** BatchNormalization, Normalization and Rescaling in Keras's files. */
import type {
  BatchNormalizationSettings,
  NormalizationSettings,
  RescalingSettings,
} from '../../network/layers/normalization.js';
import { unsupported, wrong } from '../../network/untrusted.js';
import { one, type KerasCodec } from '../codec.js';
import type { Config } from '../config.js';

/** One axis, as a number or a list of one. */
function oneAxis(config: Config, fallback: number): number {
  const axis = config.raw('axis') ?? fallback;
  const one: unknown = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (typeof one !== 'number' || !Number.isInteger(one)) {
    throw unsupported('axis', 'other than one axis', 'normalise over one axis');
  }
  return one;
}

function numbers(config: Config, key: string): readonly number[] | null {
  const value = config.raw(key);
  if (value === undefined) return null;
  const flat: unknown[] = Array.isArray(value) ? value.flat(8) : [value];
  return flat.map((x) => {
    if (typeof x !== 'number' || !Number.isFinite(x)) throw wrong(key, 'finite numbers', value);
    return x;
  });
}

const batchNormalization: KerasCodec<BatchNormalizationSettings> = {
  aliases: ['BatchNormalizationV2', 'BatchNormalizationV1', 'SyncBatchNormalization'],
  supports: 'any axis but the batch, center, scale, epsilon',
  tfjs: true,
  read: (config) => ({
    axis: oneAxis(config, -1),
    epsilon: config.number('epsilon', 1e-3, { min: 0 }),
    center: config.bool('center', true),
    scale: config.bool('scale', true),
  }),
  write: ({ axis, epsilon, center, scale }) => ({ axis, momentum: 0.99, epsilon, center, scale }),
  masking: () => 'pass',
};

const normalization: KerasCodec<NormalizationSettings> = {
  supports: 'one kept axis or none, invert, mean and variance adapted or given',
  read: (config) => {
    const raw = config.raw('axis');
    const none = raw === undefined || (Array.isArray(raw) && raw.length === 0);
    const settings = {
      axis: none ? null : oneAxis(config, -1),
      invert: config.bool('invert', false),
      mean: numbers(config, 'mean'),
      variance: numbers(config, 'variance'),
    };
    if ((settings.mean === null) !== (settings.variance === null)) {
      throw wrong('variance', 'mean and variance both given or both adapted', settings.variance);
    }
    if (settings.variance?.some((v) => v < 0))
      throw wrong('variance', 'numbers of at least 0', settings.variance);
    return settings;
  },
  write: ({ axis, invert, mean, variance }) => ({
    axis: axis === null ? null : [axis],
    invert,
    mean: mean === null ? null : one(mean),
    variance: variance === null ? null : one(variance),
  }),
  masking: (_settings, { keras }) => (keras === 2 ? 'drop' : 'pass'),
};

const rescaling: KerasCodec<RescalingSettings> = {
  supports: 'numbers, or one for each channel',
  tfjs: true,
  untrained: true,
  read: (config) => ({ scale: numbers(config, 'scale') ?? [1], offset: numbers(config, 'offset') ?? [0] }),
  write: ({ scale, offset }) => ({ scale: one(scale), offset: one(offset) }),
  masking: (_settings, { keras }) => (keras === 2 ? 'drop' : 'pass'),
};

export const normalizationCodecs = {
  BatchNormalization: batchNormalization,
  Normalization: normalization,
  Rescaling: rescaling,
};
