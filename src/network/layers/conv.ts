/** Convolutions over one or two spatial axes: Conv, DepthwiseConv and SeparableConv. */
import type { Activation } from '../activations.js';
import { wrong } from '../untrusted.js';
import type { Padding, Window } from '../geometry.js';
import { padBefore, windowExtent } from '../geometry.js';
import { known, single } from '../shapes.js';
import type { Shape, Value } from '../tensors.js';
import { activate } from './activation.js';
import type { Arr, LayerKind, WeightSpec } from './kind.js';
import { float32 } from './kind.js';

/** What all convolutions have. Arrays have one number for each spatial axis: [width] or [height, width]. */
export interface WindowSettings {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly dilation: readonly number[];
  /** 'causal' for one spatial axis only. */
  readonly padding: Padding;
  readonly useBias: boolean;
  readonly activation: Activation;
}

export interface ConvSettings extends WindowSettings {
  readonly filters: number;
  /** Divides the channels and the filters. */
  readonly groups: number;
}

export interface DepthwiseConvSettings extends WindowSettings {
  readonly depthMultiplier: number;
}

export interface SeparableConvSettings extends DepthwiseConvSettings {
  readonly filters: number;
}

/** The windows of each spatial axis. */
export function windowsOf(
  settings: Pick<WindowSettings, 'kernelSize' | 'strides' | 'dilation' | 'padding'>,
): Window[] {
  return settings.kernelSize.map((kernel, i) => ({
    kernel,
    stride: settings.strides[i]!,
    dilation: settings.dilation[i]!,
    padding: settings.padding,
  }));
}

function spatial(shape: Shape, settings: WindowSettings): (number | null)[] {
  return windowsOf(settings).map((window, i) => {
    const extent = shape[i + 1] ?? null;
    return extent === null ? null : windowExtent(extent, window);
  });
}

function channelsOf(inputs: readonly Value[], rank: number): number {
  return known(single(inputs, rank + 2, rank + 2).shape[rank + 1], 'the channels of the input');
}

/** The weights of one kernel laid out [kh, kw, in of a group, out], any groups; one spatial axis counts as a height of 1. */
export interface Kernel {
  readonly data: Float32Array;
  readonly outputs: number;
  readonly groups: number;
}

/**
 * y[b, oy, ox, f] = bias[f] + sum over ky, kx, c of x[b, oy * s - p + ky * d, .., c] * kernel[ky, kx, c, f].
 * Shapes as [batch, height, width, channels] or [batch, width, channels].
 */
function convolve(x: Arr, kernel: Kernel, windows: readonly Window[], bias?: Float32Array): Arr {
  const [wy, wx] = windows.length === 1 ? [unit, windows[0]!] : [windows[0]!, windows[1]!];
  const [batch, height, width, channels] =
    windows.length === 1
      ? [x.shape[0]!, 1, x.shape[1]!, x.shape[2]!]
      : (x.shape as [number, number, number, number]);
  const { outputs, groups, data } = kernel;
  const [rows, cols] = [windowExtent(height, wy), windowExtent(width, wx)];
  const [top, left] = [padBefore(height, wy), padBefore(width, wx)];
  const [depth, perGroup] = [channels / groups, outputs / groups];
  const out = new Float32Array(batch * rows * cols * outputs);
  const sums = new Float64Array(outputs);
  let position = 0;
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < rows; oy++) {
      for (let ox = 0; ox < cols; ox++, position += outputs) {
        if (bias === undefined) sums.fill(0);
        else sums.set(bias);
        for (let ky = 0; ky < wy.kernel; ky++) {
          const iy = oy * wy.stride - top + ky * wy.dilation;
          if (iy < 0 || iy >= height) continue;
          for (let kx = 0; kx < wx.kernel; kx++) {
            const ix = ox * wx.stride - left + kx * wx.dilation;
            if (ix < 0 || ix >= width) continue;
            const pixel = ((b * height + iy) * width + ix) * channels;
            const tap = (ky * wx.kernel + kx) * depth * outputs;
            for (let c = 0; c < channels; c++) {
              const value = x.data[pixel + c]!;
              const first = Math.floor(c / depth) * perGroup;
              const row = tap + (c % depth) * outputs;
              for (let f = first; f < first + perGroup; f++) sums[f]! += value * data[row + f]!;
            }
          }
        }
        out.set(sums, position);
      }
    }
  }
  const shape = windows.length === 1 ? [batch, cols, outputs] : [batch, rows, cols, outputs];
  return { shape, data: out };
}

