/** Merging layers, broadcasting where shapes differ, and Concatenate. */
import type { ConcatenateSettings, MergeSettings } from '../../network/layers/merge.js';
import { resolveAxis } from '../../network/shapes.js';
import { LINEAR, featuresOf, type Lowering, type LoweringContext } from './lowering.js';
import { broadcasted, combine } from './pick.js';

function addAll(context: LoweringContext, inputs: readonly number[]): number {
  return context.add({ op: 'add', inputs, activation: LINEAR }, featuresOf(context.outputShapes[0] ?? []));
}

const allBroadcasted = (context: LoweringContext): number[] =>
  context.inputs.map((_, at) => broadcasted(context, at));

function scaled(context: LoweringContext, input: number, by: number): number {
  const features = featuresOf(context.outputShapes[0] ?? []);
  const scale = Float32Array.of(by);
  return context.add(
    { op: 'affine', input, scale, offset: Float32Array.of(0), activation: LINEAR },
    features,
  );
}

const add: Lowering<MergeSettings> = (context) => addAll(context, allBroadcasted(context));

const subtract: Lowering<MergeSettings> = (context) => {
  const [left, right] = allBroadcasted(context) as [number, number];
  return addAll(context, [left, scaled(context, right, -1)]);
};

const average: Lowering<MergeSettings> = (context) =>
  scaled(context, addAll(context, allBroadcasted(context)), 1 / context.inputs.length);

const concatenate: Lowering<ConcatenateSettings> = (context, { axis }) => {
  if (context.inputs.length === 1) return context.inputs[0] as number;
  const shape = context.outputShapes[0] ?? [];
  const at = resolveAxis(axis, shape.length);
  const outer = shape.slice(1, at).reduce((product, extent) => product * extent, 1);
  return context.add({ op: 'concat', inputs: context.inputs, outer }, featuresOf(shape));
};

export const mergeLowerings = {
  Add: add,
  Subtract: subtract,
  Average: average,
  Multiply: combine('product'),
  Maximum: combine('maximum'),
  Minimum: combine('minimum'),
  Concatenate: concatenate,
};
