/** Bidirectional and TimeDistributed. They look other kinds up by name, so the registry hands itself in. */
import type { Config } from '../config.js';
import { isRecord, own, unsupported, wrong } from '../config.js';
import { float32, type Arr, type LayerKind, type WeightSpec, type Weights } from './kind.js';
import type { RecurrentSettings } from './recurrent.js';
import {
  recurrentInputs,
  recurrentKinds,
  recurrentOutputs,
  recurrentWeights,
  runRecurrent,
  stateCount,
} from './recurrent.js';
import { known, single } from '../shapes.js';
import type { Value } from '../types.js';

export interface BidirectionalSettings {
  readonly forward: RecurrentSettings;
  /** goBackwards is true in it; its sequence is turned round again before merging. */
  readonly backward: RecurrentSettings;
  readonly mergeMode: 'concat' | 'sum' | 'mul' | 'ave' | null;
  /** Whether the last input is a mask. */
  readonly masked: boolean;
}

/** The config of a wrapped layer: its class name and its own config. */
export function wrappedLayer(config: Config, key: string): { className: string; config: Config } {
  const value = config.raw(key);
  const className = isRecord(value) ? own(value, 'class_name') : undefined;
  if (typeof className !== 'string') throw wrong(key, 'a serialised layer', value);
  return { className, config: config.child(key).child('config') };
}

function parseDirection(config: Config, key: string): RecurrentSettings {
  const inner = wrappedLayer(config, key);
  const kind = recurrentKinds.find(({ names }) => names[0] === inner.className);
  if (kind === undefined) {
    throw unsupported(key, `a ${inner.className.slice(0, 60)} inside`, 'wrap SimpleRNN, LSTM or GRU');
  }
  return kind.parse(inner.config);
}

const prefixed = (prefix: string, specs: readonly WeightSpec[]): WeightSpec[] =>
  specs.map((spec) => ({ ...spec, name: `${prefix}/${spec.name}`, holder: `${prefix}_layer/cell` }));

/** The weights under a prefix: "forward/kernel" as "kernel". */
export function weightsUnder(weights: Weights, prefix: string): Weights {
  return Object.fromEntries(
    Object.entries(weights)
      .filter(([name]) => name.startsWith(`${prefix}/`))
      .map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]),
  );
}

/** The sequence [batch, time, units] with time turned round. */
function reverseTime({ shape, data }: Arr): Arr {
  const [batch, time, units] = shape as [number, number, number];
  const out = new Float32Array(data.length);
  for (let row = 0; row < batch * time; row++) {
    const from = (Math.floor(row / time) * time + (time - 1 - (row % time))) * units;
    out.set(data.subarray(from, from + units), row * units);
  }
  return { shape, data: out };
}

function merge(mode: Exclude<BidirectionalSettings['mergeMode'], null>, a: Arr, b: Arr): Arr {
  if (mode !== 'concat') {
    const combine = (x: number, y: number): number =>
      mode === 'mul' ? x * y : mode === 'sum' ? x + y : (x + y) / 2;
    return { shape: a.shape, data: a.data.map((x, i) => combine(x, b.data[i]!)) };
  }
  const [m, n] = [a.shape[a.shape.length - 1]!, b.shape[b.shape.length - 1]!];
  const rows = a.data.length / m;
  const data = new Float32Array(rows * (m + n));
  for (let row = 0; row < rows; row++) {
    data.set(a.data.subarray(row * m, (row + 1) * m), row * (m + n));
    data.set(b.data.subarray(row * n, (row + 1) * n), row * (m + n) + m);
  }
  return { shape: [...a.shape.slice(0, -1), m + n], data };
}

/**
 * Inputs: x, then the initial states of both directions if given, then the mask. Outputs: y (two with mergeMode null),
 * then the last states, forward first. Weights: those of the two layers under "forward/" and "backward/".
 */
