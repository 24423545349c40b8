/**
 * Whether a Program is one: every index, length and number of features. Used on whatever comes from outside (a file)
 * and in tests on whatever `compile` makes. The addon checks again what memory safety needs.
 */
import { types } from 'node:util';
import { EspalierError, invalid } from '../errors.js';
import { bad, count, finite, limited, vector } from './expect.js';
import { IMAGE_RULES } from './operations/check-images.js';
import { SEQUENCE_RULES } from './operations/check-sequences.js';
import { PROGRAM_VERSION, type Matrix, type Operation, type Program, type ProgramPort } from './program.js';

type Of<K extends Operation['op']> = Extract<Operation, { op: K }>;

/** What is true of each kind of operation: one line a kind. */
export interface OperationRule<O> {
  inputs(operation: O): readonly number[];
  /** Checks settings and lengths against the features of the inputs; returns the features of the output. */
  features(operation: O, inputs: readonly number[]): number;
}

/** The rules by kind. A new kind of operation adds its own. */
export const OPERATION_RULES: { [K in Operation['op']]: OperationRule<Of<K>> } = {
  linear: {
    inputs: (o) => [o.input],
    features: (o, [features = 0]) => {
      count(o.positions, `${o.name}.positions`);
      if (features !== o.positions * o.weight.cols) {
        throw bad(
          `${o.name}: input features`,
          `positions * columns = ${o.positions * o.weight.cols}`,
          features,
        );
      }
      if (o.bias !== null) vector(o.bias, o.weight.rows, `${o.name}.bias`);
      return o.positions * o.weight.rows;
    },
  },
  affine: {
    inputs: (o) => [o.input],
    features: (o, [features = 0]) => {
      vector(o.offset, o.scale.length, `${o.name}.offset`);
      if (o.scale.length === 0 || features % o.scale.length !== 0) {
        throw bad(`${o.name}.scale`, `a length that divides ${features}`, o.scale.length);
      }
      return features;
    },
  },
  activate: { inputs: (o) => [o.input], features: (_o, [features = 0]) => features },
  softmax: {
    inputs: (o) => [o.input],
    features: (o, [features = 0]) => {
      count(o.group, `${o.name}.group`);
      if (features % o.group !== 0) throw bad(`${o.name}.group`, `a divisor of ${features}`, o.group);
      return features;
    },
  },
  add: {
    inputs: (o) => o.inputs,
    features: (o, features) => {
      if (features.length < 2) throw bad(`${o.name}.inputs`, 'two or more', features.length);
      if (features.some((f) => f !== features[0])) {
        throw bad(`${o.name}.inputs`, 'equal numbers of features', features);
      }
      return features[0] ?? 0;
    },
  },
  ...IMAGE_RULES,
  ...SEQUENCE_RULES,
  concat: {
    inputs: (o) => o.inputs,
    features: (o, features) => {
      count(o.outer, `${o.name}.outer`);
      if (features.length < 1) throw bad(`${o.name}.inputs`, 'one or more', features.length);
      if (features.some((f) => f % o.outer !== 0)) {
        throw bad(`${o.name}.outer`, `a divisor of ${features.join(' and of ')}`, o.outer);
      }
      return features.reduce((sum, f) => sum + f, 0);
    },
  },
};

/** The rule for an operation, whatever its kind; throws UNSUPPORTED_FORMAT for a kind that is unknown. */
export function ruleOf(operation: Operation): OperationRule<Operation> {
  if (!Object.hasOwn(OPERATION_RULES, operation.op)) {
    throw new EspalierError('UNSUPPORTED_FORMAT', `unknown operation ${JSON.stringify(operation.op)}`, {
      parameter: 'operation',
      received: operation.op,
    });
  }
  return OPERATION_RULES[operation.op];
}

/**
 * Throws INVALID_MODEL (UNSUPPORTED_FORMAT for another version) unless all of the program fits together. Of matrices
 * only rows and cols are looked at besides what `checkWeight` does with each.
 */
