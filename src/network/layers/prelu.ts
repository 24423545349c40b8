/** PReLU: a learned slope for each position, or shared along axes. */
import { wrong } from '../untrusted.js';
import { known, resolveAxis, single } from '../shapes.js';
import type { LayerKind } from './kind.js';
import { float32 } from './kind.js';

export interface PReLUSettings {
  /** Axes (counted with the batch, from 1) along which one slope is shared. */
  readonly sharedAxes: readonly number[];
}

/** y = x where x > 0, alpha * x elsewhere. Weights: alpha, the sample's shape with 1 for shared axes. */
const prelu: LayerKind<PReLUSettings> = {
  weights: ({ sharedAxes }, inputs) => {
    const { shape } = single(inputs, 2);
    sharedAxes.forEach((axis) => resolveAxis(axis, shape.length, 'shared_axes'));
    const extents = shape
      .slice(1)
      .map((extent, i) => (sharedAxes.includes(i + 1) ? 1 : known(extent, 'the input')));
    return [{ name: 'alpha', shape: extents, trainable: true }];
  },
  outputs: (_settings, inputs) => [float32(single(inputs, 2).shape)],
  run: (_settings, { alpha }, inputs) => {
    const { shape, data } = inputs[0]!;
    const slopes = alpha!.shape;
    if (slopes.length !== shape.length - 1) throw wrong('alpha', 'the rank of a sample', slopes);
    const out = data.map((x, i) => {
      if (x > 0) return x;
      let [rest, index, stride] = [i, 0, 1];
      for (let d = shape.length - 1; d >= 1; d--) {
        if (slopes[d - 1] !== 1) index += (rest % shape[d]!) * stride;
        stride *= slopes[d - 1]!;
        rest = Math.floor(rest / shape[d]!);
      }
      return x * alpha!.data[index]!;
    });
    return [{ shape, data: out }];
  },
};

export const preluKinds = { PReLU: prelu };
