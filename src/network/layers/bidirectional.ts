/** Bidirectional: two recurrent layers over one sequence, one of them from its end. */
import { float32, type Arr, type LayerKind, type WeightSpec, type Weights } from './kind.js';
import type { RecurrentSettings } from './recurrent.js';
import {
  recurrentInputs,
  recurrentOutputs,
  recurrentWeights,
  runRecurrent,
  stateCount,
} from './recurrent.js';
import { known } from '../shapes.js';

export interface BidirectionalSettings {
  readonly forward: RecurrentSettings;
  /** goBackwards is true in it; its sequence is turned round again before merging. */
  readonly backward: RecurrentSettings;
  readonly mergeMode: 'concat' | 'sum' | 'mul' | 'ave' | null;
  /** Whether the last input is a mask. */
  readonly masked: boolean;
}

const prefixed = (prefix: string, specs: readonly WeightSpec[]): WeightSpec[] =>
  specs.map((spec) => ({ ...spec, name: `${prefix}/${spec.name}`, holder: `${prefix}_layer/cell` }));

/** The weights under a prefix: "forward/kernel" as "kernel". */
function weightsUnder(weights: Weights, prefix: string): Weights {
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
const bidirectional: LayerKind<BidirectionalSettings> = {
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

export const bidirectionalKinds = { Bidirectional: bidirectional };
