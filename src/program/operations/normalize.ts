import { LINEAR, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleFloats } from '../example.js';
import { bad, counts, float32, limited, oneOf, vector } from '../expect.js';
import {
  activationJson,
  activationOf,
  numbered,
  optionalVector,
  readChoice,
  readNumbers,
  readOptionalVector,
  readReal,
} from '../stored.js';

const STATISTICS = ['standard', 'root_mean_square', 'unit'] as const;
export type Statistic = (typeof STATISTICS)[number];

/**
 * Statistics over each group of `rows` rows of `valid` numbers, each row taking up `stride`:
 * standard: (x - mean) / sqrt(variance + epsilon); root_mean_square: x / sqrt(mean of x^2 + epsilon); unit: x /
 * sqrt(max(sum of x^2, epsilon)). Then y = act(that * scale[i] + offset[i]), i in the group; scale and offset of `valid`
 * numbers or null (null unless rows is 1 and stride is valid).
 */
export interface Normalize extends OneInput<'normalize'> {
  readonly rows: number;
  readonly valid: number;
  readonly stride: number;
  readonly statistic: Statistic;
  readonly epsilon: number;
  readonly scale: Float32Array | null;
  readonly offset: Float32Array | null;
  readonly activation: Activation;
}

const SIZES = ['rows', 'valid', 'stride'] as const;
const KEYS = [...SIZES, 'statistic'] as const;

export const normalize: OperationDefinition<Normalize> = {
  op: 'normalize',
  manyInputs: false,
  choices: { statistic: STATISTICS },
  computes: 'numbers by the statistics of their group',
  keys: {
    groups: `[${KEYS.join(', ')}], statistic: ${numbered(STATISTICS)}`,
    ...{ epsilon: '', scale: '', offset: '', activation: '' },
  },
  features(o, [input = 0]) {
    counts(o, SIZES);
    oneOf(o.statistic, STATISTICS, `${o.name}.statistic`);
    float32(o.epsilon, `${o.name}.epsilon`);
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
  write: (o, context) => ({
    groups: [...SIZES.map((key) => o[key]), STATISTICS.indexOf(o.statistic)],
    epsilon: o.epsilon,
    ...optionalVector('scale', o.scale, context),
    ...optionalVector('offset', o.offset, context),
    ...activationJson(o.activation),
  }),
  read(json, context) {
    const { name } = context;
    const { statistic, ...sizes } = readNumbers(json.groups, KEYS, `${name}.groups`);
    return {
      ...sizes,
      statistic: readChoice(STATISTICS, statistic, `${name}.statistic`),
      epsilon: readReal(json.epsilon, `${name}.epsilon`),
      scale: readOptionalVector(json, 'scale', sizes.valid, context),
      offset: readOptionalVector(json, 'offset', sizes.valid, context),
      activation: activationOf(json, context),
    };
  },
  reference(o, [x = []]) {
    const size = o.rows * o.stride;
    return Array.from({ length: x.length / size }, (_, g) => {
      const group = x.slice(g * size, (g + 1) * size);
      const there = group.filter((_, i) => i % o.stride < o.valid);
      const mean = o.statistic === 'standard' ? there.reduce((a, b) => a + b, 0) / there.length : 0;
      // As float32 squares: that of a large number is infinite.
      const squares = there.reduce((sum, v) => sum + Math.fround((v - mean) ** 2), 0);
      const root = Math.sqrt(
        o.statistic === 'unit' ? Math.max(squares, o.epsilon) : squares / there.length + o.epsilon,
      );
      return group.map((v, i) =>
        i % o.stride < o.valid ? ((v - mean) / root) * (o.scale?.[i] ?? 1) + (o.offset?.[i] ?? 0) : NaN,
      );
    }).flat();
  },
  cases: () =>
    STATISTICS.flatMap((statistic) => [
      {
        name: `${statistic}, of planes`,
        inputs: [128],
        settings: {
          ...{ rows: 2, valid: 18, stride: 32, statistic, epsilon: Math.fround(0.001) },
          ...{ scale: null, offset: null, activation: LINEAR },
        },
      },
      {
        name: `${statistic}, scaled`,
        inputs: [30],
        settings: {
          ...{ rows: 1, valid: 10, stride: 10, statistic, epsilon: Math.fround(0.001) },
          ...{ scale: exampleFloats(10), offset: exampleFloats(10), activation: exampleActivation('relu') },
        },
      },
    ]),
};
