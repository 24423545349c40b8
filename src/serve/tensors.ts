/** Tensors of a request against the ports of a model: names, shapes, rows, data. The same for REST and gRPC. */
import { types } from 'node:util';
import { EspalierError, describe, invalid } from '../errors.js';
import { fromNumber } from './datatypes.js';
import type { Datatype, Parameters, ServedPort, RequestedOutput, RowData } from './types.js';

export interface Limits {
  /** Numbers in one input. */
  readonly maxTensorElements: number;
}

/** A quoted name that came from outside, short enough for a message. */
export function quote(name: unknown): string {
  return typeof name === 'string' ? describe(name) : 'without a name';
}

/** "[-1, 784]": as the protocol's metadata tells a shape. */
export function showShape(shape: readonly number[]): string {
  return `[${shape.slice(0, 16).join(', ')}${shape.length > 16 ? ', …' : ''}]`;
}

/** Checks a shape that came from outside and answers its rows. */
export function checkShape(shape: unknown, port: ServedPort, limits: Limits): number {
  const parameter = `input ${quote(port.name)} shape`;
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n))) {
    throw invalid('INVALID_INPUT', parameter, 'an array of integers', shape);
  }
  const dims = shape as number[];
  const fits = dims.length === port.shape.length && dims.every((n, i) => i === 0 || n === port.shape[i]);
  if (!fits || dims[0]! < 1) {
    throw new EspalierError(
      'INVALID_INPUT',
      `${parameter}: expected ${showShape(port.shape)} with a batch of at least 1, received ${showShape(dims)}`,
      { parameter, expected: port.shape, received: dims.slice(0, 16) },
    );
  }
  if (dims[0]! * port.features > limits.maxTensorElements) {
    throw new EspalierError(
      'LIMIT_EXCEEDED',
      `${parameter}: expected at most ${limits.maxTensorElements} elements, received ${showShape(dims)}`,
      { parameter, expected: limits.maxTensorElements },
    );
  }
  return dims[0]!;
}

/** Numbers from JSON or typed contents: flat, or nested as the shape says, never deeper. */
export function fromNumbers(
  data: unknown,
  datatype: Datatype,
  shape: readonly number[],
  parameter: string,
): Float32Array {
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw new EspalierError('INVALID_INPUT', `${parameter}: ${datatype} can be sent only as binary data`, {
      parameter,
      received: datatype,
    });
  }
  const count = shape.reduce((a, b) => a * b, 1);
  const isArray = (value: unknown): value is ArrayLike<unknown> =>
    Array.isArray(value) || types.isTypedArray(value);
  if (!isArray(data)) throw invalid('INVALID_INPUT', parameter, 'an array of numbers', data);
  const out = new Float32Array(count);
  const nested = shape.length > 1 && isArray(data[0]);
  if (!nested) {
    fill(data, 0, count);
    return out;
  }
  let at = 0;
  const descend = (value: unknown, axis: number): void => {
    if (!isArray(value)) throw invalid('INVALID_INPUT', parameter, `${shape.length} nested arrays`, value);
    if (axis === shape.length - 1) {
      fill(value, at, shape[axis]!);
      at += shape[axis]!;
      return;
    }
    if (value.length !== shape[axis]) throw wrongLength(value.length, shape[axis]!);
    for (let i = 0; i < value.length; i++) descend(value[i], axis + 1);
  };
  descend(data, 0);
  return out;

  function wrongLength(received: number, expected: number): EspalierError {
    return new EspalierError(
      'INVALID_INPUT',
      `${parameter}: expected ${expected} elements for shape ${showShape(shape)}, received ${received}`,
      { parameter, expected, received },
    );
  }

  function fill(values: ArrayLike<unknown>, start: number, length: number): void {
    if (values.length !== length) throw wrongLength(values.length, length);
    for (let i = 0; i < length; i++) {
      const value = values[i];
      // The common case without a call: a finite double that stays finite as float32.
      if (datatype === 'FP32' && typeof value === 'number' && value > -3.4e38 && value < 3.4e38) {
        out[start + i] = value;
      } else out[start + i] = fromNumber(datatype, value, start + i, parameter);
    }
  }
}

/** Puts the inputs of a request in the order of the model's, each exactly once, all with the same rows. */
export class InputSet {
  readonly #ports: readonly ServedPort[];
  readonly #found: (RowData | undefined)[];
  #rows = 0;

  constructor(ports: readonly ServedPort[]) {
    this.#ports = ports;
    this.#found = new Array<RowData | undefined>(ports.length);
  }

  /** The index of the port of that name. */
  port(name: unknown): number {
    const index = this.#ports.findIndex((port) => port.name === name);
    if (index < 0) {
      throw new EspalierError(
        'INVALID_INPUT',
        `input ${quote(name)}: the model has no such input; it has ${this.#ports.map((p) => quote(p.name)).join(', ')}`,
        { parameter: 'inputs', received: describe(name) },
      );
    }
    if (this.#found[index] !== undefined) {
      throw new EspalierError('INVALID_INPUT', `input ${quote(name)}: sent twice`, { parameter: 'inputs' });
    }
    return index;
  }

