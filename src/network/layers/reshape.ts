/** Flatten, Reshape, Permute, RepeatVector: other shapes of the same numbers. */
import { wrong } from '../untrusted.js';
import { featuresOf, showShape, single, sizeOf } from '../shapes.js';
import type { LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Flatten: [B, ...] to [B, features], row-major. A vector [B] becomes [B, 1]. No settings. */
export type FlattenSettings = Readonly<Record<string, never>>;

const flatten: LayerKind<FlattenSettings> = {
  outputs: (_settings, inputs) => {
    const { shape, dtype } = single(inputs);
    return [{ shape: [shape[0] ?? null, featuresOf(shape)], dtype }];
  },
  run: (_settings, _weights, inputs) => {
    const { shape, data } = inputs[0]!;
    return [{ shape: [shape[0]!, sizeOf(shape.slice(1))], data }];
  },
};

export interface ReshapeSettings {
  /** Without the batch; at most one extent is -1: what is left. */
  readonly targetShape: readonly number[];
}

const reshape: LayerKind<ReshapeSettings> = {
  outputs: ({ targetShape }, inputs) => {
    const { shape, dtype } = single(inputs);
    const features = featuresOf(shape);
    const fixed = targetShape.filter((extent) => extent !== -1).reduce((a, b) => a * b, 1);
    if (features !== null) {
      if (targetShape.includes(-1) ? features % fixed !== 0 : features !== fixed) {
        throw wrong(
          'target_shape',
          `a shape of ${features} numbers, as ${showShape(shape)} has`,
          targetShape,
        );
      }
    }
    const rest = features === null ? null : features / fixed;
    return [
      { shape: [shape[0] ?? null, ...targetShape.map((extent) => (extent === -1 ? rest : extent))], dtype },
    ];
  },
  run: ({ targetShape }, _weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const value = reshape.outputs({ targetShape }, [float32(shape)])[0]!;
    return [{ shape: value.shape as number[], data }];
  },
};

export interface PermuteSettings {
  /** A permutation of 1 .. rank - 1: output axis i is input axis dims[i - 1]. */
  readonly dims: readonly number[];
}

const permute: LayerKind<PermuteSettings> = {
  outputs: ({ dims }, inputs) => {
    const { shape, dtype } = single(inputs, dims.length + 1, dims.length + 1);
    return [{ shape: [shape[0] ?? null, ...dims.map((axis) => shape[axis] ?? null)], dtype }];
  },
  run: ({ dims }, _weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const axes = [0, ...dims];
    const out = axes.map((axis) => shape[axis]!);
    const strides = axes.map((axis) => sizeOf(shape.slice(axis + 1)));
    const result = new Float32Array(data.length);
    for (let i = 0; i < result.length; i++) {
      let [rest, from] = [i, 0];
      for (let d = out.length - 1; d >= 0; d--) {
        from += (rest % out[d]!) * strides[d]!;
        rest = Math.floor(rest / out[d]!);
      }
      result[i] = data[from]!;
    }
    return [{ shape: out, data: result }];
  },
};

export interface RepeatVectorSettings {
  readonly n: number;
}

/** [B, F] to [B, n, F]. */
const repeatVector: LayerKind<RepeatVectorSettings> = {
  outputs: ({ n }, inputs) => {
    const { shape, dtype } = single(inputs, 2, 2);
    return [{ shape: [shape[0] ?? null, n, shape[1] ?? null], dtype }];
  },
  run: ({ n }, _weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const [batch, features] = shape as [number, number];
    const out = new Float32Array(batch * n * features);
    for (let i = 0; i < batch * n; i++) {
      const row = Math.floor(i / n) * features;
      out.set(data.subarray(row, row + features), i * features);
    }
    return [{ shape: [batch, n, features], data: out }];
  },
};

export const reshapeKinds = {
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
};