export const bidirectional: LayerKind<BidirectionalSettings> = {
  names: ['Bidirectional'],
  supports: 'SimpleRNN, LSTM, GRU; every merge_mode; masks; a backward_layer of its own',
  parse: (config) => {
    const forward = parseDirection(config, 'layer');
    const given = config.has('backward_layer') ? parseDirection(config, 'backward_layer') : forward;
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
  masking: ({ forward }) => (forward.returnSequences ? 'take-and-pass' : 'take'),
  withMasks: (settings, [masked]) => ({
    ...settings,
    masked: masked === true,
    forward: { ...settings.forward, masked: masked === true },
    backward: { ...settings.backward, masked: masked === true },
  }),
  tensorArguments: ['initial_state'],
  weights: ({ forward, backward }, inputs) => {
    const features = known(recurrentInputs(forward, inputs, 2).x.shape[2], 'the features of the input');
    return [
      ...prefixed('forward', recurrentWeights(forward, features)),
      ...prefixed('backward', recurrentWeights(backward, features)),
    ];
  },
  outputs: ({ forward, backward, mergeMode }, inputs) => {
    const [y, ...states] = recurrentOutputs(forward, inputs, 2);
    const [z, ...more] = recurrentOutputs(backward, inputs, 2);
    const merged =
      mergeMode === 'concat' ? [...y!.shape.slice(0, -1), forward.units + backward.units] : y!.shape;
    return [...(mergeMode === null ? [y!, z!] : [float32(merged)]), ...states, ...more];
  },
  run: ({ forward, backward, mergeMode }, weights, inputs) => {
    const { x, states, mask } = recurrentInputs(forward, inputs, 2);
    const count = stateCount(forward);
    const own = states.slice(0, count);
    const [y, ...lasts] = runRecurrent(forward, weightsUnder(weights, 'forward'), x, own, mask);
    const other = states.slice(count);
    const [z, ...more] = runRecurrent(backward, weightsUnder(weights, 'backward'), x, other, mask);
    const turned = backward.returnSequences ? reverseTime(z!) : z!;
    return [...(mergeMode === null ? [y!, turned] : [merge(mergeMode, y!, turned)]), ...lasts, ...more];
  },
};

/** A layer applied to each step of [batch, time, ...], with the same weights. Its weights' names are the inner's. */
export interface TimeDistributedSettings {
  readonly inner: LayerKind<unknown>;
  readonly settings: unknown;
}

/** The value of one step: the batch and time as one axis. */
export function stepValue({ shape, dtype }: Value): Value {
  return { shape: [null, ...shape.slice(2)], dtype };
}

function timeDistributedInput(inputs: readonly Value[]): Value {
  const input = single(inputs, 2);
  if (input.shape.length < 3) throw wrong('input', 'rank 3 or more (batch, time, ...)', input.shape);
  return input;
}

export const timeDistributed: LayerKind<TimeDistributedSettings> = {
  names: ['TimeDistributed'],
  supports: 'any supported layer or model with one input inside',
  parse: () => {
    throw wrong('class_name', 'a layer that the importer unwraps', 'TimeDistributed');
  },
  weights: ({ inner, settings }, inputs) =>
    inner.weights?.(settings, [stepValue(timeDistributedInput(inputs))]) ?? [],
  outputs: ({ inner, settings }, inputs) => {
    const { shape } = timeDistributedInput(inputs);
    return inner
      .outputs(settings, [stepValue(timeDistributedInput(inputs))])
      .map((value) => ({ ...value, shape: [shape[0] ?? null, shape[1] ?? null, ...value.shape.slice(1)] }));
  },
  run: ({ inner, settings }, weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const [batch, time] = shape as [number, number];
    return inner
      .run(settings, weights, [{ shape: [batch * time, ...shape.slice(2)], data }])
      .map((y) => ({ shape: [batch, time, ...y.shape.slice(1)], data: y.data }));
  },
};
