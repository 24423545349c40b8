/** Operations on images as JSON (program/operations/images.ts tells what they are). */
import {
  COMBINE_KINDS,
  FILLS,
  GLOBAL_POOL_KINDS,
  WINDOW_KEYS,
  type ImageOperation,
  type Window,
} from '../program/operations/images.js';
import { count } from '../program/check.js';
import { invalid } from '../errors.js';
import { readActivation, writeActivation, type Json } from './activation.js';
import type { OperationCodec } from './operations.js';

type Codecs = { [K in ImageOperation['op']]: OperationCodec<K> };

/** Whole numbers from 0, by the keys in their order. */
export function numbers<K extends string>(
  value: unknown,
  keys: readonly K[],
  what: string,
): Record<K, number> {
  if (
    !Array.isArray(value) ||
    value.length !== keys.length ||
    !value.every((n) => Number.isInteger(n) && n >= 0 && n <= 0x7fffffff)
  ) {
    throw invalid('INVALID_MODEL', what, `${keys.length} whole numbers: ${keys.join(', ')}`, value);
  }
  return Object.fromEntries(keys.map((key, i) => [key, value[i] as number])) as Record<K, number>;
}

/** A choice is stored as its place in the list of its names. */
export function choiceAt<T extends string>(choices: readonly T[], place: number, what: string): T {
  const choice = choices[place];
  if (choice === undefined) throw invalid('INVALID_MODEL', what, `0 to ${choices.length - 1}`, place);
  return choice;
}

/** Flags are stored as 0 and 1. */
export function flagsOf<K extends string>(stored: Record<K, number>, what: string): Record<K, boolean> {
  return Object.fromEntries(
    Object.entries<number>(stored).map(([key, value]) => {
      if (value > 1) throw invalid('INVALID_MODEL', `${what}.${key}`, '0 or 1', value);
      return [key, value === 1];
    }),
  ) as Record<K, boolean>;
}

const windowJson = (window: Window): number[] => WINDOW_KEYS.map((key) => Number(window[key]));
function readWindow(json: Json, name: string): Window {
  const { framed, ...rest } = numbers(json.window, WINDOW_KEYS, `${name}.window`);
  return { ...rest, ...flagsOf({ framed }, name) };
}

const IMAGE_KEYS = ['channels', 'pixels'] as const;
const imageJson = ({ channels, pixels }: { channels: number; pixels: number }): Json => ({
  channels,
  pixels,
});
const readImage = (json: Json, name: string): { channels: number; pixels: number } => ({
  channels: count(json.channels, `${name}.channels`),
  pixels: count(json.pixels, `${name}.pixels`),
});

const FRAME_KEYS = [
  'channels',
  'height',
  'width',
  'top',
  'left',
  'upY',
  'upX',
  'frameHeight',
  'frameWidth',
  'strideY',
  'strideX',
  'fill',
] as const;

const planes = {
  keys: IMAGE_KEYS,
  write: imageJson,
  read: (json: Json, { name }: { name: string }) => readImage(json, name),
};

