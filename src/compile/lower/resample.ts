/** Layers that move pixels: padding, cropping, upsampling. */
import { bilinearTap, type BorderSettings, type UpSamplingSettings } from '../../network/layers/spatial.js';
import { planeFloats } from '../../program/images.js';
import { both, framed, sizeOf, toPixels, toPlanes, UNIT, type Size } from './images.js';
import { LINEAR, checkedLength, type Lowering, type LoweringContext } from './lowering.js';

/** Of a dense matrix that exists while a network is compiled only: 1 GiB. */
const MOST_WEIGHTS = 2 ** 28;

/** A frame whose windows are its pixels, one by one: keep-planes joins it with the frame of what follows. */
const zeroPadding: Lowering<BorderSettings> = (context, { amounts }) => {
  const size = sizeOf(context.inputShapes[0] ?? []);
  const [[top, bottom], [left, right]] = both(amounts, [0, 0] as const);
  const planes = toPlanes(context, context.inputs[0] as number, size);
  const [height, width] = [top + size.height + bottom, left + size.width + right];
  const axes = [
    { before: top, up: 1, length: height, out: height },
    { before: left, up: 1, length: width, out: width },
  ] as const;
  const { input, window } = framed(context, planes, size, axes, [UNIT, UNIT], 'zero');
  const out: Size = { height, width, channels: size.channels };
  if (!window.framed) return context.inputs[0] as number;
  const value = context.add(
    { op: 'pool', input, channels: size.channels, ...window, scale: null },
    out.channels * planeFloats(height * width),
  );
  return toPixels(context, value, out);
};

/** Each pixel of the output is one of the input. */
function pick(
  context: LoweringContext,
  size: Size,
  out: Size,
  from: (y: number, x: number) => number,
): number {
  const index = new Int32Array(planeFloats(out.height * out.width)).fill(-1);
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) index[y * out.width + x] = from(y, x);
  }
  const planes = toPlanes(context, context.inputs[0] as number, size);
  const value = context.add(
    { op: 'gather', input: planes, repeat: size.channels, index },
    out.channels * index.length,
  );
  return toPixels(context, value, out);
}

const cropping: Lowering<BorderSettings> = (context, { amounts }) => {
  const size = sizeOf(context.inputShapes[0] ?? []);
  const out = sizeOf(context.outputShapes[0] ?? []);
  const [[top], [left]] = both(amounts, [0, 0] as const);
  return pick(context, size, out, (y, x) => (y + top) * size.width + x + left);
};

const upSampling: Lowering<UpSamplingSettings> = (context, settings) => {
  const size = sizeOf(context.inputShapes[0] ?? []);
  const out = sizeOf(context.outputShapes[0] ?? []);
  const [fy, fx] = both(settings.size, 1);
  if (settings.interpolation === 'nearest') {
    return pick(context, size, out, (y, x) => Math.floor(y / fy) * size.width + Math.floor(x / fx));
  }
  // Each plane times one matrix of at most four non-zeros a row.
  const [rows, cols] = [planeFloats(out.height * out.width), planeFloats(size.height * size.width)];
  const weight = context.once('bilinear', () => {
    const values = new Float32Array(
      checkedLength(context.layer, 'a matrix of interpolation', rows * cols, MOST_WEIGHTS),
    );
    for (let oy = 0; oy < out.height; oy++) {
      const y = bilinearTap(oy, fy, size.height, settings.halfPixelCenters);
      for (let ox = 0; ox < out.width; ox++) {
        const x = bilinearTap(ox, fx, size.width, settings.halfPixelCenters);
        const row = (oy * out.width + ox) * cols;
        const put = (iy: number, ix: number, share: number): void => {
          const at = row + iy * size.width + ix;
          values[at] = (values[at] as number) + share;
        };
        put(y.low, x.low, (1 - y.fraction) * (1 - x.fraction));
        put(y.low, x.high, (1 - y.fraction) * x.fraction);
        put(y.high, x.low, y.fraction * (1 - x.fraction));
        put(y.high, x.high, y.fraction * x.fraction);
      }
    }
    return { format: 'dense', rows, cols, values };
  });
  const planes = toPlanes(context, context.inputs[0] as number, size);
  const value = context.add(
    { op: 'linear', input: planes, positions: size.channels, weight, bias: null, activation: LINEAR },
    size.channels * rows,
  );
  return toPixels(context, value, out);
};

export const resampleLowerings = {
  ZeroPadding1D: zeroPadding,
  ZeroPadding2D: zeroPadding,
  Cropping1D: cropping,
  Cropping2D: cropping,
  UpSampling1D: upSampling,
  UpSampling2D: upSampling,
};
