/** Pooling layers. */
import { padBefore, windowExtent, type Window as Axis } from '../../network/geometry.js';
import { poolingWindows, type PoolingSettings } from '../../network/layers/pooling.js';
import { planeFloats } from '../../program/operations/images.js';
import { both, frameAxes, framed, sizeOf, toPixels, toPlanes, UNIT, type Size } from './images.js';
import type { Lowering } from './lowering.js';
import { maskedMean } from './sequences.js';

/** 1 over the number of pixels of the image in each window. */
function windowShares(size: Size, [wy, wx]: readonly [Axis, Axis]): Float32Array {
  const counts = (extent: number, window: Axis): number[] =>
    Array.from({ length: windowExtent(extent, window) }, (_, out) => {
      const start = out * window.stride - padBefore(extent, window);
      return Math.min(start + window.kernel, extent) - Math.max(start, 0);
    });
  const columns = counts(size.width, wx);
  return Float32Array.from(counts(size.height, wy).flatMap((row) => columns.map((col) => 1 / (row * col))));
}

export function pooling(average: boolean): Lowering {
  return (context) => {
    const settings = context.layer.settings as PoolingSettings;
    const size = sizeOf(context.inputShapes[0] ?? []);
    const windows = both(poolingWindows(settings), UNIT);
    const planes = toPlanes(context, context.inputs[0] as number, size);
    const { input, window } = framed(
      context,
      planes,
      size,
      frameAxes(size, windows),
      windows,
      average ? 'zero' : 'lowest',
    );
    const scale = average ? windowShares(size, windows) : null;
    const out: Size = { height: window.outHeight, width: window.outWidth, channels: size.channels };
    const value = context.add(
      { op: 'pool', input, channels: size.channels, ...window, scale },
      out.channels * planeFloats(out.height * out.width),
    );
    return toPixels(context, value, out);
  };
}

export function globalPooling(average: boolean): Lowering {
  return (context) => {
    if (context.inputs.length > 1) return maskedMean(context);
    const size = sizeOf(context.inputShapes[0] ?? []);
    const planes = toPlanes(context, context.inputs[0] as number, size);
    const { channels } = size;
    return context.add(
      {
        op: 'global_pool',
        input: planes,
        channels,
        pixels: size.height * size.width,
        kind: average ? 'mean' : 'maximum',
      },
      channels,
    );
  };
}
