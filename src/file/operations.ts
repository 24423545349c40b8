/** Operations as JSON: what of each kind is written, one entry a kind. Inputs are written by `program-json.ts`. */
import type { Matrix, Operation } from '../program/program.js';
import { count } from '../program/check.js';
import type { PoolReader, PoolWriter } from './pools.js';
import { readActivation, writeActivation, type Json } from './activation.js';
import { IMAGE_CODECS } from './image-operations.js';
import { SEQUENCE_CODECS } from './sequence-operations.js';

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
  /** It takes several inputs. */
  readonly several?: true;
  write(operation: Of<K>, context: WriteContext): Json;
  /** Throws INVALID_MODEL; what `program/check.ts` checks afterwards need not be checked here. */
  read(json: Json, context: ReadContext): Omit<Of<K>, Common>;
}

export const OPERATION_CODECS: { [K in Operation['op']]: OperationCodec<K> } = {
  ...IMAGE_CODECS,
  ...SEQUENCE_CODECS,
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
    several: true,
    write: ({ activation }) => writeActivation(activation),
    read: (json, { name }) => ({ activation: readActivation(json.activation, name) }),
  },
  concat: {
    keys: ['outer'],
    several: true,
    write: ({ outer }) => (outer === 1 ? {} : { outer }),
    read: (json, { name }) => ({ outer: count(json.outer ?? 1, `${name}.outer`) }),
  },
};
