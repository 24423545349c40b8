/** The rules of operations on images (image-operations.ts): every extent, length and number of features. */
import type { OperationRule } from '../check.js';
import { bad, count, limited, vector } from '../expect.js';
import {
  COMBINE_KINDS,
  FILLS,
  GLOBAL_POOL_KINDS,
  WINDOW_KEYS,
  frameFloats,
  planeFloats,
  windowInputFloats,
  type Choices,
  type ImageOperation,
  type Window,
} from './images.js';

type Of<K extends ImageOperation['op']> = Extract<ImageOperation, { op: K }>;

/** A whole number from 0. */
function natural(value: number, what: string): number {
  return value === 0 ? 0 : count(value, what);
}

export function oneOf(value: string, choices: Choices, what: string): void {
  if (!choices.includes(value)) throw bad(what, choices.join(', '), value);
}

export function flag(value: boolean, what: string): void {
  if (typeof value !== 'boolean') throw bad(what, 'true or false', value);
}

export function features(received: number | undefined, expected: number, what: string): void {
  if (received !== limited(expected, what))
    throw bad(`${what}: input features`, `${expected}`, received ?? 'none');
}

function image(o: { name: string; channels: number; pixels: number }): number {
  count(o.pixels, `${o.name}.pixels`);
  return limited(count(o.channels, `${o.name}.channels`) * planeFloats(o.pixels), o.name);
}

/** Checks the window; returns the floats of an output plane. */
function window(o: Window & { name: string }): number {
  for (const key of WINDOW_KEYS) if (key !== 'framed') count(o[key], `${o.name}.${key}`);
  flag(o.framed, `${o.name}.framed`);
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

export const inputOf = (o: { input: number }): readonly number[] => [o.input];

export const IMAGE_RULES: { [K in ImageOperation['op']]: OperationRule<Of<K>> } = {
  to_planes: {
    inputs: inputOf,
    features: (o, [input]) => {
      const planes = image(o);
      features(input, o.channels * o.pixels, o.name);
      return planes;
    },
  },
  to_pixels: {
    inputs: inputOf,
    features: (o, [input]) => {
      features(input, image(o), o.name);
      return o.channels * o.pixels;
    },
  },
  frame: {
    inputs: inputOf,
    features: (o, [input]) => {
      for (const key of ['channels', 'height', 'width', 'upY', 'upX'] as const)
        count(o[key], `${o.name}.${key}`);
      for (const key of ['frameHeight', 'frameWidth', 'strideY', 'strideX'] as const)
        count(o[key], `${o.name}.${key}`);
      natural(o.top, `${o.name}.top`);
      natural(o.left, `${o.name}.left`);
      oneOf(o.fill, FILLS, `${o.name}.fill`);
      if (
        o.top + (o.height - 1) * o.upY + 1 > o.frameHeight ||
        o.left + (o.width - 1) * o.upX + 1 > o.frameWidth
      ) {
        throw bad(`${o.name}: the image`, `inside of ${o.frameHeight} x ${o.frameWidth}`, [
          o.height,
          o.width,
        ]);
      }
      features(input, o.channels * planeFloats(o.height * o.width), o.name);
      return limited(o.channels * frameFloats(o), o.name);
    },
  },
  conv: {
    inputs: inputOf,
    features: (o, [input]) => {
      const plane = window(o);
      const { rows, cols } = o.weight;
      count(o.channels, `${o.name}.channels`);
      count(o.groups, `${o.name}.groups`);
      if (o.channels % o.groups !== 0 || rows % o.groups !== 0) {
        throw bad(`${o.name}.groups`, `a divisor of ${o.channels} and ${rows}`, o.groups);
      }
      const wanted = (o.channels / o.groups) * o.kernelHeight * o.kernelWidth;
      if (cols !== wanted) throw bad(`${o.name}.weight.cols`, `${wanted}`, cols);
      features(input, o.channels * windowInputFloats(o), o.name);
      if (o.bias !== null) vector(o.bias, rows, `${o.name}.bias`);
      return rows * plane;
    },
  },
  depthwise: {
    inputs: inputOf,
    features: (o, [input]) => {
      const plane = window(o);
      const outputs = count(o.channels, `${o.name}.channels`) * count(o.multiplier, `${o.name}.multiplier`);
      features(input, o.channels * windowInputFloats(o), o.name);
      vector(o.weights, outputs * o.kernelHeight * o.kernelWidth, `${o.name}.weights`);
      if (o.bias !== null) vector(o.bias, outputs, `${o.name}.bias`);
      return outputs * plane;
    },
  },
  pool: {
    inputs: inputOf,
    features: (o, [input]) => {
      const plane = window(o);
      features(input, count(o.channels, `${o.name}.channels`) * windowInputFloats(o), o.name);
      if (o.scale !== null) vector(o.scale, o.outHeight * o.outWidth, `${o.name}.scale`);
      return o.channels * plane;
    },
  },
  global_pool: {
    inputs: inputOf,
    features: (o, [input]) => {
      features(input, image(o), o.name);
      oneOf(o.kind, GLOBAL_POOL_KINDS, `${o.name}.kind`);
      return o.channels;
    },
  },
  channel_affine: {
    inputs: inputOf,
    features: (o, [input]) => {
      const planes = image(o);
      features(input, planes, o.name);
      vector(o.scale, o.channels, `${o.name}.scale`);
      vector(o.offset, o.channels, `${o.name}.offset`);
      return planes;
    },
  },
  channel_scale: {
    inputs: (o) => o.inputs,
    features: (o, inputs) => {
      const planes = image(o);
      if (inputs.length !== 2) throw bad(`${o.name}.inputs`, 'two', inputs.length);
      features(inputs[0], planes, o.name);
      features(inputs[1], o.channels, o.name);
      return planes;
    },
  },
  gather: {
    inputs: inputOf,
    features: (o, [input = 0]) => {
      count(o.repeat, `${o.name}.repeat`);
      count(o.index.length, `${o.name}.index.length`);
      if (input % o.repeat !== 0) throw bad(`${o.name}.repeat`, `a divisor of ${input}`, o.repeat);
      const run = input / o.repeat;
      const wrong = o.index.findIndex((i) => i < -1 || i >= run);
      if (wrong !== -1) throw bad(`${o.name}.index`, `-1 to ${run - 1}`, `${o.index[wrong]} at ${wrong}`);
      return limited(o.repeat * o.index.length, o.name);
    },
  },
  combine: {
    inputs: (o) => o.inputs,
    features: (o, inputs) => {
      oneOf(o.kind, COMBINE_KINDS, `${o.name}.kind`);
      if (inputs.length !== 2 || inputs[0] !== inputs[1]) {
        throw bad(`${o.name}.inputs`, 'two of equal numbers of features', inputs);
      }
      return inputs[0] ?? 0;
    },
  },
};
