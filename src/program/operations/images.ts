/**
 * Operations on images. Inside the engine an image lies channels x pixels: each channel is a plane of
 * `planeFloats(pixels)` numbers, the pixels row by row and room up to a multiple of 16. `to_planes` and `to_pixels`
 * change to and from Keras's pixels x channels. A sequence is an image of height 1.
 */
import type { Activation, Matrix } from '../program.js';

/** The choices of operations: an .esp holds the place of a name in its list, so new names come last. */
export type Choices = readonly string[];

/** Floats of a plane: the pixels, rounded up to a multiple of 16. */
export function planeFloats(pixels: number): number {
  return Math.ceil(pixels / 16) * 16;
}

/**
 * A window over a frame: output (y, x) reads the padded plane at (y * strideY + i * dilationY, x * strideX + j *
 * dilationX) for each tap (i, j) of the kernel.
 */
export interface Window {
  /** The input is a frame, else planes, and the strides are 1. */
  readonly framed: boolean;
  /** Of the padded plane. */
  readonly frameHeight: number;
  readonly frameWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly dilationY: number;
  readonly dilationX: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

export const WINDOW_KEYS = [
  'framed',
  'frameHeight',
  'frameWidth',
  'strideY',
  'strideX',
  'kernelHeight',
  'kernelWidth',
  'dilationY',
  'dilationX',
  'outHeight',
  'outWidth',
] as const satisfies readonly (keyof Window)[];

/** What may be read after a channel of a frame. */
const FRAME_SLACK = 16;

/** Floats of one channel of a frame: its phases one after the other, and slack. */
export function frameFloats(
  frame: Pick<Window, 'frameHeight' | 'frameWidth' | 'strideY' | 'strideX'>,
): number {
  const { frameHeight, frameWidth, strideY, strideX } = frame;
  const phase = Math.ceil(frameHeight / strideY) * Math.ceil(frameWidth / strideX);
  return planeFloats(strideY * strideX * phase + FRAME_SLACK);
}

/** Floats of one channel of what a window reads. */
export function windowInputFloats(window: Window): number {
  return window.framed ? frameFloats(window) : planeFloats(window.frameHeight * window.frameWidth);
}

interface Base {
  readonly name: string;
  readonly input: number;
  readonly output: number;
}
interface Image {
  readonly channels: number;
  readonly pixels: number;
}

/** [pixels, channels] to planes. */
export type ToPlanes = Base & Image & { readonly op: 'to_planes' };
/** Planes to [pixels, channels]. */
export type ToPixels = Base & Image & { readonly op: 'to_pixels' };

export const FILLS = ['zero', 'lowest'] as const;
export type Fill = (typeof FILLS)[number];

/**
 * Planes to a frame: row y goes to row top + y * upY of the padded plane, column x likewise; the rest is filled with 0 or
 * with the lowest number. The padded plane is stored in strideY x strideX phases.
 */
export type Frame = Base & {
  readonly op: 'frame';
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly top: number;
  readonly left: number;
  readonly upY: number;
  readonly upX: number;
  readonly frameHeight: number;
  readonly frameWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly fill: Fill;
};

/** y[f] = act(b[f] + sum over c, i, j of W[f, (c, i, j)] x[c, window(i, j)]); rows of W are filters, split by groups. */
export type Conv = Base &
  Window & {
    readonly op: 'conv';
    readonly channels: number;
    readonly groups: number;
    readonly weight: Matrix;
    readonly bias: Float32Array | null;
    readonly activation: Activation;
  };

/** Channel c gives channels c * multiplier + m; weights [channels * multiplier][taps]. */
export type Depthwise = Base &
  Window & {
    readonly op: 'depthwise';
    readonly channels: number;
    readonly multiplier: number;
    readonly weights: Float32Array;
    readonly bias: Float32Array | null;
    readonly activation: Activation;
  };

/** scale null: the maximum of a window; else its sum times scale[pixel]. */
export type Pool = Base &
  Window & { readonly op: 'pool'; readonly channels: number; readonly scale: Float32Array | null };

export const GLOBAL_POOL_KINDS = ['maximum', 'mean'] as const;
export type GlobalPoolKind = (typeof GLOBAL_POOL_KINDS)[number];

/** The maximum or the mean of each plane: one number a channel. */
export type GlobalPool = Base & Image & { readonly op: 'global_pool'; readonly kind: GlobalPoolKind };

/** y[c, :] = act(x[c, :] * scale[c] + offset[c]). */
export type ChannelAffine = Base &
  Image & {
    readonly op: 'channel_affine';
    readonly scale: Float32Array;
    readonly offset: Float32Array;
    readonly activation: Activation;
  };

/** Two inputs, planes and one number a channel: y[c, :] = x[c, :] * s[c]. */
export type ChannelScale = Omit<Base, 'input'> &
  Image & { readonly op: 'channel_scale'; readonly inputs: readonly number[] };

/** y[i] = x[index[i]], 0 where the index is -1; the same for each of `repeat` runs of input and output. */
export type Gather = Base & {
  readonly op: 'gather';
  readonly repeat: number;
  readonly index: Int32Array;
};

export const COMBINE_KINDS = ['product', 'maximum', 'minimum', 'quotient'] as const;
export type CombineKind = (typeof COMBINE_KINDS)[number];

/** Elementwise, two inputs of the same number of features. */
export type Combine = Omit<Base, 'input'> & {
  readonly op: 'combine';
  readonly inputs: readonly number[];
  readonly kind: CombineKind;
};

export type ImageOperation =
  | ToPlanes
  | ToPixels
  | Frame
  | Conv
  | Depthwise
  | Pool
  | GlobalPool
  | ChannelAffine
  | ChannelScale
  | Gather
  | Combine;