export const IMAGE_CODECS: Codecs = {
  to_planes: planes,
  to_pixels: planes,
  channel_scale: { ...planes, several: true },
  frame: {
    keys: ['frame'],
    write: (o) => ({ frame: FRAME_KEYS.map((key) => (key === 'fill' ? FILLS.indexOf(o.fill) : o[key])) }),
    read: (json, { name }) => {
      const { fill, ...rest } = numbers(json.frame, FRAME_KEYS, `${name}.frame`);
      return { ...rest, fill: choiceAt(FILLS, fill, `${name}.fill`) };
    },
  },
  conv: {
    keys: ['channels', 'groups', 'window', 'weight', 'bias', 'activation'],
    write: (o, { pools, matrix }) => ({
      channels: o.channels,
      ...(o.groups === 1 ? {} : { groups: o.groups }),
      window: windowJson(o),
      weight: matrix(o.weight),
      ...(o.bias === null ? {} : { bias: pools.vector(o.bias) }),
      ...writeActivation(o.activation),
    }),
    read: (json, { pools, name, matrix }) => {
      const weight = matrix(json.weight);
      return {
        channels: count(json.channels, `${name}.channels`),
        groups: count(json.groups ?? 1, `${name}.groups`),
        ...readWindow(json, name),
        weight,
        bias: json.bias === undefined ? null : pools.vector(json.bias, weight.rows, `${name}.bias`),
        activation: readActivation(json.activation, name),
      };
    },
  },
  depthwise: {
    keys: ['channels', 'multiplier', 'window', 'weights', 'bias', 'activation'],
    write: (o, { pools }) => ({
      channels: o.channels,
      ...(o.multiplier === 1 ? {} : { multiplier: o.multiplier }),
      window: windowJson(o),
      weights: pools.vector(o.weights),
      ...(o.bias === null ? {} : { bias: pools.vector(o.bias) }),
      ...writeActivation(o.activation),
    }),
    read: (json, { pools, name }) => {
      const channels = count(json.channels, `${name}.channels`);
      const multiplier = count(json.multiplier ?? 1, `${name}.multiplier`);
      const window = readWindow(json, name);
      const outputs = channels * multiplier;
      return {
        channels,
        multiplier,
        ...window,
        weights: pools.vector(
          json.weights,
          outputs * window.kernelHeight * window.kernelWidth,
          `${name}.weights`,
        ),
        bias: json.bias === undefined ? null : pools.vector(json.bias, outputs, `${name}.bias`),
        activation: readActivation(json.activation, name),
      };
    },
  },
  pool: {
    keys: ['channels', 'window', 'scale'],
    write: (o, { pools }) => ({
      channels: o.channels,
      window: windowJson(o),
      ...(o.scale === null ? {} : { scale: pools.vector(o.scale) }),
    }),
    read: (json, { pools, name }) => {
      const window = readWindow(json, name);
      const pixels = window.outHeight * window.outWidth;
      return {
        channels: count(json.channels, `${name}.channels`),
        ...window,
        scale: json.scale === undefined ? null : pools.vector(json.scale, pixels, `${name}.scale`),
      };
    },
  },
  global_pool: {
    keys: [...IMAGE_KEYS, 'mean'],
    write: (o) => ({ ...imageJson(o), mean: GLOBAL_POOL_KINDS.indexOf(o.kind) }),
    read: (json, { name }) => ({
      ...readImage(json, name),
      kind: choiceAt(GLOBAL_POOL_KINDS, numbers([json.mean], ['mean'], `${name}.mean`).mean, `${name}.mean`),
    }),
  },
  channel_affine: {
    keys: [...IMAGE_KEYS, 'scale', 'offset', 'activation'],
    write: (o, { pools }) => ({
      ...imageJson(o),
      scale: pools.vector(o.scale),
      offset: pools.vector(o.offset),
      ...writeActivation(o.activation),
    }),
    read: (json, { pools, name }) => {
      const size = readImage(json, name);
      return {
        ...size,
        scale: pools.vector(json.scale, size.channels, `${name}.scale`),
        offset: pools.vector(json.offset, size.channels, `${name}.offset`),
        activation: readActivation(json.activation, name),
      };
    },
  },
  gather: {
    keys: ['repeat', 'index'],
    write: (o, { pools }) => ({
      ...(o.repeat === 1 ? {} : { repeat: o.repeat }),
      index: pools.append('indices', o.index),
    }),
    read: (json, { pools, name }) => ({
      repeat: count(json.repeat ?? 1, `${name}.repeat`),
      index: pools.take('indices', json.index, `${name}.index`) as Int32Array,
    }),
  },
  combine: {
    keys: ['kind'],
    several: true,
    write: (o) => ({ kind: COMBINE_KINDS.indexOf(o.kind) }),
    read: (json, { name }) => ({
      kind: choiceAt(COMBINE_KINDS, numbers([json.kind], ['kind'], `${name}.kind`).kind, `${name}.kind`),
    }),
  },
};
