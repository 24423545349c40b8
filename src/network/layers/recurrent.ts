/** SimpleRNN, LSTM and GRU over [batch, time, features]. */
import type { Activation } from '../activations.js';
import { scalarFunction } from '../activations.js';
import { wrong } from '../untrusted.js';
import { known, showShape } from '../shapes.js';
import type { Value } from '../tensors.js';
import type { Arr, LayerKind, WeightSpec, Weights } from './kind.js';
import { float32 } from './kind.js';

export type RecurrentName = 'SimpleRNN' | 'LSTM' | 'GRU';

/**
 * Inputs of a node: x, then the initial states if given (h; LSTM h and c), then the mask if there is one.
 * Outputs: y [batch, units], or [batch, time, units] with returnSequences; then the last states with returnState.
 */
export interface RecurrentSettings {
  readonly cell: RecurrentName;
  readonly units: number;
  readonly activation: Activation;
  /** Not used by SimpleRNN. */
  readonly recurrentActivation: Activation;
  readonly useBias: boolean;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly goBackwards: boolean;
  /** The output at a masked step: 0, or (false) the output before. */
  readonly zeroOutputForMask: boolean;
  /** GRU: the reset gate after the recurrent product (bias [2, 3 * units]) or before (bias [3 * units]). */
  readonly resetAfter: boolean;
  /** Whether the last input is a mask. */
  readonly masked: boolean;
}

/** Gates, in the order of the columns: LSTM i, f, c, o; GRU z, r, h. */
const GATES: Readonly<Record<RecurrentName, number>> = { SimpleRNN: 1, LSTM: 4, GRU: 3 };

/** kernel [in, g * units], recurrent_kernel [units, g * units], bias [g * units] ([2, g * units]: GRU with resetAfter). */
export function recurrentWeights(settings: RecurrentSettings, features: number): WeightSpec[] {
  const columns = GATES[settings.cell] * settings.units;
  const spec = (name: string, shape: number[]): WeightSpec => ({
    name,
    shape,
    trainable: true,
    holder: 'cell',
  });
  return [
    spec('kernel', [features, columns]),
    spec('recurrent_kernel', [settings.units, columns]),
    ...(settings.useBias ? [spec('bias', settings.resetAfter ? [2, columns] : [columns])] : []),
  ];
}

export const stateCount = ({ cell }: RecurrentSettings): number => (cell === 'LSTM' ? 2 : 1);

/** Splits the inputs of a node; checks their number, ranks and shapes. */
export function recurrentInputs<T extends { readonly shape: readonly (number | null)[] }>(
  settings: RecurrentSettings,
  inputs: readonly T[],
  copies = 1,
): { x: T; states: T[]; mask: T | undefined } {
  const rest = settings.masked ? inputs.slice(0, -1) : inputs;
  const states = rest.slice(1);
  const count = stateCount(settings) * copies;
  const x = rest[0];
  if (x === undefined || (states.length !== 0 && states.length !== count)) {
    throw wrong('inputs', `one input, and ${count} initial states or none`, `${inputs.length} inputs`);
  }
  if (x.shape.length !== 3) throw wrong('input', 'rank 3 (batch, time, features)', showShape(x.shape));
  for (const state of states) {
    if (state.shape.length !== 2 || state.shape[1] !== settings.units) {
      throw wrong('initial_state', `shape [null, ${settings.units}]`, showShape(state.shape));
    }
  }
  return { x, states, mask: settings.masked ? inputs[inputs.length - 1] : undefined };
}

export function recurrentOutputs(settings: RecurrentSettings, inputs: readonly Value[], copies = 1): Value[] {
  const { x } = recurrentInputs(settings, inputs, copies);
  known(x.shape[2], 'the features of the input');
  const { units } = settings;
  const batch = x.shape[0] ?? null;
  const y = float32(settings.returnSequences ? [batch, x.shape[1] ?? null, units] : [batch, units]);
  const states = settings.returnState ? stateCount(settings) : 0;
  return [y, ...Array.from({ length: states }, () => float32([batch, units]))];
}

/** out[j] += sum over k of x[k] * w[k, j]. */
function accumulate(
  out: Float64Array,
  x: ArrayLike<number>,
  from: number,
  rows: number,
  w: Float32Array,
): void {
  const columns = out.length;
  for (let k = 0; k < rows; k++) {
    const value = x[from + k]!;
    for (let j = 0; j < columns; j++) out[j]! += value * w[k * columns + j]!;
  }
}

