/** Operations on images as Keras layers: a window and the frame before it become a layer and its padding. */
import type { Window } from '../../program/operations/images.js';
import type { Matrix, Operation } from '../../program/program.js';
import { biasOf, fused, images, kernelOf, refuse, type Builder, type Write } from './builder.js';

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
  ] as const;
  return { value: b.call(`${operation.name}_pad`, 'ZeroPadding2D', { amounts }, [value]), padding: 'valid' };
}

function windowSettings(operation: Operation & Window, padding: Read['padding']) {
  return {
    kernelSize: [operation.kernelHeight, operation.kernelWidth],
    strides: [operation.strideY, operation.strideX],
    dilation: [operation.dilationY, operation.dilationX],
    padding,
  };
}

export const conv: Write<'conv'> = (b, operation) => {
  const { value, padding } = windowInput(b, operation, operation.input, 'else');
  const { name, kernelHeight, kernelWidth, weight, bias, groups, channels } = operation;
  const shape = [kernelHeight, kernelWidth, channels / groups, weight.rows];
  const kernel = { shape, data: kernelOf(weight, kernelHeight * kernelWidth) };
  const settings = {
    ...windowSettings(operation, padding),
    ...fused(operation.activation, bias),
    filters: weight.rows,
    groups,
  };
  return b.call(name, 'Conv2D', settings, [value], { kernel, ...biasOf(bias) });
};

export const depthwise: Write<'depthwise'> = (b, operation) => {
  const { value, padding } = windowInput(b, operation, operation.input, 'else');
  const { name, kernelHeight, kernelWidth, channels, multiplier, bias, weights: values } = operation;
  const taps = kernelHeight * kernelWidth;
  const matrix: Matrix = { format: 'dense', rows: channels * multiplier, cols: taps, values };
  const shape = [kernelHeight, kernelWidth, channels, multiplier];
  const settings = {
    ...windowSettings(operation, padding),
    ...fused(operation.activation, bias),
    depthMultiplier: multiplier,
  };
  const weights = { depthwise_kernel: { shape, data: kernelOf(matrix, taps) }, ...biasOf(bias) };
  return b.call(name, 'DepthwiseConv2D', settings, [value], weights);
};

export const pool: Write<'pool'> = (b, operation) => {
  const { name, kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX, scale } = operation;
  if (dilationY !== 1 || dilationX !== 1) throw refuse(operation, 'a dilated pooling');
  const even = scale?.every((value) => value === scale[0]) ?? false;
  // A maximum over zeros is that of an explicit ZeroPadding; 'same' padding of a maximum is the lowest number.
  const zeros = b.frames.get(operation.input)?.frame.fill === 'zero';
  const asked = scale === null ? (zeros ? 'always' : 'never') : even ? 'else' : 'never';
  const { value, padding } = windowInput(b, operation, operation.input, asked);
  // A window of one pixel only copies: it is how the program pads alone.
  if (scale === null && kernelHeight * kernelWidth * strideY * strideX === 1) return value;
  // Keras leaves padding out of a mean, and the program has counted it out already.
  const whole = scale !== null && even && scale[0] === Math.fround(1 / (kernelHeight * kernelWidth));
  if (whole && padding === 'same') throw refuse(operation, 'a mean over padding');
  const settings = { poolSize: [kernelHeight, kernelWidth], strides: [strideY, strideX], padding };
  return b.call(name, scale === null ? 'MaxPooling2D' : 'AveragePooling2D', settings, [value]);
};

export const globalPool: Write<'global_pool'> = (b, { name, input, pixels, channels, kind: statistic }) => {
  const shaped = b.shaped(name, b.value(input), [1, pixels, channels]);
  const kind = statistic === 'mean' ? 'GlobalAveragePooling2D' : 'GlobalMaxPooling2D';
  return b.call(name, kind, { keepDims: false }, [shaped]);
};

export const channelAffine: Write<'channel_affine'> = (b, { name, input, scale, offset, activation }) =>
  b.activate(name, b.affine(name, b.value(input), scale, offset), activation);

export const channelScale: Write<'channel_scale'> = (b, { name, inputs, channels }) => {
  const [planes, scales] = inputs.map((input) => b.value(input));
  const factors = [...Array<number>(b.shapeOf(planes!).length - 1).fill(1), channels];
  return b.call(name, 'Multiply', {}, [planes!, b.shaped(name, scales!, factors)]);
};
