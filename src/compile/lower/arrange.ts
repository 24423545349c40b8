/** Other orders of a value's numbers: permuted axes, broadcasts, parts. */
import { checkedLength, featuresOf, type LoweringContext } from './lowering.js';

/** Index of each number of `shape` (batch first) in an array with these strides, the batch's not counted. */
export function strided(shape: readonly number[], strides: readonly number[]): Int32Array {
  const index = new Int32Array(featuresOf(shape));
  for (let i = 0; i < index.length; i++) {
    let [rest, at] = [i, 0];
    for (let axis = shape.length - 1; axis >= 1; axis--) {
      at += (rest % (shape[axis] as number)) * (strides[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    index[i] = at;
  }
  return index;
}

export const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));

/** y[i] = x[index[i]]; the input itself where that is the same. */
export function gather(
  context: LoweringContext,
  input: number,
  index: Int32Array,
  features = index.length,
): number {
  if (index.length === features && index.every((from, i) => from === i)) return input;
  return context.add({ op: 'gather', input, repeat: 1, index }, index.length);
}

/** The value with its axes in another order: axis i of the result is axis order[i]; order[0] is the batch, 0. */
export function permuted(
  context: LoweringContext,
  input: number,
  shape: readonly number[],
  order: readonly number[],
): number {
  const strides = stridesOf(shape);
  const out = order.map((axis) => shape[axis] as number);
  const moved = order.map((axis) => strides[axis] as number);
  return gather(context, input, strided(out, moved));
}

/** The order that undoes `order`. */
export const inverse = (order: readonly number[]): number[] => order.map((_, axis) => order.indexOf(axis));

/** The value's `length` numbers from `from` on, of `features`. */
export function slice(
  context: LoweringContext,
  input: number,
  from: number,
  length: number,
  features: number,
): number {
  return gather(
    context,
    input,
    Int32Array.from({ length }, (_, i) => from + i),
    features,
  );
}

/** Each number of a value `times` times in a row. */
export function spread(context: LoweringContext, input: number, features: number, times: number): number {
  return gather(
    context,
    input,
    Int32Array.from(
      { length: checkedLength(context.layer, 'a value spread over others', features * times) },
      (_, i) => Math.floor(i / times),
    ),
    features,
  );
}