export function checkProgram(program: Program, checkWeight: typeof checkMatrix = checkMatrix): void {
  if (program.version !== PROGRAM_VERSION) throw unsupportedVersion(program.version);
  const features: (number | undefined)[] = new Array<undefined>(program.values.length).fill(undefined);
  const define = (value: number, number: number, what: string): void => {
    const declared = program.values[value];
    if (declared === undefined) throw bad(what, `a value below ${program.values.length}`, value);
    if (features[value] !== undefined) throw bad(what, 'a value made once', `value ${value} again`);
    if (declared.features !== number) throw bad(what, `${number} features`, declared.features);
    features[value] = number;
  };
  const known = (value: number, what: string): number => {
    const found = features[value];
    if (found === undefined) throw bad(what, 'a value that was made before', value);
    return found;
  };
  if (program.inputs.length === 0) throw bad('inputs', 'one or more', 0);
  if (program.outputs.length === 0) throw bad('outputs', 'one or more', 0);
  for (const port of program.inputs) define(port.value, portFeatures(port), `input ${port.name}`);
  const arrays = new Map<Matrix | Float32Array, string>();
  for (const operation of program.operations) {
    const rule = ruleOf(operation);
    const inputs = rule.inputs(operation).map((value) => known(value, `${operation.name}: input`));
    for (const [key, setting] of Object.entries(operation)) {
      const array = key === 'weight' || types.isFloat32Array(setting);
      if (array) arrays.set(setting as Matrix | Float32Array, `${operation.name}.${key}`);
    }
    define(operation.output, limited(rule.features(operation, inputs), operation.name), operation.name);
  }
  // Each once, however many operations share it.
  for (const [array, what] of arrays) {
    if (types.isFloat32Array(array)) finite(array, what);
    else checkWeight(array, what);
  }
  for (const port of program.outputs) {
    const found = known(port.value, `output ${port.name}`);
    if (found !== portFeatures(port))
      throw bad(`output ${port.name}`, `${found} features`, portFeatures(port));
  }
  uniqueNames(program.inputs, 'inputs');
  uniqueNames(program.outputs, 'outputs');
  if (features.includes(undefined)) {
    throw bad('values', 'each one made', `value ${features.indexOf(undefined)} unused`);
  }
}

/** Names of ports must tell them apart, as inputs and answers are records by name. */
export function uniqueNames(ports: readonly ProgramPort[], what: string): void {
  const names = new Set(ports.map((port) => port.name));
  if (names.size !== ports.length) throw bad(what, 'different names', ports.map((p) => p.name).join(', '));
}

/** Features of a port: the product of its extents after the batch, which is null. */
export function portFeatures(port: ProgramPort): number {
  const [batch, ...extents] = port.shape;
  if (batch !== null) throw bad(`${port.name}.shape`, 'null (the batch) first', batch);
  let features = 1;
  for (const extent of extents) features = limited(features * count(extent, `${port.name}.shape`), port.name);
  return features;
}

/** Throws INVALID_MODEL unless the matrix keeps what program.ts says of its format. */
export function checkMatrix(matrix: Matrix, what: string): void {
  const { rows, cols, values } = matrix;
  count(rows, `${what}.rows`);
  count(cols, `${what}.cols`);
  if (matrix.format === 'dense') {
    finite(vector(values, rows * cols, `${what}.values`), `${what}.values`);
    return;
  }
  const { rowPtr, colIdx } = matrix;
  finite(vector(values, colIdx.length, `${what}.values`), `${what}.values`);
  if (rowPtr.length !== rows + 1) throw bad(`${what}.rowPtr`, `${rows + 1} entries`, rowPtr.length);
  if (rowPtr[0] !== 0 || rowPtr[rows] !== values.length) {
    throw bad(`${what}.rowPtr`, `to run from 0 to ${values.length}`, `${rowPtr[0]} to ${rowPtr[rows]}`);
  }
  for (let row = 0; row < rows; row++) {
    const start = rowPtr[row] as number;
    const end = rowPtr[row + 1] as number;
    if (end < start || end > values.length) throw bad(`${what}.rowPtr`, 'never to decrease', `row ${row}`);
    let last = -1;
    for (let at = start; at < end; at++) {
      const col = colIdx[at] as number;
      if (col <= last || col >= cols) {
        throw bad(
          `${what}.colIdx`,
          `increasing columns in [0, ${cols})`,
          `${col} after ${last} in row ${row}`,
        );
      }
      if (values[at] === 0) throw bad(`${what}.values`, 'no zero', `row ${row}`);
      last = col;
    }
  }
}

export function unsupportedVersion(version: unknown): EspalierError {
  return invalid(
    'UNSUPPORTED_FORMAT',
    'version',
    `${PROGRAM_VERSION} (a newer espalier may read this file)`,
    version,
  );
}

export { MAX_FEATURES, count } from './expect.js';
