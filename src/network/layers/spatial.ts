/** ZeroPadding, Cropping and UpSampling over one or two spatial axes. */
import { describe } from '../../errors.js';
import type { Config } from '../config.js';
import { unsupported, wrong } from '../config.js';
import { requireChannelsLast } from '../geometry.js';
import { single, sizeOf } from '../shapes.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Settings of ZeroPadding (amounts added) and Cropping (amounts cut off). */
export interface BorderSettings {
  /** [before, after] for each spatial axis. */
  readonly amounts: readonly (readonly [number, number])[];
}

/** One number for all; one an axis; or [before, after] an axis. One axis: a number or [before, after]. */
function parseAmounts(config: Config, key: string, rank: 1 | 2): BorderSettings {
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

/** Moves an array into another of given spatial extents: out[o] = x[o + shift], 0 where there is none. */
function move(x: Arr, extents: readonly number[], shifts: readonly number[]): Arr {
  const flat = extents.length === 1;
  const [rows, cols] = flat ? [1, extents[0]!] : [extents[0]!, extents[1]!];
  const [dy, dx] = flat ? [0, shifts[0]!] : [shifts[0]!, shifts[1]!];
  const [batch, channels] = [x.shape[0]!, x.shape[x.shape.length - 1]!];
  const [height, width] = flat ? [1, x.shape[1]!] : [x.shape[1]!, x.shape[2]!];
  const shape = [batch, ...extents, channels];
  const out = new Float32Array(sizeOf(shape));
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cols; c++) {
        const [iy, ix] = [r + dy, c + dx];
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const from = ((b * height + iy) * width + ix) * channels;
        out.set(x.data.subarray(from, from + channels), ((b * rows + r) * cols + c) * channels);
      }
    }
  }
  return { shape, data: out };
}

function borderKind(rank: 1 | 2, crop: boolean): LayerKind<BorderSettings> {
  const sign = crop ? -1 : 1;
  const extent = (input: number, [before, after]: readonly [number, number]): number => {
    const output = input + sign * (before + after);
    if (output < 1) throw wrong('cropping', `less than the input extent ${input}`, before + after);
    return output;
  };
  return {
    names: [`${crop ? 'Cropping' : 'ZeroPadding'}${rank}D`],
    supports: 'any amount on each side; channels_last',
    parse: (config) => {
      requireChannelsLast(config);
      return parseAmounts(config, crop ? 'cropping' : 'padding', rank);
    },
    outputs: ({ amounts }, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      const extents = amounts.map((amount, i) => {
        const input = shape[i + 1] ?? null;
        return input === null ? null : extent(input, amount);
      });
      return [float32([shape[0] ?? null, ...extents, shape[rank + 1] ?? null])];
    },
    run: ({ amounts }, _weights, inputs) => {
      const x = inputs[0]!;
      const extents = amounts.map((amount, i) => extent(x.shape[i + 1]!, amount));
      return [
        move(
          x,
          extents,
          amounts.map(([before]) => -sign * before),
        ),
      ];
    },
  };
}

export interface UpSamplingSettings {
  /** One factor a spatial axis. */
  readonly size: readonly number[];
  readonly interpolation: 'nearest' | 'bilinear';
  /**
   * bilinear: output o reads input (o + 0.5) / size - 0.5 (Keras), or o / size (tfjs), clamped to the input.
   */
  readonly halfPixelCenters: boolean;
}

/** The two neighbours of an output index and the weight of the second. */
export function bilinearTap(
  output: number,
  factor: number,
  extent: number,
  halfPixelCenters: boolean,
): { low: number; high: number; fraction: number } {
  const at = halfPixelCenters ? (output + 0.5) / factor - 0.5 : output / factor;
  const floor = Math.floor(at);
  const clamp = (i: number): number => Math.min(Math.max(i, 0), extent - 1);
  return { low: clamp(floor), high: clamp(floor + 1), fraction: at - floor };
}

function upSample(x: Arr, { size, interpolation, halfPixelCenters }: UpSamplingSettings): Arr {
  const flat = size.length === 1;
  const [fy, fx] = flat ? [1, size[0]!] : [size[0]!, size[1]!];
  const [batch, channels] = [x.shape[0]!, x.shape[x.shape.length - 1]!];
  const [height, width] = flat ? [1, x.shape[1]!] : [x.shape[1]!, x.shape[2]!];
  const [rows, cols] = [height * fy, width * fx];
  const out = new Float32Array(batch * rows * cols * channels);
  const nearest = (o: number, factor: number): { low: number; high: number; fraction: number } => {
    const low = Math.floor(o / factor);
    return { low, high: low, fraction: 0 };
  };
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < rows; r++) {
      const y = interpolation === 'nearest' ? nearest(r, fy) : bilinearTap(r, fy, height, halfPixelCenters);
      for (let c = 0; c < cols; c++) {
        const z = interpolation === 'nearest' ? nearest(c, fx) : bilinearTap(c, fx, width, halfPixelCenters);
        for (let k = 0; k < channels; k++) {
          const at = (i: number, j: number): number => x.data[((b * height + i) * width + j) * channels + k]!;
          const above = at(y.low, z.low) * (1 - z.fraction) + at(y.low, z.high) * z.fraction;
          const below = at(y.high, z.low) * (1 - z.fraction) + at(y.high, z.high) * z.fraction;
          out[((b * rows + r) * cols + c) * channels + k] = above * (1 - y.fraction) + below * y.fraction;
        }
      }
    }
  }
  return { shape: flat ? [batch, cols, channels] : [batch, rows, cols, channels], data: out };
}

function upSamplingKind(rank: 1 | 2): LayerKind<UpSamplingSettings> {
  return {
    names: [`UpSampling${rank}D`],
    supports: rank === 1 ? 'size' : 'size; nearest and bilinear; channels_last',
    parse: (config) => {
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
    outputs: ({ size }, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      const extents = size.map((factor, i) => {
        const extent = shape[i + 1] ?? null;
        return extent === null ? null : extent * factor;
      });
      return [float32([shape[0] ?? null, ...extents, shape[rank + 1] ?? null])];
    },
    run: (settings, _weights, inputs) => [upSample(inputs[0]!, settings)],
  };
}

export const borderKinds: readonly LayerKind<BorderSettings>[] = [
  borderKind(1, false),
  borderKind(2, false),
  borderKind(1, true),
  borderKind(2, true),
];

export const upSamplingKinds: readonly LayerKind<UpSamplingSettings>[] = [
  upSamplingKind(1),
  upSamplingKind(2),
];
