/** Poolings over one or two spatial axes, and global ones. */
import { wrong } from '../untrusted.js';
import type { Padding, Window } from '../geometry.js';
import { padBefore, windowExtent } from '../geometry.js';
import { single, sizeOf } from '../shapes.js';
import { windowsOf } from './conv.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

export interface PoolingSettings {
  /** One number a spatial axis. */
  readonly poolSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Exclude<Padding, 'causal'>;
}

/** The windows of each spatial axis. */
export function poolingWindows({ poolSize, strides, padding }: PoolingSettings): Window[] {
  return windowsOf({ kernelSize: poolSize, strides, padding, dilation: poolSize.map(() => 1) });
}

const unit: Window = { kernel: 1, stride: 1, dilation: 1, padding: 'valid' };

/** The maximum, or the mean, of what a window covers of the input: padding counts for neither. */
function pool(x: Arr, windows: readonly Window[], average: boolean): Arr {
  const flat = windows.length === 1;
  const [wy, wx] = flat ? [unit, windows[0]!] : [windows[0]!, windows[1]!];
  const [batch, height, width, channels] = flat
    ? [x.shape[0]!, 1, x.shape[1]!, x.shape[2]!]
    : (x.shape as [number, number, number, number]);
  const [rows, cols] = [windowExtent(height, wy), windowExtent(width, wx)];
  const [top, left] = [padBefore(height, wy), padBefore(width, wx)];
  const out = new Float32Array(batch * rows * cols * channels);
  let position = 0;
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < rows; oy++) {
      for (let ox = 0; ox < cols; ox++) {
        const y0 = Math.max(oy * wy.stride - top, 0);
        const y1 = Math.min(oy * wy.stride - top + wy.kernel, height);
        const x0 = Math.max(ox * wx.stride - left, 0);
        const x1 = Math.min(ox * wx.stride - left + wx.kernel, width);
        for (let c = 0; c < channels; c++) {
          let [max, sum] = [-Infinity, 0];
          for (let iy = y0; iy < y1; iy++) {
            for (let ix = x0; ix < x1; ix++) {
              const value = x.data[((b * height + iy) * width + ix) * channels + c]!;
              max = Math.max(max, value);
              sum += value;
            }
          }
          out[position++] = average ? sum / ((y1 - y0) * (x1 - x0)) : max;
        }
      }
    }
  }
  return { shape: flat ? [batch, cols, channels] : [batch, rows, cols, channels], data: out };
}

function poolingKind(rank: 1 | 2, average: boolean): LayerKind<PoolingSettings> {
  return {
    outputs: (settings, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      const extents = poolingWindows(settings).map((window, i) => {
        const extent = shape[i + 1] ?? null;
        return extent === null ? null : windowExtent(extent, window);
      });
      return [float32([shape[0] ?? null, ...extents, shape[rank + 1] ?? null])];
    },
    run: (settings, _weights, inputs) => [pool(inputs[0]!, poolingWindows(settings), average)],
  };
}

export interface GlobalPoolingSettings {
  /** Keep the spatial axes, with extent 1. */
  readonly keepDims: boolean;
}

function globalKind(rank: 1 | 2, average: boolean): LayerKind<GlobalPoolingSettings> {
  const masked = average && rank === 1;
  return {
    outputs: ({ keepDims }, inputs) => {
      const { shape } = single(masked ? inputs.slice(0, 1) : inputs, rank + 2, rank + 2);
      return [
        float32([
          shape[0] ?? null,
          ...(keepDims ? Array<number>(rank).fill(1) : []),
          shape[rank + 1] ?? null,
        ]),
      ];
    },
    run: ({ keepDims }, _weights, inputs) => {
      const { shape, data } = inputs[0]!;
      const mask = inputs[1]?.data;
      const [batch, channels] = [shape[0]!, shape[rank + 1]!];
      const pixels = sizeOf(shape.slice(1, -1));
      if (pixels < 1) throw wrong('input', 'one pixel or more', pixels);
      const out = new Float32Array(batch * channels);
      for (let b = 0; b < batch; b++) {
        let count = 0;
        for (let p = 0; p < pixels; p++) count += mask === undefined ? 1 : mask[b * pixels + p]!;
        for (let c = 0; c < channels; c++) {
          let [max, sum] = [-Infinity, 0];
          for (let p = 0; p < pixels; p++) {
            const value = data[(b * pixels + p) * channels + c]!;
            max = Math.max(max, value);
            sum += mask === undefined ? value : value * mask[b * pixels + p]!;
          }
          out[b * channels + c] = average ? sum / count : max;
        }
      }
      return [{ shape: [batch, ...(keepDims ? Array<number>(rank).fill(1) : []), channels], data: out }];
    },
  };
}

export const poolingKinds = {
  MaxPooling1D: poolingKind(1, false),
  MaxPooling2D: poolingKind(2, false),
  AveragePooling1D: poolingKind(1, true),
  AveragePooling2D: poolingKind(2, true),
  GlobalMaxPooling1D: globalKind(1, false),
  GlobalMaxPooling2D: globalKind(2, false),
  GlobalAveragePooling1D: globalKind(1, true),
  GlobalAveragePooling2D: globalKind(2, true),
};
