/**
 * The REST bodies of the Open Inference Protocol: a JSON object, or, with the binary tensor extension, a JSON object
 * of Inference-Header-Content-Length bytes and then the raw tensors in its order.
 * https://github.com/kserve/open-inference-protocol, Triton's extension_binary_data.md
 */
import { EspalierError, describe, invalid } from '../errors.js';
import { checkDatatype, checkLength, fromBytes } from './datatypes.js';
import { ExactJson } from './exact-json.js';
import {
  allOutputs,
  checkParameters,
  checkShape,
  fromNumbers,
  InputSet,
  quote,
  readDirectives,
  refuseSharedMemory,
  requestedOutput,
  type Limits,
} from './tensors.js';
import type { Plans } from './plans.js';
import type { InferRequest, Parameters, Plan, ServedPort, RequestedOutput } from './types.js';

export interface Ports {
  readonly inputs: readonly ServedPort[];
  readonly outputs: readonly ServedPort[];
}

export interface RestLimits extends Limits {
  /** Inputs and outputs that one request may name. */
  readonly maxTensors: number;
}

/** The length of the JSON header: undefined where the body is all JSON. */
export function headerLength(value: string | string[] | undefined, bodyLength: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value) || Number(value) > bodyLength) {
    throw invalid(
      'INVALID_INPUT',
      'Inference-Header-Content-Length',
      `a number of bytes, at most the ${bodyLength} of the body`,
      value,
    );
  }
  return Number(value);
}

/**
 * A body to a checked request, which refers to it. Headers that were right are kept in `plans`, which are those of these
 * ports and limits. Throws INVALID_INPUT or LIMIT_EXCEEDED.
 */
export function parseInferRequest(
  body: Buffer,
  jsonLength: number | undefined,
  ports: Ports,
  limits: RestLimits,
  plans?: Plans,
): InferRequest {
  if (jsonLength === 0) return rawRequest(body, ports, limits);
  const known = jsonLength === undefined ? undefined : plans?.find(body, jsonLength);
  if (known !== undefined) return known;
  const text = Buffer.from(body.buffer, body.byteOffset, jsonLength ?? body.length).toString('utf8');
  const header = parseJson(text);
  const exact = new ExactJson(text);
  const parameters = checkParameters(header.parameters, 'parameters');
  const directives = readDirectives(parameters);
  const id = header.id ?? undefined;
  if (id !== undefined && typeof id !== 'string') throw invalid('INVALID_INPUT', 'id', 'a string', id);

  const inputs = list(header.inputs, 'inputs', limits);
  let at = jsonLength ?? body.length;
  const set = new InputSet(ports.inputs);
  const places: { at: number; size: number }[] = [];
  for (const [place, input] of inputs.entries()) {
    const index = set.port(input.name);
    const port = ports.inputs[index]!;
    const label = `input ${quote(port.name)}`;
    const own = checkParameters(input.parameters, `${label} parameters`);
    refuseSharedMemory(own, label);
    const datatype = checkDatatype(input.datatype, `${label} datatype`);
    const rows = checkShape(input.shape, port, limits);
    const size = own?.binary_data_size;
    if (size === undefined) {
      const numbers = fromNumbers(input.data, datatype, input.shape as number[], `${label} data`);
      exact.check(place, datatype, numbers, `${label} data`);
      set.put(index, rows, numbers);
      continue;
    }
    if (jsonLength === undefined) {
      throw new EspalierError(
        'INVALID_INPUT',
        `${label}: binary_data_size without the header Inference-Header-Content-Length`,
        { parameter: 'binary_data_size' },
      );
    }
    if (input.data !== undefined) {
      throw new EspalierError('INVALID_INPUT', `${label}: both data and binary_data_size`, {
        parameter: 'data',
      });
    }
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > body.length - at) {
      throw invalid(
        'INVALID_INPUT',
        `${label} binary_data_size`,
        `at most the ${body.length - at} bytes that are left in the body`,
        size,
      );
    }
    const bytes = body.subarray(at, at + size);
    if (datatype === 'FP32') {
      checkLength('FP32', bytes, rows * port.features, label);
      places[index] = { at: at - jsonLength, size };
      set.put(index, rows, bytes);
    } else set.put(index, rows, fromBytes(datatype, bytes, rows * port.features, label));
    at += size;
  }
  if (at !== body.length) {
    throw new EspalierError('INVALID_INPUT', `body: ${body.length - at} bytes after the last tensor`, {
      parameter: 'body',
    });
  }
  const { rows, inputs: data } = set.finish();
  const request = {
    id,
    parameters: directives.echoed,
    rows,
    outputs: readOutputs(header.outputs, ports.outputs, directives.binaryOutput, limits),
    timeoutMicros: directives.timeoutMicros,
  };
  // Of tensors in other datatypes the numbers are checked too, so that the header does not tell all.
  if (jsonLength === undefined || ports.inputs.some((_, index) => places[index] === undefined)) {
    return { ...request, inputs: data };
  }
  const plan: Plan = { request, length: body.length - jsonLength, inputs: places, answer: undefined };
  plans?.keep(body, jsonLength, plan);
  return { ...request, inputs: data, plan };
}

