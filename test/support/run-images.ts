/** Operations on images computed plainly in float64, on planes and frames as program/operations/images.ts has them. */
import {
  frameFloats,
  planeFloats,
  windowInputFloats,
  type ImageOperation,
  type Window,
} from '../../src/program/operations/images.js';

type Numbers = readonly number[];
type Frame = Pick<Window, 'frameHeight' | 'frameWidth' | 'strideY' | 'strideX'>;

/** Where row y and column x of the padded plane lie. */
function placeOf({ frameHeight, frameWidth, strideY, strideX }: Frame, y: number, x: number): number {
  const rows = Math.ceil(frameHeight / strideY);
  const cols = Math.ceil(frameWidth / strideX);
  const phase = (y % strideY) * strideX + (x % strideX);
  return phase * rows * cols + Math.floor(y / strideY) * cols + Math.floor(x / strideX);
}

/** What each tap of a window reads, in the order of the kernel. */
function taps(o: Window, data: Numbers, channel: number, outY: number, outX: number): number[] {
  const start = channel * windowInputFloats(o);
  const read: number[] = [];
  for (let i = 0; i < o.kernelHeight; i++) {
    for (let j = 0; j < o.kernelWidth; j++) {
      const [y, x] = [outY * o.strideY + i * o.dilationY, outX * o.strideX + j * o.dilationX];
      read.push(data[start + placeOf(o, y, x)] as number);
    }
  }
  return read;
}

/** Planes whose pixels `pixel` gives. */
function planes(channels: number, pixels: number, pixel: (channel: number, at: number) => number): number[] {
  const plane = planeFloats(pixels);
  return Array.from({ length: channels * plane }, (_, i) => {
    const at = i % plane;
    return at < pixels ? pixel(Math.floor(i / plane), at) : 0;
  });
}

function windows(
  o: Window,
  channels: number,
  pixel: (channel: number, y: number, x: number) => number,
): number[] {
  return planes(channels, o.outHeight * o.outWidth, (channel, at) =>
    pixel(channel, Math.floor(at / o.outWidth), at % o.outWidth),
  );
}

export function runImage(o: ImageOperation, inputs: readonly Numbers[], dense: ArrayLike<number>): number[] {
  const x = inputs[0] as Numbers;
  switch (o.op) {
    case 'to_planes':
      return planes(o.channels, o.pixels, (channel, at) => x[at * o.channels + channel] as number);
    case 'to_pixels':
      return Array.from({ length: o.channels * o.pixels }, (_, i) => {
        return x[(i % o.channels) * planeFloats(o.pixels) + Math.floor(i / o.channels)] as number;
      });
    case 'frame': {
      const size = frameFloats(o);
      const y = new Array<number>(o.channels * size).fill(o.fill === 0 ? 0 : -Infinity);
      for (let channel = 0; channel < o.channels; channel++) {
        for (let at = 0; at < o.height * o.width; at++) {
          const [row, col] = [Math.floor(at / o.width), at % o.width];
          const place = placeOf(o, o.top + row * o.upY, o.left + col * o.upX);
          y[channel * size + place] = x[channel * planeFloats(o.height * o.width) + at] as number;
        }
      }
      return y;
    }
    case 'conv': {
      const { rows, cols } = o.weight;
      const depth = o.channels / o.groups;
      const each = rows / o.groups;
      return windows(o, rows, (filter, outY, outX) => {
        let sum = o.bias?.[filter] ?? 0;
        for (let c = 0; c < depth; c++) {
          const channel = Math.floor(filter / each) * depth + c;
          const read = taps(o, x, channel, outY, outX);
          read.forEach((v, tap) => {
            const weight = dense[filter * cols + c * read.length + tap] as number;
            if (weight !== 0) sum += v * weight;
          });
        }
        return sum;
      });
    }
    case 'depthwise':
      return windows(o, o.channels * o.multiplier, (out, outY, outX) => {
        const read = taps(o, x, Math.floor(out / o.multiplier), outY, outX);
        return read.reduce(
          (sum, v, tap) => sum + v * (o.weights[out * read.length + tap] as number),
          o.bias?.[out] ?? 0,
        );
      });
    case 'pool':
      return windows(o, o.channels, (channel, outY, outX) => {
        const read = taps(o, x, channel, outY, outX);
        if (o.scale === null) return Math.max(...read);
        return read.reduce((a, b) => a + b, 0) * (o.scale[outY * o.outWidth + outX] as number);
      });
    case 'global_pool':
      return Array.from({ length: o.channels }, (_, channel) => {
        const start = channel * planeFloats(o.pixels);
        const plane = x.slice(start, start + o.pixels);
        return o.mean === 1 ? plane.reduce((a, b) => a + b, 0) / o.pixels : Math.max(...plane);
      });
    case 'channel_affine':
      return planes(o.channels, o.pixels, (channel, at) => {
        const v = x[channel * planeFloats(o.pixels) + at] as number;
        return v * (o.scale[channel] as number) + (o.offset[channel] as number);
      });
    case 'channel_scale':
      return planes(o.channels, o.pixels, (channel, at) => {
        const v = x[channel * planeFloats(o.pixels) + at] as number;
        return v * ((inputs[1] as Numbers)[channel] as number);
      });
    case 'gather': {
      const run = x.length / o.repeat;
      return Array.from({ length: o.repeat * o.index.length }, (_, i) => {
        const from = o.index[i % o.index.length] as number;
        return from < 0 ? 0 : (x[Math.floor(i / o.index.length) * run + from] as number);
      });
    }
    case 'combine':
      return x.map((a, i) => {
        const b = (inputs[1] as Numbers)[i] as number;
        return [a * b, Math.max(a, b), Math.min(a, b), a / b][o.kind] as number;
      });
  }
}
