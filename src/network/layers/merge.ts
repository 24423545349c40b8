/** Merging layers: Add, Subtract, Multiply, Average, Maximum, Minimum with broadcasting, and Concatenate. */
import { wrong } from '../untrusted.js';
import { resolveAxis, showShape, sizeOf } from '../shapes.js';
import type { Shape, Value } from '../tensors.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Add, Subtract, Multiply, Average, Maximum and Minimum have no settings. */
export type MergeSettings = Readonly<Record<string, never>>;

export interface ConcatenateSettings {
  /** May be negative; never the batch. */
  readonly axis: number;
}

/**
 * The broadcast shape of two as Keras has it: ranks are filled up with 1 after the batch, extents are equal or 1.
 * A flexible extent stays flexible.
 */
function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const left = fill(a, rank);
  const right = fill(b, rank);
  return left.map((x, i) => {
    const y = right[i]!;
    if (i === 0 || x === y) return x;
    if (x === 1) return y;
    if (y === 1) return x;
    if (x === null || y === null) return x ?? y;
    throw wrong('inputs', 'shapes that broadcast', `${showShape(a)} and ${showShape(b)}`);
  });
}

/** Keras puts the missing extents after the batch: [B, C] with [B, H, W, C] is [B, 1, 1, C]. */
function fill(shape: Shape, rank: number): Shape {
  return [shape[0] ?? null, ...Array<number>(rank - shape.length).fill(1), ...shape.slice(1)];
}

/** Reads an array as if broadcast to `shape`: element i of the result is data[index(i)]. */
function broadcastTo(x: Arr, shape: readonly number[]): Float64Array {
  const source = fill(x.shape, shape.length) as number[];
  const out = new Float64Array(sizeOf(shape));
  const strides = source.map((extent, i) => (extent === 1 ? 0 : sizeOf(source.slice(i + 1))));
  const index = shape.map(() => 0);
  let offset = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = x.data[offset]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      offset += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      offset -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}

function mergeKind(
  combine: (a: number, b: number) => number,
  finish: (x: number, count: number) => number = (x) => x,
  most = Infinity,
): LayerKind<MergeSettings> {
  return {
    outputs: (_settings, inputs) => {
      const first = inputs[0];
      if (first === undefined || inputs.length < 2 || inputs.length > most) {
        const expected = most === 2 ? 'two inputs' : 'two inputs or more';
        throw wrong('inputs', expected, `${inputs.length} inputs`);
      }
      return [float32(inputs.slice(1).reduce((shape, input) => broadcast(shape, input.shape), first.shape))];
    },
    run: (_settings, _weights, inputs) => {
      const shape = inputs.map((x) => x.shape).reduce((a, b) => broadcast(a, b) as number[]);
      const sum = broadcastTo(inputs[0]!, shape);
      for (const input of inputs.slice(1)) {
        const other = broadcastTo(input, shape);
        for (let i = 0; i < sum.length; i++) sum[i] = combine(sum[i]!, other[i]!);
      }
      return [{ shape, data: Float32Array.from(sum, (x) => finish(x, inputs.length)) }];
    },
  };
}

function concatenated(axis: number, inputs: readonly Value[]): Shape {
  const first = inputs[0];
  if (first === undefined) throw wrong('inputs', 'one input or more', 'none');
  const at = resolveAxis(axis, first.shape.length);
  const shape = [...first.shape];
  for (const input of inputs.slice(1)) {
    const sum = shape[at];
    const extent = input.shape[at];
    const fits =
      input.shape.length === shape.length &&
      input.shape.every((x, i) => i === at || i === 0 || x === null || shape[i] === null || x === shape[i]);
    if (!fits) {
      throw wrong(
        'inputs',
        `shapes equal but for axis ${at}`,
        `${showShape(first.shape)} and ${showShape(input.shape)}`,
      );
    }
    shape.forEach((x, i) => {
      if (x === null && i > 0) shape[i] = input.shape[i] ?? null;
    });
    shape[at] = sum == null || extent == null ? null : sum + extent;
  }
  return shape;
}

const concatenate: LayerKind<ConcatenateSettings> = {
  outputs: ({ axis }, inputs) => [float32(concatenated(axis, inputs))],
  run: ({ axis }, _weights, inputs) => {
    const values = inputs.map((x) => float32(x.shape));
    const shape = concatenated(axis, values) as number[];
    const at = resolveAxis(axis, shape.length);
    const outer = sizeOf(shape.slice(0, at));
    const out = new Float32Array(sizeOf(shape));
    let position = 0;
    for (let o = 0; o < outer; o++) {
      for (const input of inputs) {
        const run = sizeOf(input.shape.slice(at));
        out.set(input.data.subarray(o * run, (o + 1) * run), position);
        position += run;
      }
    }
    return [{ shape, data: out }];
  },
};

export const mergeKinds = {
  Add: mergeKind((a, b) => a + b),
  Subtract: mergeKind(
    (a, b) => a - b,
    (x) => x,
    2,
  ),
  Multiply: mergeKind((a, b) => a * b),
  Average: mergeKind(
    (a, b) => a + b,
    (x, count) => x / count,
  ),
  Maximum: mergeKind(Math.max),
  Minimum: mergeKind(Math.min),
  Concatenate: concatenate,
};
