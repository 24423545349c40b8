/**
 * Program → a Network that computes the same: what an .esp file can be exported as, and what rivals get. Values of
 * images are [height, width, channels] here; operations that no Keras layer is (gathers) are refused.
 */
import type { Frame, Window } from '../program/operations/images.js';
import type { Activation as ProgramActivation, Matrix, Operation, Program } from '../program/program.js';
import { unsupported } from '../network/config.js';
import type { Activation } from '../network/activations.js';
import { relu } from '../network/activations.js';
import { layerKind } from '../network/layers/registry.js';
import type { Layer, Network, Node, Tensor, Value } from '../network/types.js';

/** Row-major, rows x cols, zeros filled in. */
function dense(matrix: Matrix): Float32Array {
  if (matrix.format === 'dense') return matrix.values;
  const { rows, cols, rowPtr, colIdx, values } = matrix;
  const out = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let at = rowPtr[row]!; at < rowPtr[row + 1]!; at++) out[row * cols + colIdx[at]!] = values[at]!;
  }
  return out;
}

function activationOf({ kind, alpha, beta }: ProgramActivation): Activation {
  switch (kind) {
    case 'relu':
      return relu();
    case 'relu6':
      return relu(0, 6);
    case 'leaky_relu':
      return relu(alpha);
    case 'elu':
      return { kind, alpha };
    case 'hard_sigmoid':
      return { kind, alpha, beta };
    case 'hard_shrink':
    case 'soft_shrink':
      return { kind, lambda: alpha };
    case 'threshold':
      return relu(beta, null, alpha);
    case 'clipped_leaky_relu':
      return relu(alpha, beta);
    case 'clip':
      if (alpha === 0) return relu(0, beta);
      if (alpha === -1 && beta === 1) return { kind: 'hard_tanh' };
      throw unsupported(
        'activation',
        `clip to [${alpha}, ${beta}]`,
        'export the model that it was converted from',
      );
    default:
      return { kind };
  }
}

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** A frame before what reads it: padding of the window that follows. */
interface Framed {
  readonly frame: Frame;
  /** The value that is framed, [height, width, channels]. */
  readonly value: number;
}

class Builder {
  readonly layers: Layer[] = [];
  readonly values: Value[] = [];
  readonly nodes: Node[] = [];
  private readonly used = new Set<string>();
  /** By the program's index: the network's value. */
  readonly map: number[] = [];
  readonly frames = new Map<number, Framed>();
  /** Values of the program that lie channels x pixels. */
  readonly planes = new Set<number>();

  add(shape: readonly number[]): number {
    return this.values.push({ shape: [null, ...shape], dtype: 'float32' }) - 1;
  }

  shapeOf(value: number): number[] {
    return this.values[value]!.shape.slice(1) as number[];
  }

  call(
    name: string,
    kind: string,
    settings: unknown,
    inputs: readonly number[],
    weights: Record<string, Tensor> = {},
  ): number {
    let unique = name;
    for (let i = 1; this.used.has(unique); i++) unique = `${name}_${i}`;
    this.used.add(unique);
    const layer = this.layers.push({ name: unique, kind, settings, weights }) - 1;
    const [output] = layerKind(kind)!.outputs(
      settings,
      inputs.map((input) => this.values[input]!),
    );
    const value = this.values.push(output!) - 1;
    this.nodes.push({ layer, inputs, outputs: [value] });
    return value;
  }

  /** The value in this shape: as it is, or through a Reshape. */
  shaped(name: string, value: number, shape: readonly number[]): number {
    if (this.shapeOf(value).join() === shape.join()) return value;
    return this.call(`${name}_reshape`, 'Reshape', { targetShape: shape }, [value]);
  }

  activate(name: string, value: number, activation: ProgramActivation): number {
    if (activation.kind === 'linear') return value;
    return this.call(`${name}_activation`, 'Activation', { activation: activationOf(activation) }, [value]);
  }

  /** y = x * scale + offset along the last axis, as the BatchNormalization that it was. */
  affine(name: string, value: number, scale: Float32Array, offset: Float32Array): number {
    const shape = [scale.length];
    return this.call(
      name,
      'BatchNormalization',
      { axis: -1, epsilon: 0, center: true, scale: true },
      [value],
      {
        gamma: { shape, data: scale },
        beta: { shape, data: offset },
        moving_mean: { shape, data: new Float32Array(scale.length) },
        moving_variance: { shape, data: new Float32Array(scale.length).fill(1) },
      },
    );
  }
}

