/** TimeDistributed: it calls other kinds, so it stands above their list. */
import { wrong } from '../untrusted.js';
import { single } from '../shapes.js';
import type { Value } from '../tensors.js';
import type { Arr, LayerKind, WeightSpec, Weights } from './kind.js';
import { STEP_KINDS, type StepKind, type StepSettings } from './list.js';

/** A kind that stands inside, with its settings. */
type Inside<K extends StepKind> = {
  readonly [P in K]: { readonly inner: P; readonly settings: StepSettings[P] };
}[K];

/** A layer applied to each step of [batch, time, ...], with the same weights. Its weights' names are the inner's. */
export type TimeDistributedSettings = Inside<StepKind>;

/** The value of one step: the batch and time as one axis. */
export function stepValue({ shape, dtype }: Value): Value {
  return { shape: [null, ...shape.slice(2)], dtype };
}

function timeDistributedInput(inputs: readonly Value[]): Value {
  const input = single(inputs, 2);
  if (input.shape.length < 3) throw wrong('input', 'rank 3 or more (batch, time, ...)', input.shape);
  return input;
}

// One type parameter for kind and settings: so the compiler knows that they belong together.
const weightsInside = <K extends StepKind>(
  { inner, settings }: Inside<K>,
  inputs: readonly Value[],
): WeightSpec[] => STEP_KINDS[inner].weights?.(settings, inputs) ?? [];

const outputsInside = <K extends StepKind>(
  { inner, settings }: Inside<K>,
  inputs: readonly Value[],
): Value[] => STEP_KINDS[inner].outputs(settings, inputs);

const runInside = <K extends StepKind>(
  { inner, settings }: Inside<K>,
  weights: Weights,
  inputs: readonly Arr[],
): Arr[] => STEP_KINDS[inner].run(settings, weights, inputs);

export const timeDistributed: LayerKind<TimeDistributedSettings> = {
  weights: (settings, inputs) => weightsInside(settings, [stepValue(timeDistributedInput(inputs))]),
  outputs: (settings, inputs) => {
    const { shape } = timeDistributedInput(inputs);
    return outputsInside(settings, [stepValue(timeDistributedInput(inputs))]).map((value) => ({
      ...value,
      shape: [shape[0] ?? null, shape[1] ?? null, ...value.shape.slice(1)],
    }));
  },
  run: (settings, weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const [batch, time] = shape as [number, number];
    const steps = { shape: [batch * time, ...shape.slice(2)], data };
    return runInside(settings, weights, [steps]).map((y) => ({
      shape: [batch, time, ...y.shape.slice(1)],
      data: y.data,
    }));
  },
};
