/**
 * Layers over images (and sequences, which are images of height 1). Each one goes from pixels x channels to planes and
 * back; the pass keep-planes takes out the changes between neighbours.
 */
import {
  padBefore,
  reach,
  transposedCut,
  windowExtent,
  type Window as Axis,
} from '../../network/geometry.js';
import type {
  ConvSettings,
  DepthwiseConvSettings,
  SeparableConvSettings,
  WindowSettings,
} from '../../network/layers/conv.js';
import { windowsOf } from '../../network/layers/conv.js';
import { transposedShape, type ConvTransposeSettings } from '../../network/layers/conv-transpose.js';
import { frameFloats, planeFloats, type Fill, type Window } from '../../program/operations/images.js';
import type { Matrix } from '../../program/program.js';
import { lowerActivation } from './activation.js';
import { LINEAR, type Lowering, type LoweringContext } from './lowering.js';

export const UNIT: Axis = { kernel: 1, stride: 1, dilation: 1, padding: 'valid' };

export interface Size {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** [batch, height, width, channels] or [batch, width, channels]. */
export function sizeOf(shape: readonly number[]): Size {
  const [height, width, channels] = shape.length === 3 ? [1, shape[1], shape[2]] : shape.slice(1);
  return { height: height, width: width as number, channels: channels as number };
}

/** Axes as [y, x]; one axis is x. */
export const both = <T>(axes: readonly T[], unit: T): readonly [T, T] =>
  axes.length === 1 ? [unit, axes[0] as T] : [axes[0] as T, axes[1] as T];

export function toPlanes(context: LoweringContext, input: number, { height, width, channels }: Size): number {
  const pixels = height * width;
  return context.add({ op: 'to_planes', input, channels, pixels }, channels * planeFloats(pixels));
}

export function toPixels(context: LoweringContext, input: number, { height, width, channels }: Size): number {
  const pixels = height * width;
  return context.add({ op: 'to_pixels', input, channels, pixels }, channels * pixels);
}

/** One axis of a frame: how much lies before the image, how far it is spread, and how long the frame is. */
interface FrameAxis {
  readonly before: number;
  readonly up: number;
  readonly length: number;
}

/** The frame that windows need: from the first to the last float they read. */
function frameAxis(extent: number, window: Axis): FrameAxis & { readonly out: number } {
  const out = windowExtent(extent, window);
  const before = padBefore(extent, window);
  const read = (out - 1) * window.stride + reach(window);
  return { before, up: 1, out, length: Math.max(read, before + extent) };
}

/** Puts planes into a frame where the windows need one; returns what they read and how. */
export function framed(
  context: LoweringContext,
  planes: number,
  size: Size,
  axes: readonly [FrameAxis & { out: number }, FrameAxis & { out: number }],
  windows: readonly [Axis, Axis],
  fill: Fill,
): { readonly input: number; readonly window: Window } {
  const [y, x] = axes;
  const [wy, wx] = windows;
  const plain =
    wy.stride === 1 &&
    wx.stride === 1 &&
    y.up === 1 &&
    x.up === 1 &&
    y.length === size.height &&
    x.length === size.width;
  // A window of several taps reads beyond the planes' rows: only a frame has room for that.
  const direct = plain && wy.kernel === 1 && wx.kernel === 1;
  const window: Window = {
    framed: !direct,
    ...{ frameHeight: y.length, frameWidth: x.length, strideY: wy.stride, strideX: wx.stride },
    ...{ kernelHeight: wy.kernel, kernelWidth: wx.kernel },
    ...{ dilationY: wy.dilation, dilationX: wx.dilation, outHeight: y.out, outWidth: x.out },
  };
  if (direct) return { input: planes, window };
  const { frameHeight, frameWidth, strideY, strideX } = window;
  const input = context.add(
    {
      ...{ op: 'frame', input: planes, channels: size.channels, height: size.height, width: size.width },
      ...{ top: y.before, left: x.before, upY: y.up, upX: x.up },
      ...{ frameHeight, frameWidth, strideY, strideX, fill },
    },
    size.channels * frameFloats(window),
  );
  return { input, window };
}

/** A kernel [taps, depth, filters] as a matrix: rows are filters, columns (channel, tap). */
function filterMatrix(kernel: Float32Array, taps: number, depth: number, filters: number): Matrix {
  const values = new Float32Array(kernel.length);
  for (let tap = 0; tap < taps; tap++) {
    for (let channel = 0; channel < depth; channel++) {
      const from = (tap * depth + channel) * filters;
      for (let filter = 0; filter < filters; filter++) {
        values[(filter * depth + channel) * taps + tap] = kernel[from + filter] as number;
      }
    }
  }
  return { format: 'dense', rows: filters, cols: depth * taps, values };
}

interface ConvParts {
  readonly filters: number;
  readonly groups: number;
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
}

function addConv(
  context: LoweringContext,
  planes: number,
  size: Size,
  axes: readonly [FrameAxis & { out: number }, FrameAxis & { out: number }],
  windows: readonly [Axis, Axis],
  parts: ConvParts,
): { readonly value: number; readonly size: Size } {
  const { input, window } = framed(context, planes, size, axes, windows, 'zero');
  const { filters, ...rest } = parts;
  const out: Size = { height: window.outHeight, width: window.outWidth, channels: filters };
  const value = context.add(
    { op: 'conv', input, channels: size.channels, ...window, ...rest, activation: LINEAR },
    filters * planeFloats(out.height * out.width),
  );
  return { value, size: out };
}

const windowAxes = (settings: Parameters<typeof windowsOf>[0]): readonly [Axis, Axis] =>
  both(windowsOf(settings), UNIT);

export const frameAxes = (size: Size, [wy, wx]: readonly [Axis, Axis]) =>
  [frameAxis(size.height, wy), frameAxis(size.width, wx)] as const;

const biasOf = (context: LoweringContext, settings: WindowSettings): Float32Array | null =>
  settings.useBias ? context.weight('bias') : null;

/** The activation on pixels; fuse-activation and keep-planes bring it into the operation. */
function finish(
  context: LoweringContext,
  value: number,
  size: Size,
  activation: WindowSettings['activation'],
): number {
  return lowerActivation(context, activation, toPixels(context, value, size), context.outputShapes[0] ?? []);
}

export const conv: Lowering = (context) => {
  const settings = context.layer.settings as ConvSettings;
  const size = sizeOf(context.inputShapes[0] ?? []);
  const windows = windowAxes(settings);
  const taps = windows[0].kernel * windows[1].kernel;
  const depth = size.channels / settings.groups;
  const weight = context.once('kernel', () =>
    filterMatrix(context.weight('kernel'), taps, depth, settings.filters),
  );
  const planes = toPlanes(context, context.inputs[0] as number, size);
  const { filters, groups } = settings;
  const parts = { filters, groups, weight, bias: biasOf(context, settings) };
  const made = addConv(context, planes, size, frameAxes(size, windows), windows, parts);
  return finish(context, made.value, made.size, settings.activation);
};

/** The transposed convolution is a convolution of the image spread by the stride, with the kernel turned round. */
export const convTranspose: Lowering = (context) => {
  const settings = context.layer.settings as ConvTransposeSettings;
  const size = sizeOf(context.inputShapes[0] ?? []);
  const spatial = settings.kernelSize.length === 1 ? [size.width] : [size.height, size.width];
  const outs = both(transposedShape(settings, spatial) as number[], 1);
  const given = windowAxes(settings);
  const [extents, taps] = [[size.height, size.width], given[0].kernel * given[1].kernel];
  const axes = given.map((window, i) => {
    const extent = extents[i] as number;
    const out = outs[i] as number;
    // Output o reads input i where o = i * stride + k * dilation - cut.
    const before = reach(window) - 1 - transposedCut(extent, out, window);
    const spread = (extent - 1) * window.stride + 1;
    return { before, up: window.stride, out, length: Math.max(out + reach(window) - 1, before + spread) };
  }) as unknown as readonly [FrameAxis & { out: number }, FrameAxis & { out: number }];
  const windows = given.map((window): Axis => ({ ...window, stride: 1 })) as unknown as readonly [Axis, Axis];
  const weight = context.once('kernel', () =>
    turnedMatrix(context.weight('kernel'), taps, size.channels, settings.filters),
  );
  const planes = toPlanes(context, context.inputs[0] as number, size);
  const parts = { filters: settings.filters, groups: 1, weight, bias: biasOf(context, settings) };
  const made = addConv(context, planes, size, axes, windows, parts);
  return finish(context, made.value, made.size, settings.activation);
};

/** A kernel [taps, filters, channels] with its taps in reverse as a matrix: rows are filters, columns (channel, tap). */
function turnedMatrix(kernel: Float32Array, taps: number, channels: number, filters: number): Matrix {
  const values = new Float32Array(kernel.length);
  for (let tap = 0; tap < taps; tap++) {
    for (let filter = 0; filter < filters; filter++) {
      const from = ((taps - 1 - tap) * filters + filter) * channels;
      for (let channel = 0; channel < channels; channel++) {
        values[(filter * channels + channel) * taps + tap] = kernel[from + channel] as number;
      }
    }
  }
  return { format: 'dense', rows: filters, cols: channels * taps, values };
}

/** A kernel [taps, channels * multiplier] by channels. */
function channelTaps(kernel: Float32Array, taps: number): Float32Array {
  const outputs = kernel.length / taps;
  return Float32Array.from(kernel, (_, i) => kernel[(i % taps) * outputs + Math.floor(i / taps)] as number);
}

function addDepthwise(
  context: LoweringContext,
  size: Size,
  settings: DepthwiseConvSettings,
  bias: Float32Array | null,
): { readonly value: number; readonly size: Size } {
  const windows = windowAxes(settings);
  const taps = windows[0].kernel * windows[1].kernel;
  const planes = toPlanes(context, context.inputs[0] as number, size);
  const { input, window } = framed(context, planes, size, frameAxes(size, windows), windows, 'zero');
  const { channels } = size;
  const multiplier = settings.depthMultiplier;
  const out: Size = { height: window.outHeight, width: window.outWidth, channels: channels * multiplier };
  const weights = channelTaps(context.weight('depthwise_kernel'), taps);
  const value = context.add(
    { op: 'depthwise', input, channels, multiplier, ...window, weights, bias, activation: LINEAR },
    out.channels * planeFloats(out.height * out.width),
  );
  return { value, size: out };
}

export const depthwiseConv: Lowering = (context) => {
  const settings = context.layer.settings as DepthwiseConvSettings;
  const size = sizeOf(context.inputShapes[0] ?? []);
  const made = addDepthwise(context, size, settings, biasOf(context, settings));
  return finish(context, made.value, made.size, settings.activation);
};

export const separableConv: Lowering = (context) => {
  const settings = context.layer.settings as SeparableConvSettings;
  const size = sizeOf(context.inputShapes[0] ?? []);
  const middle = addDepthwise(context, size, settings, null);
  const windows = [UNIT, UNIT] as const;
  const { filters } = settings;
  const weight = context.once('pointwise_kernel', () =>
    filterMatrix(context.weight('pointwise_kernel'), 1, middle.size.channels, filters),
  );
  const parts = { filters, groups: 1, weight, bias: biasOf(context, settings) };
  const axes = frameAxes(middle.size, windows);
  const made = addConv(context, middle.value, middle.size, axes, windows, parts);
  return finish(context, made.value, made.size, settings.activation);
};
