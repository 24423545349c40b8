/** Operations on vectors and positions as Keras layers. */
import { biasOf, fused, kernelOf, product, refuse, type Builder, type Write } from './builder.js';

/** [features], or [runs, run] where an operation works on runs of consecutive numbers. */
const inRuns = (features: number, run: number): number[] =>
  run === features ? [features] : [features / run, run];

export const linear: Write<'linear'> = (b, { name, input, positions, weight, bias, activation }) => {
  const { rows, cols } = weight;
  const lanes = positions === 1 ? [] : [positions];
  const kernel = { shape: [cols, rows], data: kernelOf(weight) };
  const settings = { units: rows, ...fused(activation, bias) };
  const shaped = b.shaped(name, b.value(input), [...lanes, cols]);
  return b.call(name, 'Dense', settings, [shaped], { kernel, ...biasOf(bias) });
};

export const affine: Write<'affine'> = (b, { name, input, output, scale, offset, activation }) => {
  const shaped = b.shaped(name, b.value(input), inRuns(b.features(output), scale.length));
  return b.activate(name, b.affine(name, shaped, scale, offset), activation);
};

export const activate: Write<'activate'> = (b, { name, input, activation }) =>
  b.activate(name, b.value(input), activation);

export const softmax: Write<'softmax'> = (b, { name, input, output, group }) => {
  const shaped = b.shaped(name, b.value(input), inRuns(b.features(output), group));
  return b.call(name, 'Activation', { activation: { kind: 'softmax', axis: -1 } }, [shaped]);
};

/** All inputs in the shape of the first. */
function alike(b: Builder, name: string, inputs: readonly number[]): number[] {
  const shape = b.shapeOf(b.value(inputs[0]!));
  return inputs.map((input) => b.shaped(name, b.value(input), shape));
}

export const add: Write<'add'> = (b, { name, inputs, activation }) =>
  b.activate(name, b.call(name, 'Add', {}, alike(b, name, inputs)), activation);

/** The layers of products, maxima and minima, by the operation's kind. */
const MERGES = { product: 'Multiply', maximum: 'Maximum', minimum: 'Minimum' } as const;

export const combine: Write<'combine'> = (b, operation) => {
  const { name, inputs, kind } = operation;
  if (kind === 'quotient') throw refuse(operation, 'a quotient');
  return b.call(name, MERGES[kind], {}, alike(b, name, inputs));
};

export const concat: Write<'concat'> = (b, { name, inputs, output, outer }) => {
  const values = inputs.map((input) => b.value(input));
  const before = values.map((value) => b.shapeOf(value).slice(0, -1).join());
  // Planes one after the other are channels one after the other.
  const planes =
    b.planes.has(output) &&
    values.every((value, i) => b.shapeOf(value).length > 1 && before[i] === before[0]);
  const shaped = values.map((value) => {
    if (planes) return value;
    const size = product(b.shapeOf(value));
    return b.shaped(name, value, outer === 1 ? [size] : [outer, size / outer]);
  });
  return b.call(name, 'Concatenate', { axis: -1 }, shaped);
};

export const toPlanes: Write<'to_planes'> = (b, { name, input, pixels, channels }) =>
  b.shaped(name, b.value(input), [pixels, channels]);

export const toPixels: Write<'to_pixels'> = (b, { name, input }) => {
  const value = b.value(input);
  return b.shaped(name, value, [product(b.shapeOf(value))]);
};
