/** The bytes of an .esp file as a Program. The file is not trusted: see docs/format.md for all that must hold. */
import { checkMatrix, checkProgram, portFeatures, unsupportedVersion } from '../program/check.js';
import { VALUE_CODES, type CodedMatrix, type CodedProgram, type ValueDType } from '../program/coded.js';
import { inputsOf, type ReadContext } from '../program/definition.js';
import { count } from '../program/expect.js';
import { OPERATIONS, definitionOf } from '../program/operations/registry.js';
import { PROGRAM_VERSION, type Matrix, type Operation, type Program } from '../program/program.js';
import type { ProgramPort, ProgramValue } from '../program/program.js';
import { invalid } from '../errors.js';
import { bytesOf, valueBytes } from './coded.js';
import { opened, type EspFile } from './esp.js';
import { bad, list, object, text, whole, type Json } from './json.js';
import { PoolReader } from './pools.js';
import { MAX_BITS, decodeRuns } from './runs.js';
import { MAX_TOPS, decodeValues, topBits, type CodedValues } from './values.js';

/** Rows a file may have without holding anything for them; beyond, its bytes must grow with them. */
const FREE_ROWS = 2 ** 20;

/**
 * The program of an .esp file, opened or as its bytes. Large arrays of the program are views of these, which must stay
 * unchanged as long as it is used. Throws INVALID_MODEL telling what is wrong, UNSUPPORTED_FORMAT for another version or kind of file.
 */
export function readProgram(file: EspFile | Uint8Array): Program {
  return read(opened(file), decoded, checkMatrix);
}

/**
 * As readProgram, but the matrices stay coded, as views of the bytes: for the addon, which decodes and checks them. Only
 * their lengths are checked here.
 */
export function readCodedProgram(file: EspFile | Uint8Array): CodedProgram {
  const leave = (): void => undefined;
  // The reader passes matrices on and looks at nothing but rows and cols.
  return read(opened(file), coded as unknown as Make, leave) as unknown as CodedProgram;
}

/** A matrix of the file, its lengths known to fit. */
interface StoredMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly nnz: number;
  readonly bits: number;
  readonly runs: Uint8Array;
  readonly values: CodedValues;
}

type Make = (stored: StoredMatrix, what: string) => Matrix;

function decoded({ rows, cols, nnz, bits, runs, values: codes }: StoredMatrix, what: string): Matrix {
  const positions = decodeRuns(runs, rows, cols, bits, nnz);
  const values = decodeValues(codes, positions.rowPtr);
  if (values === null) throw bad(`${what}: values`, 'indices inside of their list', 'a larger one');
  return { format: 'csr', rows, cols, ...positions, values };
}

function coded({ runs, values, ...matrix }: StoredMatrix): CodedMatrix {
  return { format: 'coded', ...matrix, runs: bytesOf(runs), ...valueBytes(values) };
}

function read(file: EspFile, make: Make, checkWeight: typeof checkMatrix): Program {
  const { bytes, json, tensors } = file;
  if (file.holds === 'network') {
    const expected = 'a program (this is a network of flexible sizes: loadModel and convertModel take it)';
    throw invalid('UNSUPPORTED_FORMAT', '__metadata__', expected, 'a network');
  }
  if (json.version !== PROGRAM_VERSION) throw unsupportedVersion(json.version);
  keys(json, 'program', ['version', 'name', 'inputs', 'outputs', 'matrices', 'operations']);

  const pools = new PoolReader(tensors);
  const matrices = readMatrices(list(json.matrices, 'matrices'), pools, bytes.length, make);
  const used = new Set<number>();
  const matrix = (index: unknown): Matrix => {
    const found = matrices[index as number];
    if (found === undefined) throw bad('weight', `an index below ${matrices.length}`, index);
    used.add(index as number);
    return found;
  };

  const arrays = {
    vector: (start: unknown, length: number, what: string) => pools.vector(start, length, what),
    indices: (range: unknown, what: string) => pools.take('indices', range, what) as Int32Array,
    matrix,
  };

  const values: ProgramValue[] = [];
  const inputs = list(json.inputs, 'inputs').map((entry, value) => {
    const port = readPort(entry, `inputs[${value}]`, ['name', 'shape'], value);
    values.push({ features: portFeatures(port) });
    return port;
  });
  // An operation reads the value before it where it names none: the first one needs an input for that.
  if (inputs.length === 0) throw bad('inputs', 'one or more', 0);
  const operations = list(json.operations, 'operations').map((entry, index) => {
    const operation = readOperation(entry, `operations[${index}]`, values, arrays);
    const features = inputsOf(operation).map((value) => (values[value] as ProgramValue).features);
    values.push({ features: definitionOf(operation).features(operation, features) });
    return operation;
  });
  const outputs = list(json.outputs, 'outputs').map((entry, index) => {
    const what = `outputs[${index}]`;
    const value = valueIndex(object(entry, what).value, values.length, what);
    return readPort(entry, what, ['name', 'shape', 'value'], value);
  });
  if (used.size !== matrices.length)
    throw bad('matrices', 'each one used', `${matrices.length - used.size} unused`);
  pools.finish();
  const program: Program = {
    version: PROGRAM_VERSION,
    name: text(json.name, 'name'),
    values,
    inputs,
    outputs,
    operations,
  };
  checkProgram(program, checkWeight);
  return program;
}

