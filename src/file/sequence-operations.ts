/** Operations on sequences as JSON (program/operations/sequences.ts tells what they are). */
import { count } from '../program/check.js';
import {
  CELLS,
  MATMUL_KEYS,
  RECURRENT_GATES,
  STATISTICS,
  type SequenceOperation,
} from '../program/operations/sequences.js';
import { invalid } from '../errors.js';
import { readActivation, writeActivation, type Json } from './activation.js';
import { choiceAt, flagsOf, numbers } from './image-operations.js';
import type { OperationCodec } from './operations.js';

type Codecs = { [K in SequenceOperation['op']]: OperationCodec<K> };

function real(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid('INVALID_MODEL', what, 'a finite number', value);
  }
  return value;
}

const NORMALIZE_KEYS = ['rows', 'valid', 'stride', 'statistic'] as const;

const RECURRENT_KEYS = [
  'cell',
  'units',
  'steps',
  'backwards',
  'inPlace',
  'sequences',
  'states',
  'initial',
  'masked',
  'zeroOutput',
] as const;

const SCORE_KEYS = ['heads', 'targets', 'sources', 'causal', 'queryMask', 'valueMask'] as const;

/** An activation under a key of its own. */
const named = (key: string, json: Json): Json =>
  json.activation === undefined ? {} : { [key]: json.activation };

export const SEQUENCE_CODECS: Codecs = {
  log_softmax: {
    keys: ['group'],
    write: ({ group }) => ({ group }),
    read: (json, { name }) => ({ group: count(json.group, `${name}.group`) }),
  },
  normalize: {
    keys: ['groups', 'epsilon', 'scale', 'offset', 'activation'],
    write: (o, { pools }) => ({
      groups: NORMALIZE_KEYS.map((key) => (key === 'statistic' ? STATISTICS.indexOf(o.statistic) : o[key])),
      epsilon: o.epsilon,
      ...(o.scale === null ? {} : { scale: pools.vector(o.scale) }),
      ...(o.offset === null ? {} : { offset: pools.vector(o.offset) }),
      ...writeActivation(o.activation),
    }),
    read: (json, { pools, name }) => {
      const { statistic, ...size } = numbers(json.groups, NORMALIZE_KEYS, `${name}.groups`);
      const vector = (key: 'scale' | 'offset'): Float32Array | null =>
        json[key] === undefined ? null : pools.vector(json[key], size.valid, `${name}.${key}`);
      return {
        ...size,
        statistic: choiceAt(STATISTICS, statistic, `${name}.statistic`),
        epsilon: real(json.epsilon, `${name}.epsilon`),
        scale: vector('scale'),
        offset: vector('offset'),
        activation: readActivation(json.activation, name),
      };
    },
  },
  embedding: {
    keys: ['positions', 'weight'],
    write: (o, { matrix }) => ({ positions: o.positions, weight: matrix(o.weight) }),
    read: (json, { name, matrix }) => ({
      positions: count(json.positions, `${name}.positions`),
      weight: matrix(json.weight),
    }),
  },
  recurrent: {
    keys: ['cell', 'weight', 'bias', 'cellActivation', 'recurrentActivation'],
    several: true,
    write: (o, { pools, matrix }) => ({
      cell: RECURRENT_KEYS.map((key) => (key === 'cell' ? CELLS.indexOf(o.cell) : Number(o[key]))),
      weight: matrix(o.weight),
      ...(o.bias === null ? {} : { bias: pools.vector(o.bias) }),
      ...named('cellActivation', writeActivation(o.cellActivation)),
      ...named('recurrentActivation', writeActivation(o.recurrentActivation)),
    }),
    read: (json, { pools, name, matrix }) => {
      const { cell: place, units, steps, ...flags } = numbers(json.cell, RECURRENT_KEYS, `${name}.cell`);
      const cell = choiceAt(CELLS, place, `${name}.cell`);
      const rows = RECURRENT_GATES[cell] * units;
      return {
        ...flagsOf(flags, name),
        cell,
        units,
        steps,
        weight: matrix(json.weight),
        bias: json.bias === undefined ? null : pools.vector(json.bias, rows, `${name}.bias`),
        cellActivation: readActivation(json.cellActivation, `${name}.cellActivation`),
        recurrentActivation: readActivation(json.recurrentActivation, `${name}.recurrentActivation`),
      };
    },
  },
  matmul: {
    keys: ['sizes'],
    several: true,
    write: (o) => ({ sizes: MATMUL_KEYS.map((key) => o[key]) }),
    read: (json, { name }) => numbers(json.sizes, MATMUL_KEYS, `${name}.sizes`),
  },
  step_mask: {
    keys: ['group', 'whole', 'value'],
    write: (o) => ({ group: o.group, whole: Number(o.whole), value: o.value }),
    read: (json, { name }) => ({
      group: count(json.group, `${name}.group`),
      ...flagsOf(numbers([json.whole], ['whole'], `${name}.whole`), name),
      value: real(json.value, `${name}.value`),
    }),
  },
  mask_scores: {
    keys: ['scores'],
    several: true,
    write: (o) => ({ scores: SCORE_KEYS.map((key) => Number(o[key])) }),
    read: (json, { name }) => {
      const { causal, queryMask, valueMask, ...size } = numbers(json.scores, SCORE_KEYS, `${name}.scores`);
      return {
        ...size,
        ...flagsOf({ causal, queryMask, valueMask }, name),
      };
    },
  },
};
