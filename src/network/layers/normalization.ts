/** BatchNormalization, Normalization and Rescaling: affine maps at inference. */
import { wrong } from '../untrusted.js';
import { known, resolveAxis, single, sizeOf } from '../shapes.js';
import type { Arr, LayerKind, WeightSpec } from './kind.js';
import { float32 } from './kind.js';

export interface BatchNormalizationSettings {
  /** May be negative; never the batch. */
  readonly axis: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
}

/** y = scale[c] * x + offset[c] with c the index along the axis. */
function affineAlong(axis: number, x: Arr, scale: ArrayLike<number>, offset: ArrayLike<number>): Arr {
  const extent = x.shape[axis]!;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const out = new Float32Array(x.data.length);
  for (let i = 0; i < out.length; i++) {
    const c = Math.floor(i / inner) % extent;
    out[i] = x.data[i]! * scale[c]! + offset[c]!;
  }
  return { shape: x.shape, data: out };
}

/**
 * y = gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta.
 * Weights, each [extent of axis]: gamma if scale, beta if center, moving_mean, moving_variance.
 */
const batchNormalization: LayerKind<BatchNormalizationSettings> = {
  distribute: (settings) => ({ ...settings, axis: settings.axis < 0 ? settings.axis : settings.axis + 1 }),
  weights: ({ axis, center, scale }, inputs) => {
    const { shape } = single(inputs, 2);
    const extent = known(shape[resolveAxis(axis, shape.length)], 'the normalised axis');
    const spec = (name: string, trainable: boolean): WeightSpec => ({ name, shape: [extent], trainable });
    return [
      ...(scale ? [spec('gamma', true)] : []),
      ...(center ? [spec('beta', true)] : []),
      spec('moving_mean', false),
      spec('moving_variance', false),
    ];
  },
  outputs: ({ axis }, inputs) => {
    const { shape } = single(inputs, 2);
    resolveAxis(axis, shape.length);
    return [float32(shape)];
  },
  run: ({ axis, epsilon }, { gamma, beta, moving_mean, moving_variance }, inputs) => {
    const x = inputs[0]!;
    const mean = moving_mean!.data;
    const scale = Array.from(
      moving_variance!.data,
      (variance, c) => (gamma?.data[c] ?? 1) / Math.sqrt(variance + epsilon),
    );
    const offset = scale.map((s, c) => (beta?.data[c] ?? 0) - mean[c]! * s);
    return [affineAlong(resolveAxis(axis, x.shape.length), x, scale, offset)];
  },
};

export interface NormalizationSettings {
  /** The kept axis, which mean and variance have; null: one mean and variance for all. */
  readonly axis: number | null;
  readonly invert: boolean;
  /** Given in the config instead of as weights; broadcast over the axis if of length 1. */
  readonly mean: readonly number[] | null;
  readonly variance: readonly number[] | null;
}

/** Keras divides by max(sqrt(variance), 1e-7). */
export const NORMALIZATION_EPSILON = 1e-7;

/** The scale and offset of each index along the axis (one of each where the axis is null). */
export function normalizationAffine(
  settings: NormalizationSettings,
  weights: { readonly mean?: { data: Float32Array }; readonly variance?: { data: Float32Array } },
): { scale: Float64Array; offset: Float64Array } {
  const mean = settings.mean ?? weights.mean!.data;
  const variance = settings.variance ?? weights.variance!.data;
  const count = Math.max(mean.length, variance.length);
  const scale = new Float64Array(count);
  const offset = new Float64Array(count);
  for (let c = 0; c < count; c++) {
    const m = mean[mean.length === 1 ? 0 : c]!;
    const deviation = Math.max(Math.sqrt(variance[variance.length === 1 ? 0 : c]!), NORMALIZATION_EPSILON);
    scale[c] = settings.invert ? deviation : 1 / deviation;
    offset[c] = settings.invert ? m : -m / deviation;
  }
  return { scale, offset };
}

/** y = (x - mean) / max(sqrt(variance), 1e-7), or its inverse. Weights: mean, variance, each [extent of axis]; count. */
const normalization: LayerKind<NormalizationSettings> = {
  weights: ({ axis, mean }, inputs) => {
    if (mean !== null) return [];
    const { shape } = single(inputs, 2);
    const extents = axis === null ? [] : [known(shape[resolveAxis(axis, shape.length)], 'the kept axis')];
    return [
      { name: 'mean', shape: extents, trainable: false },
      { name: 'variance', shape: extents, trainable: false },
      { name: 'count', shape: [], trainable: false, unused: true },
    ];
  },
  outputs: ({ axis, mean, variance }, inputs) => {
    const { shape } = single(inputs, 2);
    const extent = axis === null ? 1 : known(shape[resolveAxis(axis, shape.length)], 'the kept axis');
    for (const given of [mean, variance]) {
      if (given !== null && given.length !== 1 && given.length !== extent) {
        throw wrong('mean and variance', `1 or ${extent} numbers`, given);
      }
    }
    return [float32(shape)];
  },
  run: (settings, weights, inputs) => {
    const x = inputs[0]!;
    const { scale, offset } = normalizationAffine(settings, weights);
    const axis = settings.axis === null ? null : resolveAxis(settings.axis, x.shape.length);
    if (axis !== null && scale.length === x.shape[axis]) return [affineAlong(axis, x, scale, offset)];
    return [{ shape: x.shape, data: x.data.map((v) => v * scale[0]! + offset[0]!) }];
  },
};

export interface RescalingSettings {
  /** One number, or one for each index of the last axis. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** y = x * scale + offset. */
const rescaling: LayerKind<RescalingSettings> = {
  distribute: (settings) => settings,
  outputs: ({ scale, offset }, inputs) => {
    const { shape } = single(inputs);
    for (const given of [scale, offset]) {
      if (given.length !== 1 && given.length !== shape[shape.length - 1]) {
        throw wrong('scale and offset', 'one number, or one for each channel', given);
      }
    }
    return [float32(shape)];
  },
  run: ({ scale, offset }, _weights, inputs) => {
    const x = inputs[0]!;
    const extent = x.shape[x.shape.length - 1]!;
    const expand = (given: readonly number[]): readonly number[] =>
      given.length === 1 ? Array<number>(extent).fill(given[0]!) : given;
    return [affineAlong(x.shape.length - 1, x, expand(scale), expand(offset))];
  },
};

export const normalizationKinds = {
  BatchNormalization: batchNormalization,
  Normalization: normalization,
  Rescaling: rescaling,
};
