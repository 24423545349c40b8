/** What callers may hand in, checked and brought to Float32Arrays in the order of the ports. */
import { types } from 'node:util';
import { DETACHED, isDetached } from '../arrays.js';
import type { ProgramPort } from '../program/program.js';
import { describe, invalid, type EspalierError } from '../errors.js';

/** Any typed array of numbers, or a plain array of numbers. A Float32Array is used without a copy. */
export type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly number[];

export interface TensorInput {
  readonly data: Numbers;
  /** The batch first. */
  readonly shape?: readonly number[];
}

export type InputTensor = Numbers | TensorInput;
/** One tensor (of a model with one input), one a port in the order of the ports, or a record by name. */
export type Inputs = InputTensor | readonly InputTensor[] | Readonly<Record<string, InputTensor>>;

export type OutputTensor = Float32Array | { readonly data: Float32Array; readonly shape?: readonly number[] };
export type Outputs = OutputTensor | readonly OutputTensor[] | Readonly<Record<string, OutputTensor>>;

export interface Gathered {
  readonly batch: number;
  readonly arrays: Float32Array[];
  /** Whether any tensor came with a shape: answers then have one too. */
  readonly shaped: boolean;
}

export interface PortInfo extends ProgramPort {
  readonly features: number;
}

/** Inputs in the order of the ports, as float32; the batch is that of all of them. Throws INVALID_INPUT. */
export function gatherInputs(ports: readonly PortInfo[], inputs: unknown): Gathered {
  let batch: number | undefined;
  let shaped = false;
  const arrays = split(ports, inputs, 'inputs').map((tensor, index) => {
    const port = ports[index] as PortInfo;
    const { data, shape } = parts(tensor);
    const numbers = toFloat32(data, port);
    const found = batchOf(port, numbers.length, shape);
    if (batch !== undefined && found !== batch) {
      throw wrong(port, `a batch of ${batch}, as ${(ports[0] as PortInfo).name} has`, `a batch of ${found}`);
    }
    batch = found;
    shaped ||= shape !== undefined;
    return numbers;
  });
  return { batch: batch ?? 0, arrays, shaped };
}

/** Arrays to write the answers of `batch` samples into, in the order of the ports. Throws INVALID_INPUT. */
export function gatherOutputs(ports: readonly PortInfo[], outputs: unknown, batch: number): Gathered {
  let shaped = false;
  const arrays = split(ports, outputs, 'outputs').map((tensor, index) => {
    const port = ports[index] as PortInfo;
    const { data, shape } = parts(tensor);
    if (!types.isFloat32Array(data)) throw wrong(port, 'a Float32Array to write into', describe(data));
    if (isDetached(data)) throw wrong(port, 'a Float32Array to write into', DETACHED);
    if (data.length !== batch * port.features || batchOf(port, data.length, shape) !== batch) {
      throw wrong(port, `${batch} x ${port.features} = ${batch * port.features} numbers`, describe(data));
    }
    shaped ||= shape !== undefined;
    return data;
  });
  return { batch, arrays, shaped };
}

/**
 * The shape of each input without its batch, for ports whose sizes may be flexible: the data alone does not tell it
 * then. Throws INVALID_INPUT.
 */
export function sampleShapes(ports: readonly PortInfo[], inputs: unknown): number[][] {
  return split(ports, inputs, 'inputs').map((tensor, index) => {
    const port = ports[index] as PortInfo;
    const { shape } = parts(tensor);
    const own = port.shape.slice(1);
    if (shape === undefined && !own.includes(null)) return own as number[];
    const fits =
      Array.isArray(shape) &&
      shape.length === port.shape.length &&
      shape.every((extent, axis) =>
        axis === 0 || port.shape[axis] === null
          ? Number.isSafeInteger(extent) && extent >= (axis === 0 ? 0 : 1)
          : extent === port.shape[axis],
      );
    if (!fits) {
      const received = shape === undefined ? 'numbers without a shape' : `shape ${describe(shape)}`;
      throw wrong(port, `{ data, shape } with a shape like ${shapeText(port)}`, received);
    }
    return shape.slice(1) as number[];
  });
}

