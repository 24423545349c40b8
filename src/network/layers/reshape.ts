/** Flatten, Reshape, Permute, RepeatVector: other shapes of the same numbers. */
import { wrong } from '../config.js';
import { featuresOf, showShape, single, sizeOf } from '../shapes.js';
import type { LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Flatten: [B, ...] to [B, features], row-major. A vector [B] becomes [B, 1]. No settings. */
export type FlattenSettings = Readonly<Record<string, never>>;

export const flatten: LayerKind<FlattenSettings> = {
  names: ['Flatten'],
  supports: 'channels_last',
  parse: (config) => {
    config.oneOf('data_format', ['channels_last'], 'channels_last');
    return {};
  },
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

export const reshape: LayerKind<ReshapeSettings> = {
  names: ['Reshape'],
  supports: 'target_shape with at most one -1',
  parse: (config) => {
    const targetShape = config.intList('target_shape', { min: -1 });
    if (targetShape.includes(0) || targetShape.filter((extent) => extent === -1).length > 1) {
      throw wrong('target_shape', 'positive extents and at most one -1', targetShape);
    }
    return { targetShape };
  },
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
