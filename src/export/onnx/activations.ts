/** Activations as ONNX nodes. */
import { EspalierError } from '../../errors.js';
import type { Activation, ActivationKind } from '../../program/program.js';
import type { Attributes, Graph } from './graph.js';

export function unsupported(what: string): EspalierError {
  return new EspalierError('UNSUPPORTED_LAYER', `ONNX: "${what}" has no equivalent that bench can write`, {
    parameter: what,
  });
}

type Write = (graph: Graph, input: string, activation: Activation) => string;

/** One node, with the attributes that the activation's parameters give. */
const node =
  (opType: string, attributes: (activation: Activation) => Attributes = () => ({})): Write =>
  (graph, input, activation) =>
    graph.node(opType, [input], attributes(activation));

const ACTIVATIONS: { readonly [K in ActivationKind]?: Write } = {
  linear: (_, input) => input,
  relu: node('Relu'),
  relu6: (graph, input) => {
    const [low, high] = [0, 6].map((bound) => graph.floats([], Float32Array.of(bound)));
    return graph.node('Clip', [input, low!, high!]);
  },
  leaky_relu: node('LeakyRelu', ({ alpha }) => ({ alpha })),
  elu: node('Elu', ({ alpha }) => ({ alpha })),
  selu: node('Selu'),
  sigmoid: node('Sigmoid'),
  hard_sigmoid: node('HardSigmoid', ({ alpha, beta }) => ({ alpha, beta })),
  tanh: node('Tanh'),
  softplus: node('Softplus'),
  softsign: node('Softsign'),
  gelu: node('Gelu'),
  gelu_tanh: node('Gelu', () => ({ approximate: 'tanh' })),
  swish: (graph, input) => graph.node('Mul', [input, graph.node('Sigmoid', [input])]),
  exponential: node('Exp'),
};

/** The value with the activation applied. Throws UNSUPPORTED_LAYER for one that ONNX has no operator for. */
export function activate(graph: Graph, input: string, activation: Activation): string {
  const write = ACTIVATIONS[activation.kind];
  if (write === undefined) throw unsupported(activation.kind);
  return write(graph, input, activation);
}
