/** Operations on images → ONNX nodes: planes are [batch, channels, height, width], frames the padding of what follows. */
import type { Window } from '../../program/images.js';
import type { Operation } from '../../program/program.js';
import { EspalierError } from '../../errors.js';
import { denseValues } from '../../program/dense.js';
import { activate } from './activations.js';
import type { Attributes } from './graph.js';
import type { Values, Write } from './values.js';

function refuse(operation: Operation, what: string): EspalierError {
  return new EspalierError(
    'UNSUPPORTED_LAYER',
    `ONNX: operation ${operation.name} (${operation.op}): ${what}`,
    { parameter: operation.name },
  );
}

type WindowOperation = Extract<Operation, Window>;

/** Top, left, bottom and right, before what the operation reads. */
function padsOf(values: Values, operation: WindowOperation): number[] {
  const frame = values.frames.get(operation.input);
  if (frame === undefined) return [0, 0, 0, 0];
  if (frame.upY !== 1 || frame.upX !== 1) throw refuse(operation, 'a transposed convolution');
  const bottom = frame.frameHeight - frame.top - frame.height;
  const right = frame.frameWidth - frame.left - frame.width;
  return [frame.top, frame.left, Math.max(bottom, 0), Math.max(right, 0)];
}

/** What a window reads, with its height and width, and the attributes of its node. */
function windowed(values: Values, operation: WindowOperation): { input: string; attributes: Attributes } {
  const pads = padsOf(values, operation);
  const frame = values.frames.get(operation.input);
  const [source, height, width] =
    frame === undefined
      ? [operation.input, operation.frameHeight, operation.frameWidth]
      : [frame.input, frame.height, frame.width];
  const attributes: Attributes = {
    kernel_shape: [operation.kernelHeight, operation.kernelWidth],
    strides: [operation.strideY, operation.strideX],
    dilations: [operation.dilationY, operation.dilationX],
    pads,
  };
  return { input: values.shaped(source, [operation.channels, height, width]), attributes };
}

export const toPlanes: Write<'to_planes'> = (values, { input, output, pixels, channels }) => {
  values.planes.set(output, channels);
  return values.graph.node('Transpose', [values.shaped(input, [pixels, channels])], { perm: [0, 2, 1] });
};

export const toPixels: Write<'to_pixels'> = (values, { input, pixels, channels }) => {
  const { graph } = values;
  const turned = graph.node('Transpose', [values.shaped(input, [channels, pixels])], { perm: [0, 2, 1] });
  return graph.reshape(turned, [0, channels * pixels]);
};

export const frame: Write<'frame'> = (values, operation) => {
  values.frames.set(operation.output, operation);
  return '';
};

export const conv: Write<'conv'> = (values, operation) => {
  const { graph } = values;
  const { input, attributes } = windowed(values, operation);
  const { weight, bias, groups, channels, kernelHeight, kernelWidth, output, activation } = operation;
  const shape = [weight.rows, channels / groups, kernelHeight, kernelWidth];
  const inputs = values.withBias([input, graph.floats(shape, denseValues(weight))], bias);
  values.planes.set(output, weight.rows);
  return activate(graph, graph.node('Conv', inputs, { ...attributes, group: groups }), activation);
};

export const depthwise: Write<'depthwise'> = (values, operation) => {
  const { graph } = values;
  const { input, attributes } = windowed(values, operation);
  const { channels, multiplier, weights, bias, kernelHeight, kernelWidth, output, activation } = operation;
  const filters = channels * multiplier;
  const kernel = graph.floats([filters, 1, kernelHeight, kernelWidth], weights);
  values.planes.set(output, filters);
  const inputs = values.withBias([input, kernel], bias);
  return activate(graph, graph.node('Conv', inputs, { ...attributes, group: channels }), activation);
};

export const pool: Write<'pool'> = (values, operation) => {
  const { graph } = values;
  const { input, attributes } = windowed(values, operation);
  const { dilations, ...rest } = attributes;
  const { scale, kernelHeight, kernelWidth, outHeight, outWidth, output, channels } = operation;
  values.planes.set(output, channels);
  const pads = rest.pads as number[];
  const zeros = values.frames.get(operation.input)?.fill === 'zero';
  if (scale === null && zeros && pads.some((pad) => pad > 0)) {
    // The padding of MaxPool counts as nothing: zeros are put there by a Pad.
    const [top = 0, left = 0, bottom = 0, right = 0] = pads;
    const padded = graph.node('Pad', [input, graph.integers([0, 0, top, left, 0, 0, bottom, right])]);
    // A window of one pixel only copies: it is how the program pads alone.
    const copies = kernelHeight * kernelWidth * operation.strideY * operation.strideX === 1;
    if (copies) return padded;
    return graph.node('MaxPool', [padded], { ...rest, pads: [0, 0, 0, 0], dilations: dilations! });
  }
  if (scale === null) return graph.node('MaxPool', [input], { ...rest, dilations: dilations! });
  // The mean over the whole window, then what the program's own factor is beside it.
  const mean = graph.node('AveragePool', [input], { ...rest, count_include_pad: 1 });
  const factor = scale.slice(0, outHeight * outWidth).map((x) => x * kernelHeight * kernelWidth);
  if (factor.every((x) => Math.abs(x - 1) < 1e-6)) return mean;
  return graph.node('Mul', [mean, graph.floats([outHeight, outWidth], factor)]);
};

export const globalPool: Write<'global_pool'> = (values, { input, channels, pixels, kind: statistic }) => {
  const { graph } = values;
  const kind = statistic === 'mean' ? 'GlobalAveragePool' : 'GlobalMaxPool';
  return graph.reshape(graph.node(kind, [values.shaped(input, [channels, pixels])]), [0, channels]);
};

export const channelAffine: Write<'channel_affine'> = (values, operation) => {
  const { graph } = values;
  const { input, output, channels, pixels, scale, offset, activation } = operation;
  const planes = values.shaped(input, [channels, pixels]);
  const scaled = graph.node('Mul', [planes, graph.floats([channels, 1], scale)]);
  const moved = graph.node('Add', [scaled, graph.floats([channels, 1], offset)]);
  values.planes.set(output, channels);
  return activate(graph, moved, activation);
};

export const channelScale: Write<'channel_scale'> = (values, { inputs, output, channels, pixels }) => {
  const [planes = -1, factors = -1] = inputs;
  values.planes.set(output, channels);
  const parts = [values.shaped(planes, [channels, pixels]), values.shaped(factors, [channels, 1])];
  return values.graph.node('Mul', parts);
};

/** By the operation's kind. */
const MERGES = { product: 'Mul', maximum: 'Max', minimum: 'Min', quotient: 'Div' } as const;

export const combine: Write<'combine'> = (values, { inputs, output, kind }) => {
  const channels = values.planes.get(inputs[0] ?? -1);
  if (channels !== undefined) values.planes.set(output, channels);
  const extents = channels === undefined ? [values.features(output)] : [channels, -1];
  return inputs
    .map((input) => values.shaped(input, extents))
    .reduce((a, b) => values.graph.node(MERGES[kind], [a, b]));
};