function refuse(operation: Operation, what: string): Error {
  return unsupported(
    `operation ${operation.name} (${operation.op})`,
    `${what} as a Keras layer`,
    'export the model that it was converted from instead of the .esp file',
  );
}

/** Padding as Keras's 'same' has it for this axis. */
function isSame(
  extent: number,
  before: number,
  frame: number,
  kernel: number,
  stride: number,
  out: number,
): boolean {
  const total = Math.max((out - 1) * stride + kernel - extent, 0);
  return (
    out === Math.ceil(extent / stride) &&
    before === Math.floor(total / 2) &&
    frame === Math.max(extent + before, (out - 1) * stride + kernel)
  );
}

interface Read {
  readonly value: number;
  readonly padding: 'valid' | 'same';
}

/** What a window reads, and under which padding of Keras. `zeros`: whether a ZeroPadding stands for the
 * frame, where it is not 'same'. */
function windowInput(
  b: Builder,
  operation: Operation & Window,
  input: number,
  zeros: 'always' | 'else' | 'never',
): Read {
  const framed = b.frames.get(input);
  const { kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX, outHeight, outWidth } =
    operation;
  if (framed === undefined) {
    return {
      value: images(b, operation, input, operation.frameHeight, operation.frameWidth),
      padding: 'valid',
    };
  }
  const { frame, value } = framed;
  if (frame.upY !== 1 || frame.upX !== 1) throw refuse(operation, 'a transposed convolution');
  const [bottom, right] = [
    frame.frameHeight - frame.top - frame.height,
    frame.frameWidth - frame.left - frame.width,
  ];
  const plain = frame.top === 0 && frame.left === 0 && bottom <= 0 && right <= 0;
  if (plain) return { value, padding: 'valid' };
  const [reachY, reachX] = [(kernelHeight - 1) * dilationY + 1, (kernelWidth - 1) * dilationX + 1];
  const same =
    isSame(frame.height, frame.top, frame.frameHeight, reachY, strideY, outHeight) &&
    isSame(frame.width, frame.left, frame.frameWidth, reachX, strideX, outWidth);
  if (same && zeros !== 'always') return { value, padding: 'same' };
  if (zeros === 'never' || bottom < 0 || right < 0) throw refuse(operation, 'this padding');
  const amounts = [
    [frame.top, bottom],
    [frame.left, right],
  ];
  return { value: b.call(`${operation.name}_pad`, 'ZeroPadding2D', { amounts }, [value]), padding: 'valid' };
}

/** A value as [height, width, channels]. */
function images(b: Builder, operation: Operation, input: number, height: number, width: number): number {
  const value = b.map[input]!;
  const channels = product(b.shapeOf(value)) / (height * width);
  return b.shaped(operation.name, value, [height, width, channels]);
}

function windowSettings(operation: Operation & Window, padding: Read['padding']): Record<string, unknown> {
  return {
    kernelSize: [operation.kernelHeight, operation.kernelWidth],
    strides: [operation.strideY, operation.strideX],
    dilation: [operation.dilationY, operation.dilationX],
    padding,
  };
}

/** Dense and conv layers with their activation inside. */
const fused = (activation: ProgramActivation, bias: Float32Array | null) => ({
  useBias: bias !== null,
  activation: activationOf(activation),
});
const biasOf = (bias: Float32Array | null): Record<string, Tensor> =>
  bias === null ? {} : { bias: { shape: [bias.length], data: bias } };

/** [rows, cols] with columns (channel, tap) → [taps, channels, rows]. */
function convKernel(matrix: Matrix, taps: number): Float32Array {
  const values = dense(matrix);
  const depth = matrix.cols / taps;
  const out = new Float32Array(values.length);
  for (let row = 0; row < matrix.rows; row++) {
    for (let channel = 0; channel < depth; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        out[(tap * depth + channel) * matrix.rows + row] = values[row * matrix.cols + channel * taps + tap]!;
      }
    }
  }
  return out;
}

