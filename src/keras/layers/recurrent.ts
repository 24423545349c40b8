/** SimpleRNN, LSTM, GRU and Bidirectional in Keras's files. */
import { scalarFunction, type Activation } from '../../network/activations.js';
import type { BidirectionalSettings } from '../../network/layers/bidirectional.js';
import type { RecurrentName, RecurrentSettings } from '../../network/layers/recurrent.js';
import { unsupported, wrong } from '../../network/untrusted.js';
import { readActivation, writtenName } from '../activations.js';
import type { KerasCodec, WrittenConfig } from '../codec.js';
import { wrappedLayer, type Config } from '../config.js';
import type { Dialect } from '../dialect.js';
import { activationLayer } from './activation.js';

function readRecurrent(config: Config, cell: RecurrentName): RecurrentSettings {
  for (const key of ['stateful', 'time_major']) {
    if (config.has(key) && config.bool(key)) {
      throw unsupported(key, 'true', `save the model with ${key}=False`);
    }
  }
  const { keras, tfjs } = config.origin;
  const activation = (key: string, fallback: string): Activation => {
    const read = readActivation(config, key, fallback, activationLayer);
    scalarFunction(read);
    return read;
  };
  return {
    cell,
    units: config.int('units'),
    activation: activation('activation', 'tanh'),
    recurrentActivation: activation('recurrent_activation', tfjs ? 'hard_sigmoid' : 'sigmoid'),
    useBias: config.bool('use_bias', true),
    returnSequences: config.bool('return_sequences', false),
    returnState: config.bool('return_state', false),
    goBackwards: config.bool('go_backwards', false),
    zeroOutputForMask: config.bool('zero_output_for_mask', false),
    // Files of Keras before 2.1 and of tfjs say nothing: there is no other way in them.
    resetAfter: cell === 'GRU' && config.bool('reset_after', keras === 3),
    masked: false,
  };
}

function writeRecurrent(settings: RecurrentSettings, dialect: Dialect): WrittenConfig {
  return {
    units: settings.units,
    activation: writtenName(settings.activation, dialect, true),
    ...(settings.cell === 'SimpleRNN'
      ? {}
      : { recurrent_activation: writtenName(settings.recurrentActivation, dialect, true) }),
    use_bias: settings.useBias,
    return_sequences: settings.returnSequences,
    return_state: settings.returnState,
    go_backwards: settings.goBackwards,
    ...(settings.cell === 'GRU' ? { reset_after: settings.resetAfter } : {}),
    ...(settings.zeroOutputForMask ? { zero_output_for_mask: true } : {}),
    stateful: false,
    unroll: false,
  };
}

function recurrent(cell: RecurrentName): KerasCodec<RecurrentSettings> {
  return {
    supports: `return_sequences, return_state, initial_state, go_backwards, masks${
      cell === 'GRU' ? ', reset_after both ways' : ''
    }; not stateful`,
    tfjs: true,
    read: (config) => readRecurrent(config, cell),
    write: (settings, { dialect }) => writeRecurrent(settings, dialect),
    masking: ({ returnSequences }) => (returnSequences ? 'take-and-pass' : 'take'),
    withMasks: (settings, [masked]) => ({ ...settings, masked: masked === true }),
    tensorArguments: ['initial_state'],
  };
}

const CELLS = {
  SimpleRNN: recurrent('SimpleRNN'),
  LSTM: recurrent('LSTM'),
  GRU: recurrent('GRU'),
} satisfies Record<RecurrentName, KerasCodec<RecurrentSettings>>;

const isCell = (name: string): name is RecurrentName => Object.hasOwn(CELLS, name);

function readDirection(config: Config, key: string): RecurrentSettings {
  const inner = wrappedLayer(config, key);
  if (!isCell(inner.className)) {
    throw unsupported(key, `a ${inner.className.slice(0, 60)} inside`, 'wrap SimpleRNN, LSTM or GRU');
  }
  return CELLS[inner.className].read(inner.config);
}

function writeDirection(settings: RecurrentSettings, dialect: Dialect, name: string): WrittenConfig {
  const config = writeRecurrent(settings, dialect);
  return { class_name: settings.cell, config: { name, trainable: true, dtype: 'float32', ...config } };
}

/** Whether the backward layer is the forward one turned round, as Keras makes it where none is given. */
export function mirrored({ forward, backward }: BidirectionalSettings): boolean {
  return JSON.stringify({ ...forward, goBackwards: true }) === JSON.stringify(backward);
}

const bidirectional: KerasCodec<BidirectionalSettings> = {
  supports: 'SimpleRNN, LSTM, GRU; every merge_mode; masks; a backward_layer of its own',
  tfjs: true,
  untrained: true,
  read: (config) => {
    const forward = readDirection(config, 'layer');
    const given = config.has('backward_layer') ? readDirection(config, 'backward_layer') : forward;
    const backward = { ...given, goBackwards: true };
    if (forward.goBackwards)
      throw unsupported('layer', 'a forward layer that goes backwards', 'turn go_backwards off');
    for (const key of ['returnSequences', 'returnState', 'cell'] as const) {
      if (forward[key] !== backward[key])
        throw wrong('backward_layer', `the same ${key} as layer`, backward[key]);
    }
    const raw = config.raw('merge_mode');
    // Keras writes null where both outputs are wanted; absent means concat.
    const none = raw === undefined && config.isNull('merge_mode');
    const mergeMode = none ? null : config.oneOf('merge_mode', ['concat', 'sum', 'mul', 'ave'], 'concat');
    if (mergeMode !== null && mergeMode !== 'concat' && forward.units !== backward.units) {
      throw wrong('backward_layer', `${forward.units} units`, backward.units);
    }
    return { forward, backward, mergeMode, masked: false };
  },
  write: (settings, { dialect, name }) => {
    const { forward, backward, mergeMode } = settings;
    const inner = forward.cell.toLowerCase();
    return {
      layer: writeDirection(forward, dialect, inner),
      ...(mirrored(settings)
        ? {}
        : { backward_layer: writeDirection(backward, dialect, `${name}_backward_${inner}`) }),
      merge_mode: mergeMode,
    };
  },
  masking: ({ forward }) => (forward.returnSequences ? 'take-and-pass' : 'take'),
  withMasks: (settings, [masked]) => ({
    ...settings,
    masked: masked === true,
    forward: { ...settings.forward, masked: masked === true },
    backward: { ...settings.backward, masked: masked === true },
  }),
  tensorArguments: ['initial_state'],
};

export const recurrentCodecs = { ...CELLS, Bidirectional: bidirectional };
