/** Operations on images → ONNX nodes: planes are [batch, channels, height, width], frames the padding of what follows. */
import type { Frame, ImageOperation, Window } from '../../program/operations/images.js';
import type { Activation, Operation, Program } from '../../program/program.js';
import { EspalierError } from '../../errors.js';
import { denseValues } from '../../program/dense.js';

type Attributes = Record<string, number | readonly number[] | string>;

/** What the writer of ONNX graphs gives. */
export interface OnnxGraph {
  node(opType: string, input: string[], attributes?: Attributes, output?: string): string;
  floats(dims: number[], data: Float32Array): string;
  /** An initializer of int64. */
  integers(data: number[]): string;
  reshape(input: string, extents: number[], output?: string): string;
}

/** How values of images lie: the frame before what reads it, and whether a value is [batch, channels, pixels...]. */
export class ImageValues {
  readonly frames = new Map<number, Frame>();
  /** Channels of the values that are planes. */
  readonly planes = new Map<number, number>();
}

const IMAGE_OPERATIONS: ReadonlySet<string> = new Set([
  ...['to_planes', 'to_pixels', 'frame', 'conv', 'depthwise', 'pool', 'global_pool'],
  ...['channel_affine', 'channel_scale', 'combine'],
]);

export function isImageOperation(operation: Operation): operation is ImageOperation {
  return IMAGE_OPERATIONS.has(operation.op);
}

function refuse(operation: ImageOperation, what: string): EspalierError {
  return new EspalierError(
    'UNSUPPORTED_LAYER',
    `ONNX: operation ${operation.name} (${operation.op}): ${what}`,
    {
      parameter: operation.name,
    },
  );
}

/** [top, left, bottom, right], and the input with its height and width. */
function windowed(
  graph: OnnxGraph,
  images: ImageValues,
  operation: Extract<ImageOperation, Window>,
  names: string[],
) {
  const frame = images.frames.get(operation.input);
  const [source, height, width] =
    frame === undefined
      ? [operation.input, operation.frameHeight, operation.frameWidth]
      : [frame.input, frame.height, frame.width];
  if (frame !== undefined && (frame.upY !== 1 || frame.upX !== 1))
    throw refuse(operation, 'a transposed convolution');
  const pads =
    frame === undefined
      ? [0, 0, 0, 0]
      : [
          ...[frame.top, frame.left],
          ...[
            Math.max(frame.frameHeight - frame.top - frame.height, 0),
            Math.max(frame.frameWidth - frame.left - frame.width, 0),
          ],
        ];
  const { channels } = operation as { channels: number };
  const input = graph.reshape(names[source] ?? '', [0, channels, height, width]);
  const attributes: Attributes = {
    kernel_shape: [operation.kernelHeight, operation.kernelWidth],
    strides: [operation.strideY, operation.strideX],
    dilations: [operation.dilationY, operation.dilationX],
    pads,
  };
  return { input, attributes };
}

