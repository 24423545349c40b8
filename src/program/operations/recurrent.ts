import { exampleActivation, type Activation } from '../activation.js';
import type {
  ManyInputs,
  Numbers,
  OperationCase,
  OperationDefinition,
  ReferenceContext,
  Settings,
} from '../definition.js';
import { exampleFloats, exampleMatrix, exampleNumbers } from '../example.js';
import { bad, counts, flags, inputCount, inputFeatures, limited, oneOf, vector } from '../expect.js';
import type { Matrix } from '../matrix.js';
import {
  activationJson,
  numbered,
  optionalVector,
  readChoice,
  readFlags,
  readNumbers,
  readOptionalVector,
} from '../stored.js';
import { readActivation } from '../activation.js';

const CELLS = ['simple', 'lstm', 'gru_reset_before', 'gru_reset_after'] as const;
type Cell = (typeof CELLS)[number];

/** Rows of the recurrent matrix a unit. */
export const RECURRENT_GATES: { readonly [C in Cell]: number } = {
  simple: 1,
  lstm: 4,
  gru_reset_before: 3,
  gru_reset_after: 3,
};

const FLAGS = [
  ...(['backwards', 'inPlace', 'sequences', 'states', 'initial', 'masked', 'zeroOutput'] as const),
] as const;
const KEYS = ['cell', 'units', 'steps', ...FLAGS] as const;

/**
 * The recurrent half of a layer: of SimpleRNN, LSTM (gates i, f, c, o), GRU (z, r, h) that resets h before the product,
 * or after it. Inputs: the projections [steps, gates * units] (W x + b); the initial states if `initial`
 * (h; LSTM h and c); the mask [steps] if `masked`. weight: [gates * units, units]; bias: of the recurrent product,
 * gru_reset_after only. Output: h of each step if `sequences`, else of the last; then the last states if `states`.
 */
export interface Recurrent extends ManyInputs<'recurrent'> {
  readonly cell: Cell;
  readonly units: number;
  readonly steps: number;
  /** From the last step to the first. */
  readonly backwards: boolean;
  /** Backwards: the outputs lie at the steps of their inputs, not in the order of computing. */
  readonly inPlace: boolean;
  readonly sequences: boolean;
  readonly states: boolean;
  readonly initial: boolean;
  readonly masked: boolean;
  /** The output at a masked step is 0 instead of the one before. */
  readonly zeroOutput: boolean;
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
  /** Not named `activation`: it is inside of the cell, and nothing may be fused into it. */
  readonly cellActivation: Activation;
  readonly recurrentActivation: Activation;
}

export const recurrent: OperationDefinition<Recurrent> = {
  op: 'recurrent',
  manyInputs: true,
  choices: { cell: CELLS },
  computes: 'SimpleRNN, LSTM or GRU after their input kernel',
  keys: {
    cell: `[${KEYS.join(', ')}], cell: ${numbered(CELLS)}`,
    ...{ weight: '', bias: '', cellActivation: '', recurrentActivation: '' },
  },
  features(o, inputs) {
    oneOf(o.cell, CELLS, `${o.name}.cell`);
    counts(o, ['units', 'steps']);
    flags(o, FLAGS);
    const rows = RECURRENT_GATES[o.cell] * o.units;
    const { weight } = o;
    if (weight.rows !== rows || weight.cols !== o.units) {
      throw bad(`${o.name}.weight`, `${rows} x ${o.units}`, [weight.rows, weight.cols]);
    }
    if (o.bias !== null) {
      if (o.cell !== 'gru_reset_after') {
        throw bad(`${o.name}.bias`, 'null unless cell is gru_reset_after', o.bias);
      }
      vector(o.bias, rows, `${o.name}.bias`);
    }
    const states = o.cell === 'lstm' ? 2 : 1;
    const initial = o.initial ? states : 0;
    inputCount(o, 1 + initial + (o.masked ? 1 : 0));
    inputFeatures(inputs[0], limited(o.steps * rows, o.name), o.name);
    for (const input of inputs.slice(1, 1 + initial)) inputFeatures(input, o.units, o.name);
    if (o.masked) inputFeatures(inputs[inputs.length - 1], o.steps, o.name);
    const outputs = (o.sequences ? o.steps : 1) + (o.states ? states : 0);
    return limited(outputs * o.units, o.name);
  },
  write: (o, context) => ({
    cell: [CELLS.indexOf(o.cell), o.units, o.steps, ...FLAGS.map((key) => Number(o[key]))],
    weight: context.matrix(o.weight),
    ...optionalVector('bias', o.bias, context),
    ...activationJson(o.cellActivation, 'cellActivation'),
    ...activationJson(o.recurrentActivation, 'recurrentActivation'),
  }),
  read(json, context) {
    const { name } = context;
    const { cell: place, units, steps, ...stored } = readNumbers(json.cell, KEYS, `${name}.cell`);
    const cell = readChoice(CELLS, place, `${name}.cell`);
    return {
      ...readFlags(stored, name),
      cell,
      units,
      steps,
      weight: context.matrix(json.weight),
      bias: readOptionalVector(json, 'bias', RECURRENT_GATES[cell] * units, context),
      cellActivation: readActivation(json.cellActivation, `${name}.cellActivation`),
      recurrentActivation: readActivation(json.recurrentActivation, `${name}.recurrentActivation`),
    };
  },
  reference: run,
  cases: () =>
    CELLS.flatMap((cell) => [
      exampleCase('to the last', { cell }),
      exampleCase('sequences and states, from given ones, masked', {
        ...{ cell, sequences: true, states: true, initial: true, masked: true },
      }),
      exampleCase('backwards, zeros where masked', {
        ...{ cell, sequences: true, backwards: true, inPlace: true, masked: true, zeroOutput: true },
      }),
    ]),
};