/** Triton's raw request: no header at all, the body is the only input. The answer is binary too. */
function rawRequest(body: Buffer, ports: Ports, limits: RestLimits): InferRequest {
  if (ports.inputs.length !== 1) {
    throw new EspalierError(
      'INVALID_INPUT',
      `body: raw data without a header needs a model with 1 input, this one has ${ports.inputs.length}`,
      { parameter: 'Inference-Header-Content-Length' },
    );
  }
  const port = ports.inputs[0]!;
  const rows = body.length / (4 * port.features);
  if (!Number.isInteger(rows) || rows < 1) {
    throw invalid('INVALID_INPUT', 'body', `a multiple of ${4 * port.features} bytes (FP32)`, body.length);
  }
  checkShape([rows, ...port.shape.slice(1)], port, limits);
  return {
    id: undefined,
    parameters: undefined,
    rows,
    inputs: [body],
    outputs: allOutputs(ports.outputs, true),
    timeoutMicros: undefined,
  };
}

function parseJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new EspalierError('INVALID_INPUT', 'body: not valid JSON', { parameter: 'body' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('INVALID_INPUT', 'body', 'a JSON object', value);
  }
  return value as Record<string, unknown>;
}

function list(value: unknown, parameter: string, limits: RestLimits): Record<string, unknown>[] {
  if (!Array.isArray(value)) throw invalid('INVALID_INPUT', parameter, 'an array of objects', value);
  if (value.length > limits.maxTensors) {
    throw new EspalierError(
      'LIMIT_EXCEEDED',
      `${parameter}: expected at most ${limits.maxTensors}, received ${value.length}`,
      { parameter, expected: limits.maxTensors, received: value.length },
    );
  }
  for (const entry of value) {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      throw invalid('INVALID_INPUT', parameter, 'an array of objects', describe(entry));
    }
  }
  return value as Record<string, unknown>[];
}

function readOutputs(
  value: unknown,
  ports: readonly ServedPort[],
  binaryByDefault: boolean,
  limits: RestLimits,
): RequestedOutput[] {
  const wanted = value === undefined || value === null ? [] : list(value, 'outputs', limits);
  if (wanted.length === 0) return allOutputs(ports, binaryByDefault);
  return wanted.map((output) => {
    const label = `output ${quote(output.name)} parameters`;
    return requestedOutput(ports, output.name, checkParameters(output.parameters, label), binaryByDefault);
  });
}

export interface InferResponse {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly parameters: Parameters | undefined;
  readonly rows: number;
  /** By the index of the port. */
  readonly tensors: readonly Float32Array[];
  readonly outputs: readonly RequestedOutput[];
  /** Of the request, where it has one. */
  readonly plan?: Plan | undefined;
}