function split(ports: readonly PortInfo[], given: unknown, what: string): unknown[] {
  const names = ports.map((port) => port.name).join(', ');
  const one = ports.length === 1;
  if (isNumbers(given) || isTensor(given, ports)) {
    if (!one) throw invalid('INVALID_INPUT', what, `${ports.length} tensors (${names})`, given);
    return [given];
  }
  if (Array.isArray(given)) {
    if (given.length !== ports.length) {
      throw invalid('INVALID_INPUT', what, `${ports.length} tensor${one ? '' : 's'} (${names})`, given);
    }
    return given as unknown[];
  }
  if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given)) {
    throw invalid('INVALID_INPUT', what, `tensors for ${names}`, given);
  }
  const unknown = Object.keys(given).find((key) => !ports.some((port) => port.name === key));
  if (unknown !== undefined) throw invalid('INVALID_INPUT', what, `the names ${names}`, unknown);
  return ports.map((port) => {
    if (!Object.hasOwn(given, port.name))
      throw invalid('INVALID_INPUT', `${what}.${port.name}`, 'a tensor', undefined);
    return (given as Record<string, unknown>)[port.name];
  });
}

function isNumbers(value: unknown): boolean {
  if (ArrayBuffer.isView(value)) return types.isTypedArray(value);
  // An empty array is an empty batch for a model of one input.
  return Array.isArray(value) && (value.length === 0 || typeof value[0] === 'number');
}

/** { data, shape }, unless it is the record of a model whose input is named "data". */
function isTensor(value: unknown, ports: readonly PortInfo[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    ('shape' in value || !ports.some((port) => port.name === 'data'))
  );
}

function parts(tensor: unknown): { data: unknown; shape: unknown } {
  if (typeof tensor === 'object' && tensor !== null && !ArrayBuffer.isView(tensor) && 'data' in tensor) {
    return { data: tensor.data, shape: 'shape' in tensor ? tensor.shape : undefined };
  }
  return { data: tensor, shape: undefined };
}

function toFloat32(data: unknown, port: PortInfo): Float32Array {
  if (types.isTypedArray(data)) {
    // Without this it would be an empty batch.
    if (isDetached(data)) throw wrong(port, 'numbers', DETACHED);
    if (types.isFloat32Array(data)) return data;
    if (types.isBigInt64Array(data) || types.isBigUint64Array(data)) return Float32Array.from(data, Number);
    return Float32Array.from(data as ArrayLike<number>);
  }
  if (!Array.isArray(data)) throw wrong(port, 'a typed array or an array of numbers', describe(data));
  const numbers = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const number: unknown = data[i];
    if (typeof number !== 'number') throw wrong(port, 'numbers', `${describe(number)} at ${i}`);
    numbers[i] = number;
  }
  return numbers;
}

/** The batch that `length` numbers make; throws INVALID_INPUT when they make none, or another than the shape tells. */
function batchOf(port: PortInfo, length: number, shape: unknown): number {
  if (shape !== undefined) {
    const fits =
      Array.isArray(shape) &&
      shape.length === port.shape.length &&
      shape.every((extent, axis) =>
        axis === 0 ? Number.isInteger(extent) && extent >= 0 : extent === port.shape[axis],
      );
    if (!fits) throw wrong(port, `shape ${shapeText(port)}`, `shape ${describe(shape)}`);
    const batch = (shape as number[])[0] as number;
    if (length !== batch * port.features) {
      throw wrong(
        port,
        `${batch * port.features} numbers for shape [${shape.join(', ')}]`,
        `${length} numbers`,
      );
    }
    return batch;
  }
  const batch = length / port.features;
  if (!Number.isInteger(batch)) {
    throw wrong(port, `${shapeText(port)}: a multiple of ${port.features} numbers`, `${length} numbers`);
  }
  return batch;
}

function shapeText(port: ProgramPort): string {
  return `[${['batch', ...port.shape.slice(1).map((extent) => extent ?? 'any')].join(', ')}]`;
}

function wrong(port: PortInfo, expected: string, received: string): EspalierError {
  const error = invalid('INVALID_INPUT', port.name, expected, undefined, { received });
  error.message = `${port.name}: expected ${expected}, received ${received}`;
  return error;
}
