/**
 * How images lie, for the operations on them. Inside the engine an image lies channels x pixels: each channel is a plane
 * of `planeFloats(pixels)` numbers, the pixels row by row and room up to a multiple of 16. `to_planes` and `to_pixels`
 * change to and from Keras's pixels x channels. A sequence is an image of height 1.
 */
import type { Json, Numbers } from './definition.js';
import { bad, count, counts, flags, limited } from './expect.js';
import { readFlags, readNumbers } from './stored.js';

export interface ImageSize {
  readonly channels: number;
  readonly pixels: number;
}

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

const WINDOW_EXTENTS = [
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
const WINDOW_KEYS = ['framed', ...WINDOW_EXTENTS] as const;

/** What may be read after a channel of a frame. */
const FRAME_SLACK = 16;

/** A padded plane in strideY x strideX phases. */
export type FrameSize = Pick<Window, 'frameHeight' | 'frameWidth' | 'strideY' | 'strideX'>;

/** Floats of one channel of a frame: its phases one after the other, and slack. */
export function frameFloats({ frameHeight, frameWidth, strideY, strideX }: FrameSize): number {
  const phase = Math.ceil(frameHeight / strideY) * Math.ceil(frameWidth / strideX);
  return planeFloats(strideY * strideX * phase + FRAME_SLACK);
}

/** Floats of one channel of what a window reads. */
export function windowInputFloats(window: Window): number {
  return window.framed ? frameFloats(window) : planeFloats(window.frameHeight * window.frameWidth);
}

/** Checks the size; returns the floats of all planes. */
export function imageFloats(o: ImageSize & { name: string }): number {
  count(o.pixels, `${o.name}.pixels`);
  return limited(count(o.channels, `${o.name}.channels`) * planeFloats(o.pixels), o.name);
}

/** Checks the window; returns the floats of an output plane. */
export function windowFloats(o: Window & { name: string }): number {
  counts(o, WINDOW_EXTENTS);
  flags(o, ['framed']);
  if (!o.framed && (o.strideY !== 1 || o.strideX !== 1)) {
    throw bad(`${o.name}.strideY and strideX`, '1 where the input is planes', [o.strideY, o.strideX]);
  }
  const reach = (out: number, stride: number, kernel: number, dilation: number): number =>
    (out - 1) * stride + (kernel - 1) * dilation + 1;
  const height = reach(o.outHeight, o.strideY, o.kernelHeight, o.dilationY);
  const width = reach(o.outWidth, o.strideX, o.kernelWidth, o.dilationX);
  if (height > o.frameHeight || width > o.frameWidth) {
    throw bad(`${o.name}: windows`, `inside of ${o.frameHeight} x ${o.frameWidth}`, [height, width]);
  }
  limited(o.kernelHeight * o.kernelWidth, `${o.name}: taps`);
  return planeFloats(limited(o.outHeight * o.outWidth, o.name));
}

export const IMAGE_KEYS = { channels: '', pixels: '' };
export const imageJson = ({ channels, pixels }: ImageSize): Json => ({ channels, pixels });
export const readImage = (json: Json, name: string): ImageSize => ({
  channels: count(json.channels, `${name}.channels`),
  pixels: count(json.pixels, `${name}.pixels`),
});

/** For docs/format.md. */
export const WINDOW_NOTE = `[${WINDOW_KEYS.join(', ')}]`;
export const windowJson = (window: Window): number[] => WINDOW_KEYS.map((key) => Number(window[key]));
export function readWindow(json: Json, name: string): Window {
  const { framed, ...extents } = readNumbers(json.window, WINDOW_KEYS, `${name}.window`);
  return { ...extents, ...readFlags({ framed }, name) };
}

/** Where row y and column x of the padded plane lie in a frame. */
export function placeOf(
  { frameHeight, frameWidth, strideY, strideX }: FrameSize,
  y: number,
  x: number,
): number {
  const rows = Math.ceil(frameHeight / strideY);
  const cols = Math.ceil(frameWidth / strideX);
  const phase = (y % strideY) * strideX + (x % strideX);
  return phase * rows * cols + Math.floor(y / strideY) * cols + Math.floor(x / strideX);
}

/** What each tap of a window reads, in the order of the kernel. */
export function taps(o: Window, data: Numbers, channel: number, outY: number, outX: number): number[] {
  const start = channel * windowInputFloats(o);
  const read: number[] = [];
  for (let i = 0; i < o.kernelHeight; i++) {
    for (let j = 0; j < o.kernelWidth; j++) {
      const [y, x] = [outY * o.strideY + i * o.dilationY, outX * o.strideX + j * o.dilationX];
      read.push(data[start + placeOf(o, y, x)] as number);
    }
  }
  return read;
}

/** Planes whose pixels `pixel` gives; the room after them means nothing. */
export function planesOf(
  { channels, pixels }: ImageSize,
  pixel: (channel: number, at: number) => number,
): number[] {
  const plane = planeFloats(pixels);
  return Array.from({ length: channels * plane }, (_, i) => {
    const at = i % plane;
    return at < pixels ? pixel(Math.floor(i / plane), at) : NaN;
  });
}

/** The planes that windows make. */
export function windowPlanes(
  o: Window,
  channels: number,
  pixel: (channel: number, y: number, x: number) => number,
): number[] {
  return planesOf({ channels, pixels: o.outHeight * o.outWidth }, (channel, at) =>
    pixel(channel, Math.floor(at / o.outWidth), at % o.outWidth),
  );
}

/** Windows for the cases of operations: 2 x 3 taps over a frame of 7 x 9 in steps of 2 x 1, and one tap over planes. */
export const EXAMPLE_WINDOWS = {
  framed: {
    ...{ framed: true, frameHeight: 7, frameWidth: 9, strideY: 2, strideX: 1 },
    ...{ kernelHeight: 2, kernelWidth: 3, dilationY: 2, dilationX: 1, outHeight: 3, outWidth: 7 },
  },
  planes: {
    ...{ framed: false, frameHeight: 3, frameWidth: 6, strideY: 1, strideX: 1 },
    ...{ kernelHeight: 1, kernelWidth: 1, dilationY: 1, dilationX: 1, outHeight: 3, outWidth: 6 },
  },
} satisfies Record<string, Window>;
