/** ModelInfer messages of the Open Inference Protocol to checked requests and back: typed or raw contents. */
import { EspalierError, invalid } from '../errors.js';
import { checkDatatype, fromBytes, inexact } from './datatypes.js';
import {
  bytesTensor,
  classify,
  toBytes,
  type InferResponse,
  type Ports,
  type RestLimits,
} from './rest-codec.js';
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
} from './tensors.js';
import type { Datatype, InferRequest, Parameters, ServedPort } from './types.js';

/** A 64-bit integer as the protobuf library gives it: a Long, or a number. */
type Int64 = number | { low: number; high: number; unsigned: boolean };

interface InferParameter {
  parameter_choice?: 'bool_param' | 'int64_param' | 'string_param' | 'double_param' | 'uint64_param';
  bool_param?: boolean;
  int64_param?: Int64;
  string_param?: string;
  double_param?: number;
  uint64_param?: Int64;
}

type Contents = Partial<Record<ContentsField, unknown[]>>;
type ContentsField =
  | 'bool_contents'
  | 'int_contents'
  | 'int64_contents'
  | 'uint_contents'
  | 'uint64_contents'
  | 'fp32_contents'
  | 'fp64_contents'
  | 'bytes_contents';

export interface ModelInferRequest {
  model_name: string;
  model_version: string;
  id: string;
  parameters?: Record<string, InferParameter>;
  inputs?: {
    name: string;
    datatype: string;
    shape?: Int64[];
    parameters?: Record<string, InferParameter>;
    contents?: Contents | null;
  }[];
  outputs?: { name: string; parameters?: Record<string, InferParameter> }[];
  raw_input_contents?: Uint8Array[];
}

const FIELDS: Record<Datatype, ContentsField | undefined> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  FP16: undefined,
  BF16: undefined,
  BYTES: 'bytes_contents',
};

/** The number of a 64-bit integer; beyond 2^53 the nearest double. */
function toNumber(value: Int64): number {
  if (typeof value === 'number') return value;
  return (value.unsigned ? value.high >>> 0 : value.high) * 2 ** 32 + (value.low >>> 0);
}

function toBigInt(value: Int64): bigint {
  if (typeof value === 'number') return BigInt(value);
  return (BigInt(value.unsigned ? value.high >>> 0 : value.high) << 32n) + BigInt(value.low >>> 0);
}

function parametersOf(
  record: Record<string, InferParameter> | undefined,
  label: string,
): Parameters | undefined {
  if (record === undefined) return undefined;
  const entries = Object.entries(record).map(([key, value]) => {
    const choice = value.parameter_choice;
    const chosen = choice === undefined ? undefined : value[choice];
    const plain = typeof chosen === 'object' ? toNumber(chosen) : chosen;
    return [key, plain ?? ''] as const;
  });
  return entries.length === 0 ? undefined : checkParameters(Object.fromEntries(entries), label);
}

function toParameters(parameters: Parameters | undefined): Record<string, InferParameter> | undefined {
  if (parameters === undefined) return undefined;
  const entries = Object.entries(parameters).map(([key, value]): [string, InferParameter] => {
    if (typeof value === 'boolean') return [key, { bool_param: value }];
    if (typeof value === 'string') return [key, { string_param: value }];
    return [key, Number.isSafeInteger(value) ? { int64_param: value } : { double_param: value }];
  });
  return Object.fromEntries(entries);
}

export interface GrpcInferRequest extends InferRequest {
  /** Raw contents came, so raw contents go back: as Triton does. */
  readonly raw: boolean;
}

