/** Permute, RepeatVector, PReLU, and merges that broadcast, multiply or compare. */
import { planeFloats, type CombineKind } from '../../program/operations/images.js';
import type { PermuteSettings, RepeatVectorSettings } from '../../network/layers/reshape.js';
import { gather, permuted, strided, stridesOf } from './arrange.js';
import { LINEAR, featuresOf, type Lowering, type LoweringContext } from './lowering.js';

export const permute: Lowering = (context) => {
  const { dims } = context.layer.settings as PermuteSettings;
  return permuted(context, context.inputs[0] as number, context.inputShapes[0] ?? [], [0, ...dims]);
};

export const repeatVector: Lowering = (context) => {
  const { n } = context.layer.settings as RepeatVectorSettings;
  const features = featuresOf(context.inputShapes[0] ?? []);
  const index = Int32Array.from({ length: n * features }, (_, i) => i % features);
  return gather(context, context.inputs[0] as number, index);
};

/** The input as if it had the output's shape; missing axes come after the batch, as in Keras. */
export function broadcasted(context: LoweringContext, at: number): number {
  const out = context.outputShapes[0] ?? [];
  const own = context.inputShapes[at] ?? [];
  const full = [1, ...new Array<number>(out.length - own.length).fill(1), ...own.slice(1)];
  const strides = stridesOf(full).map((stride, axis) => (full[axis] === 1 ? 0 : stride));
  const input = context.inputs[at] as number;
  return featuresOf(own) === featuresOf(out) ? input : gather(context, input, strided(out, strides));
}

/** Two and two, from the left. */
export function combine(kind: Exclude<CombineKind, 'quotient'>): Lowering {
  return (context) => {
    const features = featuresOf(context.outputShapes[0] ?? []);
    const scaled = kind === 'product' ? channelScale(context) : null;
    if (scaled !== null) return scaled;
    return context.inputs
      .map((_, at) => broadcasted(context, at))
      .reduce((left, right) => context.add({ op: 'combine', inputs: [left, right], kind }, features));
  };
}

/** An image times one number a channel (squeeze and excite) needs no broadcast copy. */
function channelScale(context: LoweringContext): number | null {
  const [a, b] = context.inputShapes;
  if (context.inputs.length !== 2 || a === undefined || b === undefined) return null;
  const isImage = (shape: readonly number[]): boolean => shape.length === 4;
  const channels = a[a.length - 1] as number;
  const order = isImage(a) && featuresOf(b) === channels ? [0, 1] : null;
  const turned =
    isImage(b) && featuresOf(a) === b[b.length - 1] && b[b.length - 1] === channels ? [1, 0] : null;
  const [image, scale] = order ?? turned ?? [];
  if (image === undefined || scale === undefined) return null;
  const shape = context.inputShapes[image] as readonly number[];
  const other = context.inputShapes[scale] as readonly number[];
  if (other[other.length - 1] !== channels) return null;
  const pixels = featuresOf(shape) / channels;
  if (pixels === 1) return null;
  const floats = channels * planeFloats(pixels);
  const planes = context.add(
    { op: 'to_planes', input: context.inputs[image] as number, channels, pixels },
    floats,
  );
  const inputs = [planes, context.inputs[scale] as number];
  const scaled = context.add({ op: 'channel_scale', inputs, channels, pixels }, floats);
  return context.add({ op: 'to_pixels', input: scaled, channels, pixels }, channels * pixels);
}

/** x where x > 0, alpha x elsewhere: relu(x) - alpha relu(-x). */
export const prelu: Lowering = (context) => {
  const shape = context.inputShapes[0] ?? [];
  const features = featuresOf(shape);
  const input = context.inputs[0] as number;
  const alpha = context.weight('alpha');
  const extents = context.weightShape('alpha');
  const strides = stridesOf([1, ...extents]).map((stride, axis) =>
    axis > 0 && extents[axis - 1] === 1 ? 0 : stride,
  );
  const slopes = strided(shape, strides);
  const minus = Float32Array.of(-1);
  const zero = Float32Array.of(0);
  const relu = { kind: 'relu', alpha: 0, beta: 0 } as const;
  const positive = context.add({ op: 'activate', input, activation: relu }, features);
  const negative = context.add(
    { op: 'affine', input, scale: minus, offset: zero, activation: relu },
    features,
  );
  const scale = period(
    Float32Array.from(slopes, (at) => -(alpha[at] as number)),
    extents[extents.length - 1] as number,
  );
  const sloped = context.add(
    { op: 'affine', input: negative, scale, offset: new Float32Array(scale.length), activation: LINEAR },
    features,
  );
  return context.add({ op: 'add', inputs: [positive, sloped], activation: LINEAR }, features);
};

/** The first `length` numbers where all repeat them. */
function period(values: Float32Array, length: number): Float32Array {
  return values.every((value, i) => value === values[i % length]) ? values.slice(0, length) : values;
}