/** The table of matrices, decoded. */
export function decodedMatrices(entries: readonly unknown[], pools: PoolReader, fileBytes: number): Matrix[] {
  return readMatrices(entries, pools, fileBytes, decoded);
}

function readMatrices(
  entries: readonly unknown[],
  pools: PoolReader,
  fileBytes: number,
  make: Make,
): Matrix[] {
  let rowsLeft = FREE_ROWS + 8 * fileBytes;
  return entries.map((entry, index) => {
    const what = `matrices[${index}]`;
    const json = object(entry, what);
    keys(json, what, [
      'rows',
      'cols',
      'bits',
      'runs',
      'dtype',
      'values',
      'palette',
      'tops',
      'high',
      'scales',
    ]);
    const rows = count(json.rows, `${what}.rows`);
    const cols = count(json.cols, `${what}.cols`);
    const bits = whole(json.bits, MAX_BITS, `${what}.bits`);
    rowsLeft -= rows;
    if (rowsLeft < 0) throw bad(`${what}.rows`, `rows in proportion to a file of ${fileBytes} bytes`, rows);
    const values = readValues(json, pools, what, rows);
    const nnz = values.codes.length / (values.dtype === 'split' ? 3 : 1);
    if (nnz > rows * cols) throw bad(`${what}.values`, `at most ${rows * cols}`, nnz);
    const runs = pools.take('runs', json.runs, `${what}.runs`) as Uint8Array;
    return make({ rows, cols, nnz, bits, runs, values }, what);
  });
}

function readValues(json: Json, pools: PoolReader, what: string, rows: number): CodedValues {
  const dtype = json.dtype as ValueDType;
  if (!VALUE_CODES.includes(dtype)) throw bad(`${what}.dtype`, VALUE_CODES.join(', '), dtype);
  const split = dtype === 'split';
  const indexed = dtype === 'U16' || dtype === 'U8';
  if (
    (json.palette !== undefined) !== indexed ||
    (json.tops !== undefined) !== split ||
    (json.high !== undefined) !== split ||
    (json.scales !== undefined) !== (dtype === 'I8')
  ) {
    throw bad(`${what}`, 'a palette with U8 and U16, tops and high with split, scales with I8', dtype);
  }
  const codes = pools.take(`values.${dtype}`, json.values, `${what}.values`);
  const palette = indexed ? pools.take('palettes', json.palette, `${what}.palette`) : undefined;
  const tops = split ? readTops(json.tops, `${what}.tops`) : undefined;
  const high = split ? pools.take('high', json.high, `${what}.high`) : undefined;
  if (tops !== undefined && high?.length !== Math.ceil((codes.length / 3) * (topBits(tops.length) / 8))) {
    throw bad(`${what}.high`, `${topBits(tops.length)} bits a value`, json.high);
  }
  const scales =
    dtype === 'I8' ? (pools.take('scales', json.scales, `${what}.scales`) as Float32Array) : undefined;
  if (scales !== undefined && scales.length !== rows) {
    throw bad(`${what}.scales`, `${rows}, one a row`, json.scales);
  }
  return { dtype, codes, palette, tops, high, scales } as CodedValues;
}

function readTops(value: unknown, what: string): number[] {
  const tops = list(value, what);
  if (tops.length < 1 || tops.length > MAX_TOPS) throw bad(what, `1 to ${MAX_TOPS} bytes`, value);
  return tops.map((top) => whole(top, 255, what));
}

function readOperation(
  entry: unknown,
  what: string,
  values: readonly ProgramValue[],
  arrays: Omit<ReadContext, 'name'>,
): Operation {
  const json = object(entry, what);
  const op = text(json.op, `${what}.op`);
  const name = text(json.name, `${what}.name`);
  const known = OPERATIONS.map((definition) => definition.op);
  if (!(known as string[]).includes(op)) {
    throw invalid('UNSUPPORTED_FORMAT', `${what}.op`, known.join(', '), op);
  }
  const definition = definitionOf({ op });
  keys(json, name, ['op', 'name', 'inputs', ...Object.keys(definition.keys)]);
  const inputs =
    json.inputs === undefined
      ? [values.length - 1]
      : list(json.inputs, `${name}.inputs`).map((input) =>
          valueIndex(input, values.length, `${name}.inputs`),
        );
  const [input] = inputs;
  if (input === undefined || (!definition.manyInputs && inputs.length > 1)) {
    throw bad(`${name}.inputs`, definition.manyInputs ? 'one or more' : 'one', inputs.length);
  }
  const settings = definition.read(json, { name, ...arrays });
  return {
    op,
    name,
    ...(definition.manyInputs ? { inputs } : { input }),
    output: values.length,
    ...settings,
  } as unknown as Operation;
}

function readPort(entry: unknown, what: string, allowed: readonly string[], value: number): ProgramPort {
  const json = object(entry, what);
  keys(json, what, allowed);
  const shape = list(json.shape, `${what}.shape`) as (number | null)[];
  const port: ProgramPort = { name: text(json.name, `${what}.name`), shape, dtype: 'float32', value };
  portFeatures(port);
  return port;
}

function valueIndex(value: unknown, length: number, what: string): number {
  return whole(value, length - 1, `${what}: value`);
}

function keys(json: Json, what: string, allowed: readonly string[]): void {
  const other = Object.keys(json).find((key) => !allowed.includes(key));
  if (other !== undefined) {
    // A setting that is not known may change what the file means.
    throw invalid('UNSUPPORTED_FORMAT', what, `the keys ${allowed.join(', ')}`, other);
  }
}
