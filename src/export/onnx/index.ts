/** Program → ONNX (opset 20), for ONNX Runtime and whatever else reads it. */
import type { onnx as Onnx } from 'onnx-proto';
import type { Operation, Program, ProgramPort } from '../../program/program.js';
import { onnxInput, onnxOutput } from '../port-names.js';
import { unsupported } from './activations.js';
import { FLOAT, Graph } from './graph.js';
import * as images from './images.js';
import { Values, type Write } from './values.js';
import * as vectors from './vectors.js';

const OPSET = 20;
/** The version of the file format that came with opset 20. */
const IR_VERSION = 9;

interface Entry<K extends Operation['op']> {
  readonly write: Write<K>;
  /** Planes would be read wrongly. */
  readonly onlyVectors?: true;
}

/** The operations that are written. */
const WRITERS: { readonly [K in Operation['op']]?: Entry<K> } = {
  linear: { write: vectors.linear, onlyVectors: true },
  affine: { write: vectors.affine, onlyVectors: true },
  softmax: { write: vectors.softmax, onlyVectors: true },
  activate: { write: vectors.activateAlone },
  add: { write: vectors.add },
  concat: { write: vectors.concat },
  combine: { write: images.combine },
  to_planes: { write: images.toPlanes },
  to_pixels: { write: images.toPixels },
  frame: { write: images.frame },
  conv: { write: images.conv },
  depthwise: { write: images.depthwise },
  pool: { write: images.pool },
  global_pool: { write: images.globalPool },
  channel_affine: { write: images.channelAffine },
  channel_scale: { write: images.channelScale },
};

function write(values: Values, operation: Operation): string {
  // The entry of its own kind: the table's type says so, but not to an operation of any kind.
  const entry = WRITERS[operation.op] as Entry<Operation['op']> | undefined;
  const inputs = 'inputs' in operation ? operation.inputs : [operation.input];
  const planes = inputs.some((input) => values.planes.has(input));
  if (planes && (entry === undefined || entry.onlyVectors === true)) {
    throw unsupported(`${operation.op} of planes`);
  }
  if (entry === undefined) throw unsupported(operation.op);
  return entry.write(values, operation);
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
  const values = new Values(graph, program);
  const { names } = values;
  program.inputs.forEach((port, index) => {
    const flat = port.shape.length === 2;
    const features = program.values[port.value]?.features ?? 0;
    names[port.value] = flat ? onnxInput(index) : graph.reshape(onnxInput(index), [0, features]);
  });
  for (const operation of program.operations) {
    names[operation.output] = write(values, operation);
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