function exampleCase(
  name: string,
  given: Partial<Settings<Recurrent>> & { cell: Cell },
): OperationCase<Recurrent> {
  const [units, steps] = [3, 4];
  const rows = RECURRENT_GATES[given.cell] * units;
  const settings = {
    ...{ units, steps, backwards: false, inPlace: false, sequences: false, states: false },
    ...{ initial: false, masked: false, zeroOutput: false, weight: exampleMatrix(rows, units) },
    bias: given.cell === 'gru_reset_after' ? exampleFloats(rows) : null,
    cellActivation: exampleActivation('tanh'),
    recurrentActivation: exampleActivation('sigmoid'),
    ...given,
  };
  const states = given.cell === 'lstm' ? [units, units] : [units];
  return {
    name: `${given.cell}, ${name}`,
    inputs: [
      ...[exampleNumbers(steps * rows), ...(settings.initial ? states : [])],
      ...(settings.masked ? [[0, 1, 0, 1]] : []),
    ],
    settings,
  };
}

function run(o: Recurrent, inputs: readonly Numbers[], { weight, apply }: ReferenceContext): number[] {
  const { units, steps } = o;
  const gates = RECURRENT_GATES[o.cell];
  const zeros = (): number[] => new Array<number>(units).fill(0);
  const states = Array.from({ length: o.cell === 'lstm' ? 2 : 1 }, (_, s) =>
    o.initial ? [...(inputs[1 + s] ?? [])] : zeros(),
  );
  const mask = o.masked ? inputs[inputs.length - 1] : undefined;
  const act = (v: number): number => apply(o.cellActivation, v);
  const gate = (v: number): number => apply(o.recurrentActivation, v);
  const product = (h: Numbers, row: number): number => {
    let sum = o.bias?.[row] ?? 0;
    h.forEach((v, j) => {
      const w = weight[row * units + j] as number;
      if (w !== 0) sum += v * w;
    });
    return Math.fround(sum);
  };
  const y: number[][] = [];
  let output = zeros();
  for (let i = 0; i < steps; i++) {
    const t = o.backwards ? steps - 1 - i : i;
    const place = !o.sequences ? 0 : o.backwards && o.inPlace ? t : i;
    if (mask?.[t] === 0) {
      y[place] = o.zeroOutput && o.sequences ? zeros() : output;
      if (o.zeroOutput && o.sequences) output = zeros();
      continue;
    }
    const x = (inputs[0] ?? []).slice(t * gates * units, (t + 1) * gates * units);
    const at = (g: number, j: number): number => x[g * units + j] as number;
    const [h, c] = states as [number[], number[]];
    const all = (of: (j: number) => number): number[] => Array.from({ length: units }, (_, j) => of(j));
    const sum = (g: number, j: number): number => at(g, j) + product(h, g * units + j);
    if (o.cell === 'simple') states[0] = all((j) => act(sum(0, j)));
    else if (o.cell === 'lstm') {
      states[1] = all((j) => gate(sum(1, j)) * (c[j] as number) + gate(sum(0, j)) * act(sum(2, j)));
      states[0] = all((j) => gate(sum(3, j)) * act(states[1]?.[j] as number));
    } else {
      const z = all((j) => gate(sum(0, j)));
      const r = all((j) => gate(sum(1, j)));
      const reset = h.map((v, j) => v * (r[j] as number));
      states[0] = all((j) => {
        const inner =
          o.cell === 'gru_reset_before'
            ? product(reset, 2 * units + j)
            : (r[j] as number) * product(h, 2 * units + j);
        const candidate = act(at(2, j) + inner);
        return (z[j] as number) * (h[j] as number) + (1 - (z[j] as number)) * candidate;
      });
    }
    output = states[0];
    y[place] = output;
  }
  return [...y.flat(), ...(o.states ? states.flat() : [])];
}
