/** Operations as JSON: what of each kind is written, one entry a kind. Inputs are written by `program-json.ts`. */
import type { Activation, ActivationKind, Matrix, Operation } from '../compile/program.js';
import { count } from '../compile/check.js';
import { invalid } from '../errors.js';
import type { PoolReader, PoolWriter } from './pools.js';
import { isObject } from './safetensors.js';

type Json = Record<string, unknown>;
type Of<K extends Operation['op']> = Extract<Operation, { op: K }>;
/** What an operation has besides its own settings. */
type Common = 'op' | 'name' | 'input' | 'inputs' | 'output';

export interface WriteContext {
  readonly pools: PoolWriter;
  /** The index of a matrix in the table of matrices. */
  readonly matrix: (matrix: Matrix) => number;
}

export interface ReadContext {
  readonly pools: PoolReader;
  /** For messages. */
  readonly name: string;
  /** Features of each input. */
  readonly features: readonly number[];
  readonly matrix: (index: unknown) => Matrix;
}

export interface OperationCodec<K extends Operation['op']> {
  /** Every key that `write` may give. */
  readonly keys: readonly string[];
  write(operation: Of<K>, context: WriteContext): Json;
  /** Throws INVALID_MODEL; what `compile/check.ts` checks afterwards need not be checked here. */
  read(json: Json, context: ReadContext): Omit<Of<K>, Common>;
}

export const OPERATION_CODECS: { [K in Operation['op']]: OperationCodec<K> } = {
  linear: {
    keys: ['positions', 'weight', 'bias', 'activation'],
    write: ({ positions, weight, bias, activation }, { pools, matrix }) => ({
      ...(positions === 1 ? {} : { positions }),
      weight: matrix(weight),
      ...(bias === null ? {} : { bias: pools.vector(bias) }),
      ...writeActivation(activation),
    }),
    read: (json, { pools, name, matrix }) => {
      const weight = matrix(json.weight);
      return {
        positions: count(json.positions ?? 1, `${name}.positions`),
        weight,
        bias: json.bias === undefined ? null : pools.vector(json.bias, weight.rows, `${name}.bias`),
        activation: readActivation(json.activation, name),
      };
    },
  },
  affine: {
    keys: ['length', 'scale', 'offset', 'activation'],
    write: ({ scale, offset, activation }, { pools }) => ({
      length: scale.length,
      scale: pools.vector(scale),
      offset: pools.vector(offset),
      ...writeActivation(activation),
    }),
    read: (json, { pools, name }) => {
      const length = count(json.length, `${name}.length`);
      return {
        scale: pools.vector(json.scale, length, `${name}.scale`),
        offset: pools.vector(json.offset, length, `${name}.offset`),
        activation: readActivation(json.activation, name),
      };
    },
  },
  activate: {
    keys: ['activation'],
    write: ({ activation }) => writeActivation(activation),
    read: (json, { name }) => ({ activation: readActivation(json.activation, name) }),
  },
  softmax: {
    keys: ['group'],
    write: ({ group }) => ({ group }),
    read: (json, { name }) => ({ group: count(json.group, `${name}.group`) }),
  },
  add: {
    keys: ['activation'],
    write: ({ activation }) => writeActivation(activation),
    read: (json, { name }) => ({ activation: readActivation(json.activation, name) }),
  },
  concat: {
    keys: ['outer'],
    write: ({ outer }) => (outer === 1 ? {} : { outer }),
    read: (json, { name }) => ({ outer: count(json.outer ?? 1, `${name}.outer`) }),
  },
};

const ACTIVATIONS: { [K in ActivationKind]: 0 | 1 | 2 } = {
  linear: 0,
  relu: 0,
  relu6: 0,
  leaky_relu: 1,
  elu: 1,
  selu: 0,
  sigmoid: 0,
  hard_sigmoid: 2,
  tanh: 0,
  softplus: 0,
  softsign: 0,
  gelu: 0,
  gelu_tanh: 0,
  swish: 0,
  exponential: 0,
};

/** Nothing for linear, the kind alone where alpha and beta are 0, else all three. */
function writeActivation({ kind, alpha, beta }: Activation): Json {
  if (alpha !== 0 || beta !== 0) return { activation: { kind, alpha, beta } };
  return kind === 'linear' ? {} : { activation: kind };
}

function readActivation(json: unknown, name: string): Activation {
  const { kind, alpha, beta } = (
    isObject(json) ? json : { kind: json ?? 'linear', alpha: 0, beta: 0 }
  ) as Partial<Record<keyof Activation, unknown>>;
  if (typeof kind !== 'string' || !Object.hasOwn(ACTIVATIONS, kind)) {
    throw invalid('INVALID_MODEL', `${name}.activation`, Object.keys(ACTIVATIONS).join(', '), kind);
  }
  const used = ACTIVATIONS[kind as ActivationKind];
  if (
    !Number.isFinite(alpha) ||
    !Number.isFinite(beta) ||
    (used < 2 && beta !== 0) ||
    (used < 1 && alpha !== 0)
  ) {
    throw invalid('INVALID_MODEL', `${name}.activation`, `${used} finite settings for ${kind}`, json);
  }
  return { kind: kind as ActivationKind, alpha: alpha as number, beta: beta as number };
}