/** One sample and step: the new states from the old ones (h first). */
function step(
  settings: RecurrentSettings,
  weights: Weights,
  x: Float32Array,
  from: number,
  old: readonly Float64Array[],
): Float64Array[] {
  const { cell, units, resetAfter } = settings;
  const [kernel, recurrent] = [weights.kernel!, weights.recurrent_kernel!];
  const columns = GATES[cell] * units;
  const bias = weights.bias?.data;
  const act = scalarFunction(settings.activation);
  const gate = scalarFunction(settings.recurrentActivation);
  const h = old[0]!;
  const input = new Float64Array(columns);
  if (bias !== undefined) input.set(bias.subarray(0, columns));
  accumulate(input, x, from, kernel.shape[0]!, kernel.data);
  if (cell === 'SimpleRNN') {
    accumulate(input, h, 0, units, recurrent.data);
    return [input.map(act)];
  }
  if (cell === 'LSTM') {
    accumulate(input, h, 0, units, recurrent.data);
    const c = old[1]!.map((previous, j) => {
      return gate(input[units + j]!) * previous + gate(input[j]!) * act(input[2 * units + j]!);
    });
    return [c.map((value, j) => gate(input[3 * units + j]!) * act(value)), c];
  }
  const inner = new Float64Array(columns);
  if (resetAfter && bias !== undefined) inner.set(bias.subarray(columns));
  accumulate(inner, h, 0, units, recurrent.data);
  const z = h.map((_, j) => gate(input[j]! + inner[j]!));
  const r = h.map((_, j) => gate(input[units + j]! + inner[units + j]!));
  if (!resetAfter) {
    inner.fill(0);
    accumulate(
      inner,
      h.map((value, j) => r[j]! * value),
      0,
      units,
      recurrent.data,
    );
    r.fill(1);
  }
  return [
    h.map(
      (previous, j) =>
        z[j]! * previous + (1 - z[j]!) * act(input[2 * units + j]! + r[j]! * inner[2 * units + j]!),
    ),
  ];
}

/** y (in the order of computing: backwards if goBackwards), then the last states. */
export function runRecurrent(
  settings: RecurrentSettings,
  weights: Weights,
  x: Arr,
  initial: readonly Arr[],
  mask: Arr | undefined,
): Arr[] {
  const { units, returnSequences, goBackwards, zeroOutputForMask } = settings;
  const [batch, time, features] = x.shape as [number, number, number];
  const y = new Float32Array(batch * (returnSequences ? time : 1) * units);
  const lasts = Array.from({ length: stateCount(settings) }, () => new Float32Array(batch * units));
  for (let b = 0; b < batch; b++) {
    let states: Float64Array[] = lasts.map((_, s) =>
      Float64Array.from({ length: units }, (_unit, j) => initial[s]?.data[b * units + j] ?? 0),
    );
    let output: Float64Array = new Float64Array(units);
    for (let i = 0; i < time; i++) {
      const t = goBackwards ? time - 1 - i : i;
      if (mask === undefined || mask.data[b * time + t] !== 0) {
        states = step(settings, weights, x.data, (b * time + t) * features, states);
        output = Float64Array.from(states[0]!);
      } else if (zeroOutputForMask && returnSequences) {
        y.fill(0, (b * time + i) * units, (b * time + i + 1) * units);
        continue;
      }
      if (returnSequences) y.set(output, (b * time + i) * units);
    }
    if (!returnSequences) y.set(output, b * units);
    lasts.forEach((last, s) => last.set(states[s]!, b * units));
  }
  const out = { shape: returnSequences ? [batch, time, units] : [batch, units], data: y };
  return settings.returnState ? [out, ...lasts.map((data) => ({ shape: [batch, units], data }))] : [out];
}

const recurrent: LayerKind<RecurrentSettings> = {
  weights: (settings, inputs) => {
    const { x } = recurrentInputs(settings, inputs);
    return recurrentWeights(settings, known(x.shape[2], 'the features of the input'));
  },
  outputs: (settings, inputs) => recurrentOutputs(settings, inputs),
  run: (settings, weights, inputs) => {
    const { x, states, mask } = recurrentInputs(settings, inputs);
    return runRecurrent(settings, weights, x, states, mask);
  },
};

/** Told apart by `settings.cell`, too. */
export const recurrentKinds = { SimpleRNN: recurrent, LSTM: recurrent, GRU: recurrent };
