/**
 * Operations on vectors → ONNX nodes. Where an operation works on parts of a sample (positions, groups), a Reshape goes
 * before and after it.
 */
import type { Operation } from '../../program/program.js';
import { denseValues, transposed } from '../../program/dense.js';
import { activate, unsupported } from './activations.js';
import type { Values, Write } from './values.js';

export const linear: Write<'linear'> = (values, { input, output, positions, weight, bias, activation }) => {
  const { graph } = values;
  const { rows, cols } = weight;
  const dense = denseValues(weight);
  if (positions === 1) {
    const inputs = values.withBias([values.name(input), graph.floats([rows, cols], dense)], bias);
    return activate(graph, graph.node('Gemm', inputs, { transB: 1 }), activation);
  }
  const lanes = values.shaped(input, [positions, cols]);
  const product = graph.node('MatMul', [lanes, graph.floats([cols, rows], transposed(dense, rows, cols))]);
  const sum = bias === null ? product : graph.node('Add', [product, graph.floats([rows], bias)]);
  return graph.reshape(activate(graph, sum, activation), [0, values.features(output)]);
};

export const affine: Write<'affine'> = (values, { input, output, scale, offset, activation }) => {
  const { graph } = values;
  const features = values.features(output);
  const period = scale.length;
  const whole = period === features;
  const parts = whole ? values.name(input) : values.shaped(input, [features / period, period]);
  const scaled = graph.node('Mul', [parts, graph.floats([period], scale)]);
  const moved = graph.node('Add', [scaled, graph.floats([period], offset)]);
  const active = activate(graph, moved, activation);
  return whole ? active : graph.reshape(active, [0, features]);
};

export const softmax: Write<'softmax'> = (values, { input, output, group }) => {
  const { graph } = values;
  const features = values.features(output);
  if (group === features) return graph.node('Softmax', [values.name(input)], { axis: -1 });
  const parts = values.shaped(input, [features / group, group]);
  return graph.reshape(graph.node('Softmax', [parts], { axis: -1 }), [0, features]);
};

/** The channels of an operation whose inputs are all planes; undefined where none is. Throws where some are. */
function channelsOf(values: Values, operation: Operation): number[] | undefined {
  const inputs = 'inputs' in operation ? operation.inputs : [operation.input];
  const channels = inputs.flatMap((input) => values.planes.get(input) ?? []);
  if (channels.length === 0) return undefined;
  if (channels.length < inputs.length) throw unsupported(`${operation.op} of planes and others`);
  return channels;
}

export const activateAlone: Write<'activate'> = (values, operation) => {
  const channels = channelsOf(values, operation);
  if (channels !== undefined) values.planes.set(operation.output, channels[0] ?? 0);
  return activate(values.graph, values.name(operation.input), operation.activation);
};

export const add: Write<'add'> = (values, operation) => {
  const { graph } = values;
  const channels = channelsOf(values, operation);
  if (channels !== undefined) values.planes.set(operation.output, channels[0] ?? 0);
  const sum = operation.inputs
    .map((input) =>
      channels === undefined ? values.name(input) : values.shaped(input, [channels[0] ?? 0, -1]),
    )
    .reduce((a, b) => graph.node('Add', [a, b]));
  return activate(graph, sum, operation.activation);
};

export const concat: Write<'concat'> = (values, operation) => {
  const { graph } = values;
  const { inputs, output, outer } = operation;
  const channels = channelsOf(values, operation);
  if (channels !== undefined) {
    if (outer !== 1) throw unsupported('concat of planes');
    values.planes.set(
      output,
      channels.reduce((sum, count) => sum + count, 0),
    );
    const planes = inputs.map((input, i) => values.shaped(input, [channels[i] ?? 0, -1]));
    return graph.node('Concat', planes, { axis: 1 });
  }
  if (outer === 1) {
    return graph.node(
      'Concat',
      inputs.map((input) => values.name(input)),
      { axis: 1 },
    );
  }
  const runs = inputs.map((input) => values.shaped(input, [outer, values.features(input) / outer]));
  return graph.reshape(graph.node('Concat', runs, { axis: 2 }), [0, values.features(output)]);
};
