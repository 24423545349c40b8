/** LayerNormalization, RMSNormalization, GroupNormalization, UnitNormalization: statistics of the sample itself. */
import { wrong } from '../untrusted.js';
import { known, resolveAxis, single, sizeOf } from '../shapes.js';
import type { Value } from '../tensors.js';
import type { Arr, LayerKind, WeightSpec } from './kind.js';
import { float32 } from './kind.js';

export function resolveAxes(axes: readonly number[], rank: number): number[] {
  const resolved = axes.map((axis) => resolveAxis(axis, rank));
  if (resolved.some((axis, i) => i > 0 && axis <= resolved[i - 1]!)) {
    throw wrong('axis', 'axes in increasing order', axes);
  }
  return resolved;
}

/** For each element its index over `axes`, and its index over the other axes. */
function split(
  shape: readonly number[],
  axes: readonly number[],
): { inside: Int32Array; outside: Int32Array } {
  const size = sizeOf(shape);
  const inside = new Int32Array(size);
  const outside = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    let [rest, insideStride, outsideStride] = [i, 1, 1];
    for (let d = shape.length - 1; d >= 0; d--) {
      const index = rest % shape[d]!;
      rest = Math.floor(rest / shape[d]!);
      if (axes.includes(d)) {
        inside[i]! += index * insideStride;
        insideStride *= shape[d]!;
      } else {
        outside[i]! += index * outsideStride;
        outsideStride *= shape[d]!;
      }
    }
  }
  return { inside, outside };
}

/** (x - mean) / sqrt(variance + epsilon) over groups of equal numbers; the mean is taken as 0 where `rms`. */
function standardise(data: Float32Array, group: Int32Array, epsilon: number, rms = false): Float64Array {
  const count = group.reduce((max, g) => Math.max(max, g), -1) + 1;
  const size = data.length / count;
  const mean = new Float64Array(count);
  if (!rms) for (let i = 0; i < data.length; i++) mean[group[i]!]! += data[i]! / size;
  const variance = new Float64Array(count);
  for (let i = 0; i < data.length; i++) variance[group[i]!]! += (data[i]! - mean[group[i]!]!) ** 2 / size;
  return Float64Array.from(
    data,
    (x, i) => (x - mean[group[i]!]!) / Math.sqrt(variance[group[i]!]! + epsilon),
  );
}

export interface LayerNormalizationSettings {
  /** May be negative; never the batch; increasing once resolved. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  /** Divide by the root mean square, without subtracting the mean (RMSNormalization). */
  readonly rms: boolean;
}

const distributeAxes = (settings: LayerNormalizationSettings): LayerNormalizationSettings => ({
  ...settings,
  axes: settings.axes.map((axis) => (axis < 0 ? axis : axis + 1)),
});

function axesShape(axes: readonly number[], { shape }: Value): number[] {
  return resolveAxes(axes, shape.length).map((axis) => known(shape[axis], 'the normalised axes'));
}

function runLayerNorm(
  settings: LayerNormalizationSettings,
  gamma: Float32Array | undefined,
  beta: Float32Array | undefined,
  x: Arr,
): Arr {
  const { inside, outside } = split(x.shape, resolveAxes(settings.axes, x.shape.length));
  const normal = standardise(x.data, outside, settings.epsilon, settings.rms);
  const data = Float32Array.from(
    normal,
    (v, i) => v * (gamma?.[inside[i]!] ?? 1) + (beta?.[inside[i]!] ?? 0),
  );
  return { shape: x.shape, data };
}

/** y = gamma * (x - mean) / sqrt(variance + epsilon) + beta. Weights: gamma and beta, each [extents of the axes]. */
const layerNormalization: LayerKind<LayerNormalizationSettings> = {
  distribute: distributeAxes,
  weights: ({ axes, center, scale }, inputs) => {
    const shape = axesShape(axes, single(inputs, 2));
    const spec = (name: string): WeightSpec => ({ name, shape, trainable: true });
    return [...(scale ? [spec('gamma')] : []), ...(center ? [spec('beta')] : [])];
  },
  outputs: ({ axes }, inputs) => {
    const input = single(inputs, 2);
    resolveAxes(axes, input.shape.length);
    return [float32(input.shape)];
  },
  run: (settings, weights, inputs) => [
    runLayerNorm(settings, weights.gamma?.data, weights.beta?.data, inputs[0]!),
  ],
};

