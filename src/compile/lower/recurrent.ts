/**
 * SimpleRNN, LSTM, GRU and Bidirectional: the input kernel is one linear operation over all steps, the recurrent kernel
 * a sparse product in each step of the operation after it.
 */
import { recurrentInputs, stateCount, type RecurrentSettings } from '../../network/layers/recurrent.js';
import type { BidirectionalSettings } from '../../network/layers/wrappers.js';
import type { Activation as NetworkActivation } from '../../network/activations.js';
import type { Activation } from '../../program/program.js';
import { RECURRENT_GATES } from '../../program/operations/sequences.js';
import { toEngine } from './activation.js';
import { slice } from './arrange.js';
import { transpose } from './dense.js';
import { LINEAR, unsupported, type Lowering, type LoweringContext } from './lowering.js';

interface Input {
  readonly shape: readonly number[];
  readonly value: number;
}

const inputsOf = (context: LoweringContext): Input[] =>
  context.inputs.map((value, i) => ({ value, shape: context.inputShapes[i] ?? [] }));

function cellActivation(context: LoweringContext, activation: NetworkActivation): Activation {
  const chain = toEngine(activation);
  if (chain === null || chain.length > 1) {
    throw unsupported(
      context.layer,
      `the activation ${activation.kind} inside of a cell`,
      'use tanh or relu',
    );
  }
  return chain[0] ?? LINEAR;
}

interface Computed {
  readonly y: number;
  /** Where `returnState`, the last states. */
  readonly states: readonly number[];
}

/** One direction; its weights' names start with `prefix`. */
function lowerCell(
  context: LoweringContext,
  settings: RecurrentSettings,
  prefix: string,
  given: { readonly x: Input; readonly states: readonly Input[]; readonly mask: Input | undefined },
  inPlace: boolean,
): Computed {
  const { units, resetAfter } = settings;
  const gru = resetAfter ? 'gru_reset_after' : 'gru_reset_before';
  const cell = settings.cell === 'SimpleRNN' ? 'simple' : settings.cell === 'LSTM' ? 'lstm' : gru;
  const [, steps, depth] = given.x.shape as [number, number, number];
  const rows = RECURRENT_GATES[cell] * units;
  const bias = settings.useBias ? context.weight(`${prefix}bias`) : null;
  const matrix = (name: string, cols: number) =>
    context.once(`${prefix}${name}`, () => ({
      ...{ format: 'dense', rows, cols },
      values: transpose(context.weight(`${prefix}${name}`), cols, rows),
    }));
  const projected = context.add(
    {
      ...{ op: 'linear', input: given.x.value, positions: steps, weight: matrix('kernel', depth) },
      bias: bias?.subarray(0, rows) ?? null,
      activation: LINEAR,
    },
    steps * rows,
  );
  const count = stateCount(settings);
  const outputs = (settings.returnSequences ? steps : 1) * units;
  const all = outputs + (settings.returnState ? count * units : 0);
  const inputs = [projected, ...given.states.map(({ value }) => value)];
  if (given.mask !== undefined) inputs.push(given.mask.value);
  const value = context.add(
    {
      ...{ op: 'recurrent', inputs, cell, units, steps },
      ...{ backwards: settings.goBackwards, inPlace },
      ...{ sequences: settings.returnSequences, states: settings.returnState },
      ...{ initial: given.states.length > 0, masked: given.mask !== undefined },
      zeroOutput: settings.zeroOutputForMask,
      weight: matrix('recurrent_kernel', units),
      bias: cell === 'gru_reset_after' && bias !== null ? bias.subarray(rows) : null,
      cellActivation: cellActivation(context, settings.activation),
      recurrentActivation: cellActivation(context, settings.recurrentActivation),
    },
    all,
  );
  if (!settings.returnState) return { y: value, states: [] };
  const states = Array.from({ length: count }, (_, s) =>
    slice(context, value, outputs + s * units, units, all),
  );
  return { y: slice(context, value, 0, outputs, all), states };
}

export const recurrent: Lowering = (context) => {
  const settings = context.layer.settings as RecurrentSettings;
  const given = recurrentInputs(settings, inputsOf(context));
  const { y, states } = lowerCell(context, settings, '', given, false);
  return [y, ...states];
};

export const bidirectional: Lowering = (context) => {
  const { forward, backward, mergeMode } = context.layer.settings as BidirectionalSettings;
  const { x, states, mask } = recurrentInputs(forward, inputsOf(context), 2);
  const count = stateCount(forward);
  const own = states.slice(0, count);
  const other = states.slice(count);
  const there = lowerCell(context, forward, 'forward/', { x, states: own, mask }, false);
  // Its sequence is turned round again: step t of both is about step t of the input.
  const back = lowerCell(context, backward, 'backward/', { x, states: other, mask }, true);
  const more = [...there.states, ...back.states];
  if (mergeMode === null) return [there.y, back.y, ...more];
  const inputs = [there.y, back.y];
  const steps = forward.returnSequences ? (x.shape[1] as number) : 1;
  const features = steps * forward.units;
  switch (mergeMode) {
    case 'concat':
      return [
        context.add({ op: 'concat', inputs, outer: steps }, features + steps * backward.units),
        ...more,
      ];
    case 'mul':
      return [context.add({ op: 'combine', inputs, kind: 'product' }, features), ...more];
    case 'sum':
      return [context.add({ op: 'add', inputs, activation: LINEAR }, features), ...more];
    case 'ave': {
      const input = context.add({ op: 'add', inputs, activation: LINEAR }, features);
      const [scale, offset] = [Float32Array.of(0.5), Float32Array.of(0)];
      return [context.add({ op: 'affine', input, scale, offset, activation: LINEAR }, features), ...more];
    }
  }
};