const unit: Window = { kernel: 1, stride: 1, dilation: 1, padding: 'valid' };

const biasSpec = (useBias: boolean, outputs: number): WeightSpec[] =>
  useBias ? [{ name: 'bias', shape: [outputs], trainable: true }] : [];

function convKind(rank: 1 | 2): LayerKind<ConvSettings> {
  return {
    weights: ({ kernelSize, filters, groups, useBias }, inputs) => {
      const channels = channelsOf(inputs, rank);
      if (channels % groups !== 0 || filters % groups !== 0) {
        throw wrong('groups', `a divisor of ${channels} channels and ${filters} filters`, groups);
      }
      return [
        { name: 'kernel', shape: [...kernelSize, channels / groups, filters], trainable: true },
        ...biasSpec(useBias, filters),
      ];
    },
    outputs: (settings, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      return [float32([shape[0] ?? null, ...spatial(shape, settings), settings.filters])];
    },
    run: (settings, weights, inputs) => {
      const kernel = { data: weights.kernel!.data, outputs: settings.filters, groups: settings.groups };
      const y = convolve(inputs[0]!, kernel, windowsOf(settings), weights.bias?.data);
      return [activate(settings.activation, y)];
    },
  };
}

/** A depthwise kernel [.., channels, multiplier] is the grouped kernel [.., 1, channels * multiplier]. */
function depthwise(kernel: Float32Array, channels: number, multiplier: number): Kernel {
  return { data: kernel, outputs: channels * multiplier, groups: channels };
}

function depthwiseKind(rank: 1 | 2): LayerKind<DepthwiseConvSettings> {
  return {
    weights: ({ kernelSize, depthMultiplier, useBias }, inputs) => {
      const channels = channelsOf(inputs, rank);
      return [
        // Keras 3 names it kernel.
        {
          name: 'depthwise_kernel',
          alias: 'kernel',
          shape: [...kernelSize, channels, depthMultiplier],
          trainable: true,
        },
        ...biasSpec(useBias, channels * depthMultiplier),
      ];
    },
    outputs: (settings, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      const channels = channelsOf(inputs, rank) * settings.depthMultiplier;
      return [float32([shape[0] ?? null, ...spatial(shape, settings), channels])];
    },
    run: (settings, weights, inputs) => {
      const x = inputs[0]!;
      const kernel = depthwise(weights.depthwise_kernel!.data, x.shape[rank + 1]!, settings.depthMultiplier);
      return [activate(settings.activation, convolve(x, kernel, windowsOf(settings), weights.bias?.data))];
    },
  };
}

function separableKind(rank: 1 | 2): LayerKind<SeparableConvSettings> {
  const ones = Array<number>(rank).fill(1);
  const pointwise: Window[] = ones.map(() => unit);
  return {
    weights: ({ kernelSize, depthMultiplier, filters, useBias }, inputs) => {
      const channels = channelsOf(inputs, rank);
      return [
        { name: 'depthwise_kernel', shape: [...kernelSize, channels, depthMultiplier], trainable: true },
        { name: 'pointwise_kernel', shape: [...ones, channels * depthMultiplier, filters], trainable: true },
        ...biasSpec(useBias, filters),
      ];
    },
    outputs: (settings, inputs) => {
      const { shape } = single(inputs, rank + 2, rank + 2);
      return [float32([shape[0] ?? null, ...spatial(shape, settings), settings.filters])];
    },
    run: (settings, weights, inputs) => {
      const x = inputs[0]!;
      const first = depthwise(weights.depthwise_kernel!.data, x.shape[rank + 1]!, settings.depthMultiplier);
      const second = { data: weights.pointwise_kernel!.data, outputs: settings.filters, groups: 1 };
      const middle = convolve(x, first, windowsOf(settings));
      return [activate(settings.activation, convolve(middle, second, pointwise, weights.bias?.data))];
    },
  };
}

export const convKinds = {
  Conv1D: convKind(1),
  Conv2D: convKind(2),
  DepthwiseConv1D: depthwiseKind(1),
  DepthwiseConv2D: depthwiseKind(2),
  SeparableConv1D: separableKind(1),
  SeparableConv2D: separableKind(2),
};