/** y = scale * x / sqrt(mean(x^2) + epsilon). Weights: scale [extents of the axes]. Keras 3 only. */
const rmsNormalization: LayerKind<LayerNormalizationSettings> = {
  distribute: distributeAxes,
  weights: ({ axes }, inputs) => [
    { name: 'scale', shape: axesShape(axes, single(inputs, 2)), trainable: true },
  ],
  outputs: layerNormalization.outputs.bind(layerNormalization),
  run: (settings, weights, inputs) => [runLayerNorm(settings, weights.scale!.data, undefined, inputs[0]!)],
};

export interface GroupNormalizationSettings {
  /** The channels; may be negative. */
  readonly axis: number;
  /** Divides the channels; -1: each channel is a group. */
  readonly groups: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
}

/** How many groups `channels` have. */
export function groupCount({ groups }: GroupNormalizationSettings, channels: number): number {
  const count = groups === -1 ? channels : groups;
  if (channels % count !== 0) throw wrong('groups', `a divisor of ${channels} channels`, groups);
  return count;
}

/** Mean and variance over all axes but the batch, of channels in groups. Weights: gamma, beta, each [channels]. */
const groupNormalization: LayerKind<GroupNormalizationSettings> = {
  weights: (settings, inputs) => {
    const { shape } = single(inputs, 2);
    const channels = known(shape[resolveAxis(settings.axis, shape.length)], 'the channels');
    groupCount(settings, channels);
    const spec = (name: string): WeightSpec => ({ name, shape: [channels], trainable: true });
    return [...(settings.scale ? [spec('gamma')] : []), ...(settings.center ? [spec('beta')] : [])];
  },
  outputs: (settings, inputs) => {
    const { shape } = single(inputs, 2);
    groupCount(settings, known(shape[resolveAxis(settings.axis, shape.length)], 'the channels'));
    return [float32(shape)];
  },
  run: (settings, { gamma, beta }, inputs) => {
    const x = inputs[0]!;
    const axis = resolveAxis(settings.axis, x.shape.length);
    const channels = x.shape[axis]!;
    const groups = groupCount(settings, channels);
    const sample = sizeOf(x.shape.slice(1));
    const inner = sizeOf(x.shape.slice(axis + 1));
    const channel = (i: number): number => Math.floor(i / inner) % channels;
    const group = Int32Array.from(x.data, (_, i) => {
      return Math.floor(i / sample) * groups + Math.floor(channel(i) / (channels / groups));
    });
    const normal = standardise(x.data, group, settings.epsilon);
    const data = Float32Array.from(normal, (v, i) => {
      return v * (gamma?.data[channel(i)] ?? 1) + (beta?.data[channel(i)] ?? 0);
    });
    return [{ shape: x.shape, data }];
  },
};

export interface UnitNormalizationSettings {
  readonly axes: readonly number[];
}

/** y = x / sqrt(max(sum of x^2 over the axes, 1e-12)). */
const unitNormalization: LayerKind<UnitNormalizationSettings> = {
  distribute: ({ axes }) => ({ axes: axes.map((axis) => (axis < 0 ? axis : axis + 1)) }),
  outputs: ({ axes }, inputs) => {
    const { shape } = single(inputs, 2);
    axes.forEach((axis) => resolveAxis(axis, shape.length));
    return [float32(shape)];
  },
  run: ({ axes }, _weights, inputs) => {
    const x = inputs[0]!;
    const resolved = axes.map((axis) => resolveAxis(axis, x.shape.length));
    const { outside } = split(x.shape, resolved);
    const sums = new Float64Array(x.data.length);
    for (let i = 0; i < x.data.length; i++) sums[outside[i]!]! += x.data[i]! ** 2;
    return [
      { shape: x.shape, data: x.data.map((v, i) => v / Math.sqrt(Math.max(sums[outside[i]!]!, 1e-12))) },
    ];
  },
};

export const layerNormKinds = {
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  UnitNormalization: unitNormalization,
};