  put(index: number, rows: number, data: RowData): void {
    if (this.#rows !== 0 && rows !== this.#rows) {
      throw invalid('INVALID_INPUT', `input ${quote(this.#ports[index]!.name)} batch`, `${this.#rows}`, rows);
    }
    this.#rows = rows;
    this.#found[index] = data;
  }

  finish(): { rows: number; inputs: RowData[] } {
    const missing = this.#ports.filter((_, i) => this.#found[i] === undefined);
    if (missing.length > 0) {
      throw new EspalierError(
        'INVALID_INPUT',
        `inputs: expected ${this.#ports.length}, missing ${missing.map((p) => quote(p.name)).join(', ')}`,
        { parameter: 'inputs', expected: this.#ports.length },
      );
    }
    return { rows: this.#rows, inputs: this.#found as RowData[] };
  }
}

/** Every output, where the request names none. */
export function allOutputs(ports: readonly ServedPort[], binary: boolean): RequestedOutput[] {
  return ports.map((_, port) => ({ port, binary, classes: 0 }));
}

/** One requested output by its name and parameters. */
export function requestedOutput(
  ports: readonly ServedPort[],
  name: unknown,
  parameters: Parameters | undefined,
  binaryByDefault: boolean,
): RequestedOutput {
  const port = ports.findIndex((p) => p.name === name);
  if (port < 0) {
    throw new EspalierError(
      'INVALID_INPUT',
      `output ${quote(name)}: the model has no such output; it has ${ports.map((p) => quote(p.name)).join(', ')}`,
      { parameter: 'outputs', received: describe(name) },
    );
  }
  refuseSharedMemory(parameters, `output ${quote(name)}`);
  const binary = parameters?.binary_data ?? binaryByDefault;
  if (typeof binary !== 'boolean') {
    throw invalid('INVALID_INPUT', `output ${quote(name)} binary_data`, 'true or false', binary);
  }
  const classes = parameters?.classification ?? 0;
  if (typeof classes !== 'number' || !Number.isInteger(classes) || classes < 0) {
    throw invalid('INVALID_INPUT', `output ${quote(name)} classification`, 'a whole number', classes);
  }
  return { port, binary, classes: Math.min(classes, ports[port]!.features) };
}

/** Parameters that came from outside: a flat record of strings, numbers and booleans. */
export function checkParameters(value: unknown, parameter: string): Parameters | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid('INVALID_INPUT', parameter, 'an object', value);
  }
  const entries = Object.entries(value);
  if (entries.length > 64) throw invalid('INVALID_INPUT', parameter, 'at most 64 entries', entries.length);
  for (const [key, entry] of entries) {
    if (!['string', 'number', 'boolean'].includes(typeof entry)) {
      throw invalid('INVALID_INPUT', `${parameter}[${describe(key)}]`, 'a string, number or boolean', entry);
    }
  }
  return value as Parameters;
}

/** Parameters that direct the server and are not echoed. */
const DIRECTIVES = ['binary_data_output', 'timeout', 'priority'];
const SEQUENCES = ['sequence_id', 'sequence_start', 'sequence_end'];

export interface Directives {
  readonly binaryOutput: boolean;
  readonly timeoutMicros: number | undefined;
  readonly echoed: Parameters | undefined;
}

/** Reads what directs the server from the parameters of a request; the rest is to be echoed. */
export function readDirectives(parameters: Parameters | undefined): Directives {
  if (parameters === undefined) return { binaryOutput: false, timeoutMicros: undefined, echoed: undefined };
  const binaryOutput = parameters.binary_data_output ?? false;
  if (typeof binaryOutput !== 'boolean') {
    throw invalid('INVALID_INPUT', 'parameters.binary_data_output', 'true or false', binaryOutput);
  }
  const timeout = parameters.timeout;
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0 && Number.isFinite(timeout))) {
    throw invalid('INVALID_INPUT', 'parameters.timeout', 'microseconds, 0 or more', timeout);
  }
  const sequence = SEQUENCES.find((key) => parameters[key] !== undefined && parameters[key] !== 0);
  if (sequence !== undefined && parameters[sequence] !== false && parameters[sequence] !== '') {
    throw new EspalierError(
      'INVALID_INPUT',
      `parameters.${sequence}: models here keep no state between requests`,
      {
        parameter: sequence,
      },
    );
  }
  const echoed = Object.entries(parameters).filter(
    ([key]) => !DIRECTIVES.includes(key) && !SEQUENCES.includes(key),
  );
  return {
    binaryOutput,
    // Triton's rule: 0 means the server's own limit.
    timeoutMicros: timeout === 0 ? undefined : timeout,
    echoed: echoed.length === 0 ? undefined : Object.fromEntries(echoed),
  };
}

export function refuseSharedMemory(parameters: Parameters | undefined, parameter: string): void {
  if (parameters?.shared_memory_region !== undefined) {
    throw new EspalierError('INVALID_INPUT', `${parameter}: shared memory is not served`, { parameter });
  }
}
