/**
 * Whether a Program is one: every index, length and number of features. Used on whatever comes from outside (a file)
 * and in tests on whatever `compile` makes. The addon checks again what memory safety needs.
 */
import { types } from 'node:util';
import { type EspalierError, invalid } from '../errors.js';
import { bad, count, finite, limited, vector } from './expect.js';
import { inputsOf } from './definition.js';
import type { Matrix } from './matrix.js';
import { definitionOf } from './operations/registry.js';
import { PROGRAM_VERSION, type Program, type ProgramPort } from './program.js';

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
    const definition = definitionOf(operation);
    const inputs = inputsOf(operation).map((value) => known(value, `${operation.name}: input`));
    for (const [key, setting] of Object.entries(operation)) {
      const array = key === 'weight' || types.isFloat32Array(setting);
      if (array) arrays.set(setting as Matrix | Float32Array, `${operation.name}.${key}`);
    }
    define(operation.output, limited(definition.features(operation, inputs), operation.name), operation.name);
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
function uniqueNames(ports: readonly ProgramPort[], what: string): void {
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

/** Throws INVALID_MODEL unless the matrix keeps what matrix.ts says of its format. */
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
