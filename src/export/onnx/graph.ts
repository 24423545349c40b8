/**
 * Program → ONNX (opset 20), for ONNX Runtime and whatever else reads it. Values are [batch, features]; where an
 * operation works on parts of a sample (positions, groups), a Reshape goes before and after it.
 * Operators: https://onnx.ai/onnx/operators/
 */
import type { onnx as Onnx } from 'onnx-proto';
import type { Activation, Operation, Program, ProgramPort } from '../../program/program.js';
import { EspalierError } from '../../errors.js';
import { denseValues, transposed } from '../../program/dense.js';
import { onnxInput, onnxOutput } from '../port-names.js';
import { ImageValues, imageNode, isImageOperation } from './images.js';

const OPSET = 20;
/** The version of the file format that came with opset 20. */
const IR_VERSION = 9;
const FLOAT = 1;
const INT64 = 7;

type Attributes = Record<string, number | readonly number[] | string>;

class Graph {
  readonly nodes: Onnx.INodeProto[] = [];
  readonly initializers: Onnx.ITensorProto[] = [];
  private readonly shapes = new Map<string, string>();
  private count = 0;

  fresh(): string {
    return `t${this.count++}`;
  }

  /** Adds a node with one output, which it names. */
  node(opType: string, input: string[], attributes: Attributes = {}, output = this.fresh()): string {
    this.nodes.push({
      opType,
      name: `n${this.nodes.length}`,
      input,
      output: [output],
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return output;
  }

  floats(dims: number[], data: Float32Array): string {
    const name = `w${this.initializers.length}`;
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push({ name, dims, dataType: FLOAT, rawData });
    return name;
  }

  /** An initializer of int64, one for equal numbers. */
  integers(data: number[]): string {
    const key = data.join();
    let name = this.shapes.get(key);
    if (name === undefined) {
      name = `w${this.initializers.length}`;
      const rawData = new Uint8Array(BigInt64Array.from(data.map(BigInt)).buffer);
      this.initializers.push({ name, dims: [data.length], dataType: INT64, rawData });
      this.shapes.set(key, name);
    }
    return name;
  }

  /** Reshape to [batch × …] extents: 0 keeps an extent, -1 is what is left. */
  reshape(input: string, extents: number[], output?: string): string {
    return this.node('Reshape', [input, this.integers(extents)], {}, output);
  }
}

function attribute(name: string, value: number | readonly number[] | string): Onnx.IAttributeProto {
  // AttributeType: FLOAT 1, INT 2, STRING 3, INTS 7. Which of FLOAT and INT a number is, its name decides.
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if (typeof value !== 'number') return { name, type: 7, ints: [...value] };
  return ['axis', 'group', 'count_include_pad'].includes(name) || name.startsWith('trans')
    ? { name, type: 2, i: value }
    : { name, type: 1, f: value };
}

function activate(graph: Graph, input: string, { kind, alpha, beta }: Activation): string {
  switch (kind) {
    case 'linear':
      return input;
    case 'relu':
      return graph.node('Relu', [input]);
    case 'relu6':
      return graph.node('Clip', [
        input,
        graph.floats([], Float32Array.of(0)),
        graph.floats([], Float32Array.of(6)),
      ]);
    case 'leaky_relu':
      return graph.node('LeakyRelu', [input], { alpha });
    case 'elu':
      return graph.node('Elu', [input], { alpha });
    case 'selu':
      return graph.node('Selu', [input]);
    case 'sigmoid':
      return graph.node('Sigmoid', [input]);
    case 'hard_sigmoid':
      return graph.node('HardSigmoid', [input], { alpha, beta });
    case 'tanh':
      return graph.node('Tanh', [input]);
    case 'softplus':
      return graph.node('Softplus', [input]);
    case 'softsign':
      return graph.node('Softsign', [input]);
    case 'gelu':
      return graph.node('Gelu', [input]);
    case 'gelu_tanh':
      return graph.node('Gelu', [input], { approximate: 'tanh' });
    case 'swish':
      return graph.node('Mul', [input, graph.node('Sigmoid', [input])]);
    case 'exponential':
      return graph.node('Exp', [input]);
    default:
      throw unsupported(kind);
  }
}

function unsupported(what: string): EspalierError {
  return new EspalierError('UNSUPPORTED_LAYER', `ONNX: "${what}" has no equivalent that bench can write`, {
    parameter: what,
  });
}

function operate(
  graph: Graph,
  program: Program,
  operation: Operation,
  names: string[],
  images: ImageValues,
): string {
  if (isImageOperation(operation)) {
    return imageNode(graph, program, operation, names, images, (input, activation) =>
      activate(graph, input, activation),
    );
  }
  const ins = 'inputs' in operation ? operation.inputs : [operation.input];
  const channels = ins.map((input) => images.planes.get(input));
  if (channels.some((count) => count !== undefined))
    return onPlanes(graph, operation, names, images, channels);
  const value = (index: number) => names[index] ?? '';
  const features = program.values[operation.output]?.features ?? 0;
  switch (operation.op) {
    case 'linear': {
      const { rows, cols } = operation.weight;
      const dense = denseValues(operation.weight);
      const bias = operation.bias;
      if (operation.positions === 1) {
        const weight = graph.floats([rows, cols], dense);
        const inputs = [
          value(operation.input),
          weight,
          ...(bias === null ? [] : [graph.floats([rows], bias)]),
        ];
        return activate(graph, graph.node('Gemm', inputs, { transB: 1 }), operation.activation);
      }
      const lanes = graph.reshape(value(operation.input), [0, operation.positions, cols]);
      const product = graph.node('MatMul', [
        lanes,
        graph.floats([cols, rows], transposed(dense, rows, cols)),
      ]);
      const sum = bias === null ? product : graph.node('Add', [product, graph.floats([rows], bias)]);
      return graph.reshape(activate(graph, sum, operation.activation), [0, features]);
    }
    case 'affine': {
      const period = operation.scale.length;
      const whole = period === features;
      const input = value(operation.input);
      const parts = whole ? input : graph.reshape(input, [0, features / period, period]);
      const scaled = graph.node('Mul', [parts, graph.floats([period], operation.scale)]);
      const moved = graph.node('Add', [scaled, graph.floats([period], operation.offset)]);
      const active = activate(graph, moved, operation.activation);
      return whole ? active : graph.reshape(active, [0, features]);
    }
    case 'activate':
      return activate(graph, value(operation.input), operation.activation);
    case 'softmax': {
      const { group } = operation;
      const input = value(operation.input);
      if (group === features) return graph.node('Softmax', [input], { axis: -1 });
      const parts = graph.reshape(input, [0, features / group, group]);
      return graph.reshape(graph.node('Softmax', [parts], { axis: -1 }), [0, features]);
    }
    case 'add': {
      const sum = operation.inputs.map(value).reduce((a, b) => graph.node('Add', [a, b]));
      return activate(graph, sum, operation.activation);
    }
    case 'concat': {
      const { outer } = operation;
      if (outer === 1) return graph.node('Concat', operation.inputs.map(value), { axis: 1 });
      const parts = operation.inputs.map((input) =>
        graph.reshape(value(input), [0, outer, (program.values[input]?.features ?? 0) / outer]),
      );
      return graph.reshape(graph.node('Concat', parts, { axis: 2 }), [0, features]);
    }
    default:
      throw unsupported((operation as Operation).op);
  }
}

/** Elementwise operations and concatenation on planes, which lie [batch, channels, pixels]. */
function onPlanes(
  graph: Graph,
  operation: Operation,
  names: string[],
  images: ImageValues,
  channels: readonly (number | undefined)[],
): string {
  if (channels.includes(undefined)) throw unsupported(`${operation.op} of planes and others`);
  const planes = (index: number, count: number) => graph.reshape(names[index] ?? '', [0, count, -1]);
  const total = (sum: number, count: number | undefined) => sum + (count ?? 0);
  const { op } = operation;
  if (op === 'activate') {
    images.planes.set(operation.output, channels[0] ?? 0);
    return activate(graph, names[operation.input] ?? '', operation.activation);
  }
  if (op === 'add') {
    images.planes.set(operation.output, channels[0] ?? 0);
    const sum = operation.inputs
      .map((input) => planes(input, channels[0] ?? 0))
      .reduce((a, b) => graph.node('Add', [a, b]));
    return activate(graph, sum, operation.activation);
  }
  if (op === 'concat' && operation.outer === 1) {
    images.planes.set(operation.output, channels.reduce(total, 0));
    const parts = operation.inputs.map((input, i) => planes(input, channels[i] ?? 0));
    return graph.node('Concat', parts, { axis: 1 });
  }
  throw unsupported(`${op} of planes`);
}

function describePort(port: ProgramPort, name: string): Onnx.IValueInfoProto {
  const dim = port.shape.map((extent) => (extent === null ? { dimParam: 'batch' } : { dimValue: extent }));
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
}

/**
 * The bytes of an ONNX model with dense weights, zeros included; the batch is free, and ports have the program's
 * shapes. Throws UNSUPPORTED_LAYER for an operation that it cannot write, ERR_MODULE_NOT_FOUND without onnx-proto.
 */
export async function toOnnx(program: Program): Promise<Uint8Array> {
  const { onnx } = (await import('onnx-proto')).default;
  const graph = new Graph();
  const images = new ImageValues();
  const names: string[] = [];
  program.inputs.forEach((port, index) => {
    const flat = port.shape.length === 2;
    const features = program.values[port.value]?.features ?? 0;
    names[port.value] = flat ? onnxInput(index) : graph.reshape(onnxInput(index), [0, features]);
  });
  for (const operation of program.operations) {
    names[operation.output] = operate(graph, program, operation, names, images);
  }
  program.outputs.forEach((port, index) => {
    const extents = port.shape.map((extent, axis) => (axis === 0 ? 0 : (extent ?? -1)));
    const name = names[port.value] ?? '';
    if (port.shape.length === 2) graph.node('Identity', [name], {}, onnxOutput(index));
    else graph.reshape(name, extents, onnxOutput(index));
  });
  const model: Onnx.IModelProto = {
    irVersion: IR_VERSION,
    producerName: 'espalier',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: program.name === '' ? 'network' : program.name,
      node: graph.nodes,
      initializer: graph.initializers,
      input: program.inputs.map((port, index) => describePort(port, onnxInput(index))),
      output: program.outputs.map((port, index) => describePort(port, onnxOutput(index))),
    },
  };
  return onnx.ModelProto.encode(model).finish();
}
