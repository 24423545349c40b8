/** Transposed convolutions: the gradient of a convolution with respect to its input. */
import { wrong } from '../untrusted.js';
import type { Window } from '../geometry.js';
import { transposedCut, transposedExtent } from '../geometry.js';
import { known, single, sizeOf } from '../shapes.js';
import type { Shape } from '../tensors.js';
import { activate } from './activation.js';
import type { WindowSettings } from './conv.js';
import { windowsOf } from './conv.js';
import type { LayerKind } from './kind.js';
import { float32 } from './kind.js';

export interface ConvTransposeSettings extends WindowSettings {
  readonly filters: number;
  /** One number a spatial axis, each below its stride; null: Keras chooses the extent by the padding. */
  readonly outputPadding: readonly number[] | null;
}

/** The output extents of the spatial axes. */
export function transposedShape(settings: ConvTransposeSettings, spatial: Shape): (number | null)[] {
  return windowsOf(settings).map((window, i) => {
    const extent = spatial[i] ?? null;
    if (extent === null) return null;
    const output = transposedExtent(extent, window, settings.outputPadding?.[i] ?? null);
    if (output < 1) throw wrong('output_padding', 'an output that is not empty', output);
    return output;
  });
}

const unit: Window = { kernel: 1, stride: 1, dilation: 1, padding: 'valid' };

/** y[i * s + k * d - cut, f] += x[i, c] * kernel[k, f, c]. Weights: kernel [.., filters, channels], bias [filters]. */
function transposeKind(rank: 1 | 2): LayerKind<ConvTransposeSettings> {
  return {
    weights: ({ kernelSize, filters, useBias }, inputs) => {
      const channels = known(single(inputs, rank + 2, rank + 2).shape[rank + 1], 'the channels of the input');
      return [
        { name: 'kernel', shape: [...kernelSize, filters, channels], trainable: true },
        ...(useBias ? [{ name: 'bias', shape: [filters], trainable: true }] : []),
      ];
    },
    outputs: (settings, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      return [
        float32([shape[0] ?? null, ...transposedShape(settings, shape.slice(1, -1)), settings.filters]),
      ];
    },
    run: (settings, weights, inputs) => {
      const x = inputs[0]!;
      const { filters } = settings;
      const extents = x.shape.slice(1, -1);
      const outs = transposedShape(settings, extents) as number[];
      const windows = windowsOf(settings);
      const [wy, wx] = rank === 1 ? [unit, windows[0]!] : [windows[0]!, windows[1]!];
      const [height, width] = rank === 1 ? [1, extents[0]!] : [extents[0]!, extents[1]!];
      const [rows, cols] = rank === 1 ? [1, outs[0]!] : [outs[0]!, outs[1]!];
      const [top, left] = [transposedCut(height, rows, wy), transposedCut(width, cols, wx)];
      const [batch, channels] = [x.shape[0]!, x.shape[rank + 1]!];
      const kernel = weights.kernel!.data;
      const sums = new Float64Array(batch * rows * cols * filters);
      for (let b = 0; b < batch; b++) {
        for (let iy = 0; iy < height; iy++) {
          for (let ix = 0; ix < width; ix++) {
            const pixel = ((b * height + iy) * width + ix) * channels;
            for (let ky = 0; ky < wy.kernel; ky++) {
              const oy = iy * wy.stride + ky * wy.dilation - top;
              if (oy < 0 || oy >= rows) continue;
              for (let kx = 0; kx < wx.kernel; kx++) {
                const ox = ix * wx.stride + kx * wx.dilation - left;
                if (ox < 0 || ox >= cols) continue;
                const target = ((b * rows + oy) * cols + ox) * filters;
                const tap = (ky * wx.kernel + kx) * filters * channels;
                for (let f = 0; f < filters; f++) {
                  let sum = 0;
                  for (let c = 0; c < channels; c++)
                    sum += x.data[pixel + c]! * kernel[tap + f * channels + c]!;
                  sums[target + f]! += sum;
                }
              }
            }
          }
        }
      }
      const bias = weights.bias?.data;
      const data = Float32Array.from(sums, (sum, i) => sum + (bias?.[i % filters] ?? 0));
      const shape = [batch, ...outs, filters];
      if (sizeOf(shape) !== data.length) throw wrong('output', 'a full array', data.length);
      return [activate(settings.activation, { shape, data })];
    },
  };
}

export const convTransposeKinds = { Conv1DTranspose: transposeKind(1), Conv2DTranspose: transposeKind(2) };