const GIVES_PLANES = ['to_planes', 'conv', 'depthwise', 'pool', 'channel_affine', 'channel_scale'];
const KEEPS_LAYOUT = ['activate', 'add', 'combine', 'concat'];
const MERGES = { product: 'Multiply', maximum: 'Maximum', minimum: 'Minimum' } as const;
const READS_PIXELS = ['linear', 'affine', 'softmax', 'to_planes'];

/** Follows the layout of values; what would read planes as pixels x channels is refused. */
function checkLayout(b: Builder, operation: Operation): void {
  const inputs = 'inputs' in operation ? operation.inputs : [operation.input];
  const planes = inputs.filter((input) => b.planes.has(input)).length;
  const mixed = KEEPS_LAYOUT.includes(operation.op) && planes > 0 && planes < inputs.length;
  const inside = operation.op === 'concat' && operation.outer !== 1;
  if (planes > 0 && (READS_PIXELS.includes(operation.op) || mixed || inside))
    throw refuse(operation, 'an operation on channels x pixels');
  const gives = GIVES_PLANES.includes(operation.op) || (KEEPS_LAYOUT.includes(operation.op) && planes > 0);
  if (gives) b.planes.add(operation.output);
}

function operate(b: Builder, program: Program, operation: Operation): number {
  const { name } = operation;
  const features = (index: number): number => program.values[index]!.features;
  const flat = (index: number): number => b.shaped(name, b.map[index]!, [product(b.shapeOf(b.map[index]!))]);
  switch (operation.op) {
    case 'linear': {
      const { rows, cols } = operation.weight;
      const lanes = operation.positions === 1 ? [] : [operation.positions];
      const input = b.shaped(name, b.map[operation.input]!, [...lanes, cols]);
      const kernel = { shape: [cols, rows], data: convKernel(operation.weight, 1) };
      const settings = { units: rows, ...fused(operation.activation, operation.bias) };
      return b.call(name, 'Dense', settings, [input], { kernel, ...biasOf(operation.bias) });
    }
    case 'affine': {
      const period = operation.scale.length;
      const size = features(operation.output);
      const input = b.shaped(
        name,
        b.map[operation.input]!,
        period === size ? [size] : [size / period, period],
      );
      return b.activate(name, b.affine(name, input, operation.scale, operation.offset), operation.activation);
    }
    case 'channel_affine': {
      const value = b.affine(name, b.map[operation.input]!, operation.scale, operation.offset);
      return b.activate(name, value, operation.activation);
    }
    case 'activate':
      return b.activate(name, b.map[operation.input]!, operation.activation);
    case 'softmax': {
      const size = features(operation.output);
      const { group } = operation;
      const input = b.shaped(name, b.map[operation.input]!, group === size ? [size] : [size / group, group]);
      return b.call(name, 'Activation', { activation: { kind: 'softmax', axis: -1 } }, [input]);
    }
    case 'add':
    case 'combine': {
      const shape = b.shapeOf(b.map[operation.inputs[0]!]!);
      const inputs = operation.inputs.map((input) => b.shaped(name, b.map[input]!, shape));
      if (operation.op === 'combine') {
        if (operation.kind === 'quotient') throw refuse(operation, 'a quotient');
        return b.call(name, MERGES[operation.kind], {}, inputs);
      }
      return b.activate(name, b.call(name, 'Add', {}, inputs), operation.activation);
    }
    case 'concat': {
      const { outer } = operation;
      const shapes = operation.inputs.map((input) => b.shapeOf(b.map[input]!));
      // Planes one after the other are channels one after the other.
      const planes =
        b.planes.has(operation.output) &&
        shapes.every(
          (shape) => shape.length > 1 && shape.slice(0, -1).join() === shapes[0]!.slice(0, -1).join(),
        );
      const inputs = operation.inputs.map((input) => {
        if (planes) return b.map[input]!;
        const size = product(b.shapeOf(b.map[input]!));
        return b.shaped(name, b.map[input]!, outer === 1 ? [size] : [outer, size / outer]);
      });
      return b.call(name, 'Concatenate', { axis: -1 }, inputs);
    }
    case 'to_planes':
      return b.shaped(name, b.map[operation.input]!, [operation.pixels, operation.channels]);
    case 'to_pixels':
      return flat(operation.input);
    case 'conv': {
      const { value, padding } = windowInput(b, operation, operation.input, 'else');
      const { kernelHeight, kernelWidth, weight, bias, groups, channels } = operation;
      const shape = [kernelHeight, kernelWidth, channels / groups, weight.rows];
      const kernel = { shape, data: convKernel(weight, kernelHeight * kernelWidth) };
      const settings = {
        ...windowSettings(operation, padding),
        ...fused(operation.activation, bias),
        filters: weight.rows,
        groups,
      };
      return b.call(name, 'Conv2D', settings, [value], { kernel, ...biasOf(bias) });
    }
    case 'depthwise': {
      const { value, padding } = windowInput(b, operation, operation.input, 'else');
      const { kernelHeight, kernelWidth, channels, multiplier, bias } = operation;
      const taps = kernelHeight * kernelWidth;
      const matrix: Matrix = {
        format: 'dense',
        rows: channels * multiplier,
        cols: taps,
        values: operation.weights,
      };
      const shape = [kernelHeight, kernelWidth, channels, multiplier];
      const settings = {
        ...windowSettings(operation, padding),
        ...fused(operation.activation, bias),
        depthMultiplier: multiplier,
      };
      const weights = { depthwise_kernel: { shape, data: convKernel(matrix, taps) }, ...biasOf(bias) };
      return b.call(name, 'DepthwiseConv2D', settings, [value], weights);
    }
    case 'pool': {
      const { kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX, scale } = operation;
      if (dilationY !== 1 || dilationX !== 1) throw refuse(operation, 'a dilated pooling');
      const even = scale?.every((value) => value === scale[0]) ?? false;
      // A maximum over zeros is that of an explicit ZeroPadding; 'same' padding of a maximum is the lowest number.
      const zeros = b.frames.get(operation.input)?.frame.fill === 'zero';
      const asked = scale === null ? (zeros ? 'always' : 'never') : even ? 'else' : 'never';
      const { value, padding } = windowInput(b, operation, operation.input, asked);
      // A window of one pixel only copies: it is how the program pads alone.
      if (scale === null && kernelHeight * kernelWidth * strideY * strideX === 1) return value;
      // Keras leaves padding out of a mean, and the program has counted it out already.
      if (
        scale !== null &&
        padding === 'same' &&
        even &&
        scale[0] === Math.fround(1 / (kernelHeight * kernelWidth))
      )
        throw refuse(operation, 'a mean over padding');
      const settings = { poolSize: [kernelHeight, kernelWidth], strides: [strideY, strideX], padding };
      return b.call(name, scale === null ? 'MaxPooling2D' : 'AveragePooling2D', settings, [value]);
    }
    case 'global_pool': {
      const input = b.shaped(name, b.map[operation.input]!, [1, operation.pixels, operation.channels]);
      return b.call(
        name,
        `Global${operation.kind === 'mean' ? 'Average' : 'Max'}Pooling2D`,
        { keepDims: false },
        [input],
      );
    }
    case 'channel_scale': {
      const [planes, scales] = operation.inputs.map((input) => b.map[input]!);
      const shape = b.shapeOf(planes!);
      const factors = [...Array<number>(shape.length - 1).fill(1), operation.channels];
      return b.call(name, 'Multiply', {}, [planes!, b.shaped(name, scales!, factors)]);
    }
    default:
      throw refuse(operation, 'it');
  }
}

/** @throws UNSUPPORTED_LAYER for an operation that no Keras layer is, by its name. */
export function networkOfProgram(program: Program): Network {
  const b = new Builder();
  const extents = (shape: readonly (number | null)[]): number[] =>
    shape.slice(1).map((extent) => extent ?? 1);
  const inputs = program.inputs.map(({ name, shape, value }) => ({
    name,
    value: (b.map[value] = b.add(extents(shape))),
  }));
  for (const operation of program.operations) {
    if (operation.op === 'frame') {
      const value = images(b, operation, operation.input, operation.height, operation.width);
      b.frames.set(operation.output, { frame: operation, value });
      continue;
    }
    checkLayout(b, operation);
    b.map[operation.output] = operate(b, program, operation);
  }
  const outputs = program.outputs.map(({ name, shape, value }) => {
    const last = b.map[value]!;
    const own = extents(shape);
    return {
      name,
      value:
        b.shapeOf(last).join() === own.join()
          ? last
          : b.call(`${name}_out`, 'Reshape', { targetShape: own }, [last]),
    };
  });
  return { name: program.name, layers: b.layers, values: b.values, nodes: b.nodes, inputs, outputs };
}