/** Throws INVALID_INPUT or LIMIT_EXCEEDED. */
export function readInferRequest(
  message: ModelInferRequest,
  ports: Ports,
  limits: RestLimits,
): GrpcInferRequest {
  const inputs = message.inputs ?? [];
  const outputs = message.outputs ?? [];
  const raw = message.raw_input_contents ?? [];
  for (const [name, list] of [
    ['inputs', inputs],
    ['outputs', outputs],
  ] as const) {
    if (list.length > limits.maxTensors) {
      throw new EspalierError(
        'LIMIT_EXCEEDED',
        `${name}: expected at most ${limits.maxTensors}, received ${list.length}`,
        { parameter: name, expected: limits.maxTensors, received: list.length },
      );
    }
  }
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw invalid('INVALID_INPUT', 'raw_input_contents', `${inputs.length} as there are inputs`, raw.length);
  }
  const directives = readDirectives(parametersOf(message.parameters, 'parameters'));
  const set = new InputSet(ports.inputs);
  inputs.forEach((input, i) => {
    const index = set.port(input.name);
    const port = ports.inputs[index]!;
    const label = `input ${quote(port.name)}`;
    refuseSharedMemory(parametersOf(input.parameters, `${label} parameters`), label);
    const datatype = checkDatatype(input.datatype, `${label} datatype`);
    const shape = (input.shape ?? []).map(toNumber);
    const rows = checkShape(shape, port, limits);
    const typed = input.contents === null || input.contents === undefined ? undefined : input.contents;
    if (raw.length === 0) set.put(index, rows, fromContents(typed, datatype, shape, label));
    else {
      if (typed !== undefined && Object.values(typed).some((values) => values.length > 0)) {
        throw new EspalierError('INVALID_INPUT', `${label}: both contents and raw_input_contents`, {
          parameter: 'contents',
        });
      }
      set.put(index, rows, fromBytes(datatype, raw[i]!, rows * port.features, label));
    }
  });
  const { rows, inputs: data } = set.finish();
  return {
    id: message.id === '' ? undefined : message.id,
    parameters: directives.echoed,
    rows,
    inputs: data,
    outputs:
      outputs.length === 0
        ? allOutputs(ports.outputs, raw.length > 0)
        : outputs.map(({ name, parameters }) => {
            const own = parametersOf(parameters, `output ${quote(name)} parameters`);
            return requestedOutput(ports.outputs, name, own, raw.length > 0);
          }),
    timeoutMicros: directives.timeoutMicros,
    raw: raw.length > 0,
  };
}

function fromContents(
  contents: Contents | undefined,
  datatype: Datatype,
  shape: readonly number[],
  label: string,
): Float32Array {
  const field = FIELDS[datatype];
  if (field === undefined) {
    throw new EspalierError('INVALID_INPUT', `${label}: ${datatype} can be sent only in raw_input_contents`, {
      parameter: 'contents',
    });
  }
  for (const [name, values] of Object.entries(contents ?? {})) {
    if (name !== field && values.length > 0) {
      throw new EspalierError(
        'INVALID_INPUT',
        `${label}: expected ${datatype} in ${field}, received ${name}`,
        {
          parameter: 'contents',
        },
      );
    }
  }
  const values = contents?.[field] ?? [];
  if (field === 'int64_contents' || field === 'uint64_contents') {
    const numbers = (values as Int64[]).map((value, i) => {
      const number = toNumber(value);
      // Beyond 2^53 the double may have been rounded already: whole numbers are compared.
      if (!Number.isSafeInteger(number) && BigInt(Math.fround(number)) !== toBigInt(value)) {
        throw inexact(label, datatype, i, toBigInt(value));
      }
      return number;
    });
    return fromNumbers(numbers, datatype, shape, label);
  }
  if (datatype === 'FP32' || datatype === 'FP64') {
    // Protobuf carries infinities and NaN; what was sent as FP32 is taken as it is.
    if (datatype === 'FP32' && values.length === shape.reduce((a, b) => a * b, 1)) {
      return Float32Array.from(values as number[]);
    }
  }
  return fromNumbers(values, datatype, shape, label);
}

/** The answer as a message: raw contents where the request came so. */
export function toInferResponse(response: InferResponse, ports: readonly ServedPort[], raw: boolean): object {
  const rawContents: Uint8Array[] = [];
  const outputs = response.outputs.map(({ port: index, classes }) => {
    const port = ports[index]!;
    const data = response.tensors[index]!;
    const tail = port.shape.slice(1);
    if (classes > 0) {
      const labels = classify(data, port.features, classes);
      const shape = [response.rows, classes];
      if (!raw) {
        const contents = { bytes_contents: labels.map((label) => Buffer.from(label)) };
        return { name: port.name, datatype: 'BYTES', shape, contents };
      }
      rawContents.push(bytesTensor(labels));
      return { name: port.name, datatype: 'BYTES', shape };
    }
    const shape = [response.rows, ...tail];
    if (raw) {
      rawContents.push(toBytes(port, data));
      return { name: port.name, datatype: port.datatype, shape };
    }
    const contents =
      port.datatype === 'INT32'
        ? { int_contents: Array.from(data) }
        : port.datatype === 'BOOL'
          ? { bool_contents: Array.from(data, (v) => v !== 0) }
          : { fp32_contents: Array.from(data) };
    return { name: port.name, datatype: port.datatype, shape, contents };
  });
  return {
    model_name: response.model,
    model_version: response.version,
    id: response.id ?? '',
    parameters: toParameters(response.parameters),
    outputs,
    raw_output_contents: rawContents,
  };
}
