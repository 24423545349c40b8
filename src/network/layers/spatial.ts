/** ZeroPadding, Cropping and UpSampling over one or two spatial axes. */
import { wrong } from '../untrusted.js';
import { single, sizeOf } from '../shapes.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Settings of ZeroPadding (amounts added) and Cropping (amounts cut off). */
export interface BorderSettings {
  /** [before, after] for each spatial axis. */
  readonly amounts: readonly (readonly [number, number])[];
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

export const spatialKinds = {
  ZeroPadding1D: borderKind(1, false),
  ZeroPadding2D: borderKind(2, false),
  Cropping1D: borderKind(1, true),
  Cropping2D: borderKind(2, true),
  UpSampling1D: upSamplingKind(1),
  UpSampling2D: upSamplingKind(2),
};
