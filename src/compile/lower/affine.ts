/** BatchNormalization, Normalization and Rescaling: a scale and an offset for each index of one axis. */
import {
  NORMALIZATION_EPSILON,
  type BatchNormalizationSettings,
  type NormalizationSettings,
  type RescalingSettings,
} from '../../network/layers/normalization.js';
import { resolveAxis } from '../../network/shapes.js';
import { LINEAR, featuresOf, unsupported, type Lowering, type LoweringContext } from './lowering.js';

/**
 * A mean of more deviations than this is subtracted before it is divided, as Keras does it: scale and offset in one
 * step would lose as many units of the last place.
 */
const FAR_MEAN = 8;

/** Adds y = x * scale[c] + offset[c], c the index along the axis (the whole sample if there is one number). */
function addAffine(
  context: LoweringContext,
  input: number,
  axis: number | null,
  scale: ArrayLike<number>,
  offset: ArrayLike<number>,
): number {
  const shape = context.inputShapes[0] ?? [];
  const inner = axis === null ? 1 : shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const spread = (numbers: ArrayLike<number>): Float32Array => {
    const out = new Float32Array(scale.length * inner);
    for (let i = 0; i < out.length; i++) {
      const number = Math.fround(numbers[Math.floor(i / inner)] as number);
      if (!Number.isFinite(number)) {
        throw unsupported(context.layer, 'a scale or offset beyond float32', 'check the layer’s weights');
      }
      out[i] = number;
    }
    return out;
  };
  return context.add(
    { op: 'affine', input, scale: spread(scale), offset: spread(offset), activation: LINEAR },
    featuresOf(shape),
  );
}

const batchNormalization: Lowering<BatchNormalizationSettings> = (context, settings) => {
  const axis = resolveAxis(settings.axis, context.inputShapes[0]?.length ?? 0);
  const mean = context.weight('moving_mean');
  const variance = context.weight('moving_variance');
  const gamma = settings.scale ? context.weight('gamma') : null;
  const beta = settings.center ? context.weight('beta') : null;
  const scale = Array.from(variance, (v, c) => (gamma?.[c] ?? 1) / Math.sqrt(v + settings.epsilon));
  const offset = scale.map((s, c) => (beta?.[c] ?? 0) - (mean[c] as number) * s);
  return addAffine(context, context.inputs[0] as number, axis, scale, offset);
};

const normalization: Lowering<NormalizationSettings> = (context, settings) => {
  const mean = settings.mean ?? Array.from(context.weight('mean'));
  const variance = settings.variance ?? Array.from(context.weight('variance'));
  const shape = context.inputShapes[0] ?? [];
  const count = Math.max(mean.length, variance.length);
  const axis = settings.axis === null ? null : resolveAxis(settings.axis, shape.length);
  const along = axis !== null && count === shape[axis] ? axis : null;
  const means = Array.from({ length: count }, (_, c) => mean[mean.length === 1 ? 0 : c] as number);
  const deviations = Array.from({ length: count }, (_, c) =>
    Math.max(Math.sqrt(variance[variance.length === 1 ? 0 : c] as number), NORMALIZATION_EPSILON),
  );
  const input = context.inputs[0] as number;
  if (settings.invert) return addAffine(context, input, along, deviations, means);
  const scale = deviations.map((deviation) => 1 / deviation);
  if (means.every((m, c) => Math.abs(m * (scale[c] as number)) <= FAR_MEAN)) {
    const offset = means.map((m, c) => -m * (scale[c] as number));
    return addAffine(context, input, along, scale, offset);
  }
  const ones = new Array<number>(count).fill(1);
  const centred = addAffine(
    context,
    input,
    along,
    ones,
    means.map((m) => -m),
  );
  return addAffine(context, centred, along, scale, new Array<number>(count).fill(0));
};

const rescaling: Lowering<RescalingSettings> = (context, { scale, offset }) => {
  const length = Math.max(scale.length, offset.length);
  const full = (numbers: readonly number[]): readonly number[] =>
    numbers.length === length ? numbers : new Array<number>(length).fill(numbers[0] as number);
  const axis = length === 1 ? null : (context.inputShapes[0]?.length ?? 0) - 1;
  return addAffine(context, context.inputs[0] as number, axis, full(scale), full(offset));
};

export const affineLowerings = {
  BatchNormalization: batchNormalization,
  Normalization: normalization,
  Rescaling: rescaling,
};