/** The node of one operation; its value stays as the operation leaves it. */
export function imageNode(
  graph: OnnxGraph,
  program: Program,
  operation: ImageOperation,
  names: string[],
  images: ImageValues,
  activate: (input: string, activation: Activation) => string,
): string {
  const value = (index: number): string => names[index] ?? '';
  switch (operation.op) {
    case 'to_planes': {
      images.planes.set(operation.output, operation.channels);
      const pixels = graph.reshape(value(operation.input), [0, operation.pixels, operation.channels]);
      return graph.node('Transpose', [pixels], { perm: [0, 2, 1] });
    }
    case 'to_pixels': {
      const planes = graph.reshape(value(operation.input), [0, operation.channels, operation.pixels]);
      const pixels = graph.node('Transpose', [planes], { perm: [0, 2, 1] });
      return graph.reshape(pixels, [0, operation.channels * operation.pixels]);
    }
    case 'frame':
      images.frames.set(operation.output, operation);
      return '';
    case 'conv': {
      const { input, attributes } = windowed(graph, images, operation, names);
      const { weight, bias, groups, channels, kernelHeight, kernelWidth } = operation;
      const kernel = graph.floats(
        [weight.rows, channels / groups, kernelHeight, kernelWidth],
        denseValues(weight),
      );
      const inputs = [input, kernel, ...(bias === null ? [] : [graph.floats([weight.rows], bias)])];
      images.planes.set(operation.output, weight.rows);
      return activate(graph.node('Conv', inputs, { ...attributes, group: groups }), operation.activation);
    }
    case 'depthwise': {
      const { input, attributes } = windowed(graph, images, operation, names);
      const { channels, multiplier, weights, bias, kernelHeight, kernelWidth } = operation;
      const filters = channels * multiplier;
      const kernel = graph.floats([filters, 1, kernelHeight, kernelWidth], weights);
      const inputs = [input, kernel, ...(bias === null ? [] : [graph.floats([filters], bias)])];
      images.planes.set(operation.output, filters);
      return activate(graph.node('Conv', inputs, { ...attributes, group: channels }), operation.activation);
    }
    case 'pool': {
      const { input, attributes } = windowed(graph, images, operation, names);
      const { dilations, ...rest } = attributes;
      images.planes.set(operation.output, operation.channels);
      const { scale, kernelHeight, kernelWidth } = operation;
      const frame = images.frames.get(operation.input);
      const padded = (rest.pads as number[]).some((pad) => pad > 0);
      if (scale === null && padded && frame?.fill === 'zero') {
        // The padding of MaxPool counts as nothing: zeros are put there by a Pad.
        const [top = 0, left = 0, bottom = 0, right = 0] = rest.pads as number[];
        const zeros = graph.node('Pad', [input, graph.integers([0, 0, top, left, 0, 0, bottom, right])]);
        // A window of one pixel only copies: it is how the program pads alone.
        const copies = kernelHeight * kernelWidth * operation.strideY * operation.strideX === 1;
        if (copies) return zeros;
        return graph.node('MaxPool', [zeros], { ...rest, pads: [0, 0, 0, 0], dilations: dilations! });
      }
      if (scale === null) return graph.node('MaxPool', [input], { ...rest, dilations: dilations! });
      // The mean over the whole window, then what the program's own factor is beside it.
      const mean = graph.node('AveragePool', [input], { ...rest, count_include_pad: 1 });
      const factor = scale
        .slice(0, operation.outHeight * operation.outWidth)
        .map((x) => x * kernelHeight * kernelWidth);
      if (factor.every((x) => Math.abs(x - 1) < 1e-6)) return mean;
      return graph.node('Mul', [mean, graph.floats([operation.outHeight, operation.outWidth], factor)]);
    }
    case 'global_pool': {
      const planes = graph.reshape(value(operation.input), [0, operation.channels, operation.pixels]);
      const pooled = graph.node(operation.kind === 'mean' ? 'GlobalAveragePool' : 'GlobalMaxPool', [planes]);
      return graph.reshape(pooled, [0, operation.channels]);
    }
    case 'channel_affine': {
      const { channels, pixels } = operation;
      const planes = graph.reshape(value(operation.input), [0, channels, pixels]);
      const scaled = graph.node('Mul', [planes, graph.floats([channels, 1], operation.scale)]);
      const moved = graph.node('Add', [scaled, graph.floats([channels, 1], operation.offset)]);
      images.planes.set(operation.output, channels);
      return activate(moved, operation.activation);
    }
    case 'channel_scale': {
      const [planes, factors] = operation.inputs.map(value);
      const { channels, pixels } = operation;
      images.planes.set(operation.output, channels);
      return graph.node('Mul', [
        graph.reshape(planes ?? '', [0, channels, pixels]),
        graph.reshape(factors ?? '', [0, channels, 1]),
      ]);
    }
    case 'combine': {
      const type = { product: 'Mul', maximum: 'Max', minimum: 'Min', quotient: 'Div' }[operation.kind];
      const channels = images.planes.get(operation.inputs[0] ?? -1);
      if (channels !== undefined) images.planes.set(operation.output, channels);
      const extents = [
        0,
        channels ?? program.values[operation.output]?.features ?? 0,
        ...(channels === undefined ? [] : [-1]),
      ];
      return operation.inputs
        .map((input) => graph.reshape(value(input), extents))
        .reduce((a, b) => graph.node(type, [a, b]));
    }
    default:
      throw refuse(operation, 'no ONNX equivalent that bench can write');
  }
}
