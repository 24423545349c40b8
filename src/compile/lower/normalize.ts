/** LayerNormalization, RMSNormalization, GroupNormalization and UnitNormalization. */
import {
  groupCount,
  resolveAxes,
  type GroupNormalizationSettings,
  type LayerNormalizationSettings,
  type UnitNormalizationSettings,
} from '../../network/layers/layer-norm.js';
import { resolveAxis } from '../../network/shapes.js';
import { planeFloats } from '../../program/operations/images.js';
import type { Statistic } from '../../program/operations/sequences.js';
import { inverse, permuted } from './arrange.js';
import { LINEAR, featuresOf, type Lowering, type LoweringContext } from './lowering.js';

/** What UnitNormalization divides by at least, squared. */
const UNIT_EPSILON = Math.fround(1e-12);

interface Statistics {
  readonly statistic: Statistic;
  readonly epsilon: number;
  readonly scale: Float32Array | null;
  readonly offset: Float32Array | null;
}

/** Normalises over `axes` (resolved, rising), which are brought to the end where they are not. */
function overAxes(
  context: LoweringContext,
  input: number,
  shape: readonly number[],
  axes: readonly number[],
  statistics: Statistics,
): number {
  const order = [...shape.keys()].filter((axis) => !axes.includes(axis)).concat(axes);
  const valid = axes.reduce((size, axis) => size * (shape[axis] as number), 1);
  const moved = permuted(context, input, shape, order);
  const normal = context.add(
    { op: 'normalize', input: moved, rows: 1, valid, stride: valid, ...statistics, activation: LINEAR },
    featuresOf(shape),
  );
  const there = order.map((axis) => shape[axis] as number);
  return permuted(context, normal, there, inverse(order));
}

export const layerNormalization: Lowering = (context) => {
  const { axes, epsilon, center, scale, rms } = context.layer.settings as LayerNormalizationSettings;
  const shape = context.inputShapes[0] ?? [];
  return overAxes(context, context.inputs[0] as number, shape, resolveAxes(axes, shape.length), {
    statistic: rms ? 'root_mean_square' : 'standard',
    epsilon: Math.fround(epsilon),
    scale: scale ? context.weight(rms ? 'scale' : 'gamma') : null,
    offset: center ? context.weight('beta') : null,
  });
};

/** x / sqrt(max(sum of x^2, 1e-12)) over axes that are resolved. */
export function unitLength(
  context: LoweringContext,
  input: number,
  shape: readonly number[],
  axes: readonly number[],
): number {
  const rising = [...axes].sort((a, b) => a - b);
  const statistics = { statistic: 'unit', epsilon: UNIT_EPSILON, scale: null, offset: null } as const;
  return overAxes(context, input, shape, rising, statistics);
}

export const unitNormalization: Lowering = (context) => {
  const { axes } = context.layer.settings as UnitNormalizationSettings;
  const shape = context.inputShapes[0] ?? [];
  const resolved = axes.map((axis) => resolveAxis(axis, shape.length));
  return unitLength(context, context.inputs[0] as number, shape, resolved);
};

/** Channels last: in planes, where the channels of a group are neighbours. Else the channels are brought first. */
export const groupNormalization: Lowering = (context) => {
  const settings = context.layer.settings as GroupNormalizationSettings;
  const shape = context.inputShapes[0] ?? [];
  const axis = resolveAxis(settings.axis, shape.length);
  const channels = shape[axis] as number;
  const pixels = featuresOf(shape) / channels;
  const rows = channels / groupCount(settings, channels);
  const gamma = settings.scale ? context.weight('gamma') : new Float32Array(channels).fill(1);
  const beta = settings.center ? context.weight('beta') : new Float32Array(channels);
  const input = context.inputs[0] as number;
  const size = { channels, pixels };
  const common = {
    op: 'normalize',
    statistic: 'standard',
    epsilon: Math.fround(settings.epsilon),
    scale: null,
    offset: null,
    activation: LINEAR,
  } as const;
  if (axis === shape.length - 1 && pixels > 1) {
    const stride = planeFloats(pixels);
    const floats = channels * stride;
    const planes = context.add({ op: 'to_planes', input, ...size }, floats);
    const normal = context.add({ ...common, input: planes, rows, valid: pixels, stride }, floats);
    const scaled = context.add(
      { op: 'channel_affine', input: normal, ...size, scale: gamma, offset: beta, activation: LINEAR },
      floats,
    );
    return context.add({ op: 'to_pixels', input: scaled, ...size }, channels * pixels);
  }
  const order = [0, axis, ...[...shape.keys()].filter((other) => other !== 0 && other !== axis)];
  const features = featuresOf(shape);
  const valid = rows * pixels;
  const moved = permuted(context, input, shape, order);
  const normal = context.add({ ...common, input: moved, rows: 1, valid, stride: valid }, features);
  const each = (values: Float32Array): Float32Array =>
    Float32Array.from({ length: features }, (_, i) => values[Math.floor(i / pixels)] as number);
  const scaled = context.add(
    { op: 'affine', input: normal, scale: each(gamma), offset: each(beta), activation: LINEAR },
    features,
  );
  const there = order.map((at) => shape[at] as number);
  return permuted(context, scaled, there, inverse(order));
};
