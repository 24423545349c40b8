/** The rules of operations on sequences (sequence-operations.ts): every extent, length and number of features. */
import type { OperationRule } from '../check.js';
import { features, flag, inputOf, oneOf } from './check-images.js';
import { bad, count, limited, vector } from '../expect.js';
import { CELLS, RECURRENT_GATES, STATISTICS, type Matmul, type SequenceOperation } from './sequences.js';

type Of<K extends SequenceOperation['op']> = Extract<SequenceOperation, { op: K }>;

function number(value: number, what: string): void {
  if (!Number.isFinite(value) || Math.fround(value) !== value) throw bad(what, 'a float32 number', value);
}

function flags<K extends string>(o: { name: string } & Record<K, boolean>, keys: readonly K[]): void {
  for (const key of keys) flag(o[key], `${o.name}.${key}`);
}

function inputCount(o: { name: string; inputs: readonly number[] }, expected: number): void {
  if (o.inputs.length !== expected) throw bad(`${o.name}.inputs`, `${expected}`, o.inputs.length);
}

/** Checks that steps stay inside of an input whose every number is used once; extents are known to be positive. */
function inside(
  what: string,
  received: number | undefined,
  extents: readonly number[],
  steps: readonly number[],
): void {
  let [size, last] = [1, 0];
  extents.forEach((extent, i) => {
    const step = steps[i] as number;
    if (step !== 0) count(step, `${what}: step`);
    size = limited(size * extent, what);
    last += (extent - 1) * step;
  });
  features(received, size, what);
  if (last >= size) throw bad(`${what}: steps`, `inside of ${size} features`, steps);
}

function matmulOutput(o: Matmul): number {
  const size = limited(limited(o.heads * o.rows, o.name) * o.columns, o.name);
  const lies = (extent: number, step: number, wanted: number): boolean => extent === 1 || step === wanted;
  const byHeads = lies(o.rows, o.yRow, o.columns) && lies(o.heads, o.yHead, o.rows * o.columns);
  const byRows = lies(o.heads, o.yHead, o.columns) && lies(o.rows, o.yRow, o.heads * o.columns);
  if (!byHeads && !byRows) throw bad(`${o.name}.yHead and yRow`, 'rows side by side', [o.yHead, o.yRow]);
  return size;
}

const groups = {
  inputs: inputOf,
  features: (o: Of<'log_softmax'>, [input = 0]: readonly number[]): number => {
    count(o.group, `${o.name}.group`);
    if (input % o.group !== 0) throw bad(`${o.name}.group`, `a divisor of ${input}`, o.group);
    return input;
  },
};

export const SEQUENCE_RULES: { [K in SequenceOperation['op']]: OperationRule<Of<K>> } = {
  log_softmax: groups,
  normalize: {
    inputs: inputOf,
    features: (o, [input = 0]) => {
      for (const key of ['rows', 'valid', 'stride'] as const) count(o[key], `${o.name}.${key}`);
      oneOf(o.statistic, STATISTICS, `${o.name}.statistic`);
      number(o.epsilon, `${o.name}.epsilon`);
      if (o.epsilon < 0) throw bad(`${o.name}.epsilon`, '0 or more', o.epsilon);
      if (o.stride < o.valid) throw bad(`${o.name}.stride`, `${o.valid} or more`, o.stride);
      const group = limited(o.rows * o.stride, o.name);
      if (input % group !== 0) throw bad(`${o.name}: a group`, `a divisor of ${input}`, group);
      for (const key of ['scale', 'offset'] as const) {
        const values = o[key];
        if (values === null) continue;
        if (o.rows !== 1 || o.stride !== o.valid) throw bad(`${o.name}.rows`, `1 with a ${key}`, o.rows);
        vector(values, o.valid, `${o.name}.${key}`);
      }
      return input;
    },
  },
  embedding: {
    inputs: inputOf,
    features: (o, [input]) => {
      features(input, count(o.positions, `${o.name}.positions`), o.name);
      return limited(o.positions * o.weight.cols, o.name);
    },
  },
  recurrent: {
    inputs: (o) => o.inputs,
    features: (o, inputs) => {
      oneOf(o.cell, CELLS, `${o.name}.cell`);
      count(o.units, `${o.name}.units`);
      count(o.steps, `${o.name}.steps`);
      flags(o, ['backwards', 'inPlace', 'sequences', 'states', 'initial', 'masked', 'zeroOutput']);
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
      features(inputs[0], limited(o.steps * rows, o.name), o.name);
      for (const input of inputs.slice(1, 1 + initial)) features(input, o.units, o.name);
      if (o.masked) features(inputs[inputs.length - 1], o.steps, o.name);
      const outputs = (o.sequences ? o.steps : 1) + (o.states ? states : 0);
      return limited(outputs * o.units, o.name);
    },
  },
  matmul: {
    inputs: (o) => o.inputs,
    features: (o, inputs) => {
      for (const key of ['heads', 'rows', 'columns', 'depth'] as const) count(o[key], `${o.name}.${key}`);
      for (const key of ['yHead', 'yRow'] as const) if (o[key] !== 0) count(o[key], `${o.name}.${key}`);
      inputCount(o, 2);
      inside(`${o.name}: input a`, inputs[0], [o.heads, o.rows, o.depth], [o.aHead, o.aRow, o.aCol]);
      inside(`${o.name}: input b`, inputs[1], [o.heads, o.columns, o.depth], [o.bHead, o.bRow, o.bCol]);
      return matmulOutput(o);
    },
  },
  step_mask: {
    inputs: inputOf,
    features: (o, [input = 0]) => {
      count(o.group, `${o.name}.group`);
      flags(o, ['whole']);
      number(o.value, `${o.name}.value`);
      if (input % o.group !== 0) throw bad(`${o.name}.group`, `a divisor of ${input}`, o.group);
      return input / o.group;
    },
  },
  mask_scores: {
    inputs: (o) => o.inputs,
    features: (o, inputs) => {
      for (const key of ['heads', 'targets', 'sources'] as const) count(o[key], `${o.name}.${key}`);
      flags(o, ['causal', 'queryMask', 'valueMask']);
      inputCount(o, 1 + (o.queryMask ? 1 : 0) + (o.valueMask ? 1 : 0));
      const size = limited(limited(o.heads * o.targets, o.name) * o.sources, o.name);
      features(inputs[0], size, o.name);
      if (o.queryMask) features(inputs[1], o.targets, o.name);
      if (o.valueMask) features(inputs[inputs.length - 1], o.sources, o.name);
      return size;
    },
  },
};