export interface EncodedResponse {
  /** The body in pieces, and the bytes of all of them. */
  readonly parts: readonly Buffer[];
  readonly length: number;
  /** Set where tensors follow the JSON header. */
  readonly headerLength: number | undefined;
}

/** An answer to bytes. Numbers that JSON has no word for (NaN, infinities) become null; binary data keeps them. */
export function encodeInferResponse(response: InferResponse, ports: readonly ServedPort[]): EncodedResponse {
  const { plan } = response;
  if (plan?.answer !== undefined) {
    const parts = [plan.answer];
    let length = plan.answer.length;
    for (const { port } of response.outputs) {
      const bytes = toBytes(ports[port]!, response.tensors[port]!);
      parts.push(bytes);
      length += bytes.length;
    }
    return { parts, length, headerLength: plan.answer.length };
  }
  const tails: Buffer[] = [];
  const outputs = response.outputs.map(({ port: index, binary, classes }) => {
    const port = ports[index]!;
    const data = response.tensors[index]!;
    if (classes > 0) {
      const labels = classify(data, port.features, classes);
      const shape = [response.rows, classes];
      if (!binary) return { name: port.name, datatype: 'BYTES', shape, data: labels };
      const bytes = bytesTensor(labels);
      tails.push(bytes);
      const parameters = { binary_data_size: bytes.length };
      return { name: port.name, datatype: 'BYTES', shape, parameters };
    }
    const shape = [response.rows, ...port.shape.slice(1)];
    if (!binary) {
      return { name: port.name, datatype: port.datatype, shape, data: toNumbers(port, data) };
    }
    const bytes = toBytes(port, data);
    tails.push(bytes);
    return {
      name: port.name,
      datatype: port.datatype,
      shape,
      parameters: { binary_data_size: bytes.length },
    };
  });
  const header = Buffer.from(
    JSON.stringify({
      model_name: response.model,
      model_version: response.version,
      id: response.id,
      parameters: response.parameters,
      outputs,
    }),
  );
  if (tails.length === 0) return { parts: [header], length: header.length, headerLength: undefined };
  // Then nothing but the numbers differs from answer to answer.
  if (plan !== undefined && response.outputs.every(({ binary, classes }) => binary && classes === 0)) {
    plan.answer = header;
  }
  const length = tails.reduce((sum, tail) => sum + tail.length, header.length);
  return { parts: [header, ...tails], length, headerLength: header.length };
}

function toNumbers(port: ServedPort, data: Float32Array): (number | boolean)[] {
  const numbers = Array.from(data);
  return port.datatype === 'BOOL' ? numbers.map((v) => v !== 0) : numbers;
}

/** Little-endian bytes of a tensor in its port's datatype. FP32 is not copied. */
export function toBytes(port: ServedPort, data: Float32Array): Buffer {
  switch (port.datatype) {
    case 'INT32':
      return Buffer.from(Int32Array.from(data).buffer);
    case 'BOOL':
      return Buffer.from(Uint8Array.from(data, (v) => (v === 0 ? 0 : 1)).buffer);
    default:
      return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }
}

/** Triton's classification extension: the k largest of each row, "value:index", largest first, ties by index. */
export function classify(data: Float32Array, features: number, classes: number): string[] {
  const labels: string[] = [];
  for (let start = 0; start < data.length; start += features) {
    const order = Array.from({ length: features }, (_, i) => i);
    order.sort((a, b) => data[start + b]! - data[start + a]! || a - b);
    for (const i of order.slice(0, classes)) labels.push(`${data[start + i]!.toFixed(6)}:${i}`);
  }
  return labels;
}

/** BYTES on the wire: each element after its length, 4 bytes little endian. */
export function bytesTensor(elements: readonly string[]): Buffer {
  return Buffer.concat(
    elements.flatMap((element) => {
      const bytes = Buffer.from(element);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}
