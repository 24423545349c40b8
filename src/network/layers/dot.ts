/** Dot: the product of two tensors over one axis of each, sample by sample. */
import { wrong } from '../untrusted.js';
import { resolveAxis, showShape, sizeOf } from '../shapes.js';
import type { Shape } from '../tensors.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

export interface DotSettings {
  /** The summed axis of each input; may be negative; never the batch. */
  readonly axes: readonly [number, number];
  /** Scale both to unit length along their axes first (cosine proximity). */
  readonly normalize: boolean;
}

/** The summed axes, resolved; checks that their extents agree. */
export function dotAxes({ axes }: DotSettings, a: Shape, b: Shape): [number, number] {
  const [i, j] = [resolveAxis(axes[0], a.length, 'axes'), resolveAxis(axes[1], b.length, 'axes')];
  if (a[i] !== b[j] && a[i] !== null && b[j] !== null) {
    throw wrong('axes', 'axes of equal extents', `${showShape(a)} and ${showShape(b)}`);
  }
  return [i, j];
}

const without = (shape: Shape, axis: number): (number | null)[] => shape.filter((_, i) => i !== axis);

/** As [batch, kept, summed]. */
function arrange(
  { shape, data }: Arr,
  axis: number,
  normalize: boolean,
): { data: Float64Array; kept: number } {
  const [before, extent, after] = [sizeOf(shape.slice(1, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
  const kept = before * after;
  const out = new Float64Array(data.length);
  for (let b = 0; b < shape[0]!; b++) {
    for (let k = 0; k < kept; k++) {
      const from = (b * before + Math.floor(k / after)) * extent * after + (k % after);
      let squares = 0;
      for (let s = 0; s < extent; s++) squares += data[from + s * after]! ** 2;
      const scale = normalize ? 1 / Math.sqrt(Math.max(squares, 1e-12)) : 1;
      for (let s = 0; s < extent; s++) out[(b * kept + k) * extent + s] = data[from + s * after]! * scale;
    }
  }
  return { data: out, kept };
}

const dot: LayerKind<DotSettings> = {
  outputs: (settings, inputs) => {
    const [a, b] = inputs;
    if (a === undefined || b === undefined || inputs.length !== 2) {
      throw wrong('inputs', 'two inputs', `${inputs.length} inputs`);
    }
    const [i, j] = dotAxes(settings, a.shape, b.shape);
    const shape = [...without(a.shape, i), ...without(b.shape, j).slice(1)];
    return [float32(shape.length === 1 ? [...shape, 1] : shape)];
  },
  run: (settings, _weights, inputs) => {
    const [a, b] = inputs as [Arr, Arr];
    const [i, j] = dotAxes(settings, a.shape, b.shape);
    const [left, right] = [arrange(a, i, settings.normalize), arrange(b, j, settings.normalize)];
    const [batch, extent] = [a.shape[0]!, a.shape[i]!];
    const out = new Float32Array(batch * left.kept * right.kept);
    for (let n = 0; n < batch; n++) {
      for (let l = 0; l < left.kept; l++) {
        for (let r = 0; r < right.kept; r++) {
          let sum = 0;
          for (let s = 0; s < extent; s++) {
            sum +=
              left.data[(n * left.kept + l) * extent + s]! * right.data[(n * right.kept + r) * extent + s]!;
          }
          out[(n * left.kept + l) * right.kept + r] = sum;
        }
      }
    }
    const shape = [...without(a.shape, i), ...without(b.shape, j).slice(1)] as number[];
    return [{ shape: shape.length === 1 ? [...shape, 1] : shape, data: out }];
  },
};

export const dotKinds = { Dot: dot };
