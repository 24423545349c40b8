/** Dense: a linear operation over the last axis, then its activation. */
import type { DenseSettings } from '../../network/layers/dense.js';
import { lowerActivation } from './activation.js';
import { LINEAR, featuresOf, type Lowering } from './lowering.js';

const dense: Lowering<DenseSettings> = (context, { units, useBias, activation }) => {
  const shape = context.inputShapes[0] ?? [];
  const outputShape = context.outputShapes[0] ?? [];
  const cols = shape[shape.length - 1] as number;
  const linear = context.add(
    {
      op: 'linear',
      input: context.inputs[0] as number,
      positions: featuresOf(shape) / cols,
      weight: context.once('kernel', () => ({
        format: 'dense',
        rows: units,
        cols,
        values: transpose(context.weight('kernel'), cols, units),
      })),
      bias: useBias ? context.weight('bias') : null,
      activation: LINEAR,
    },
    featuresOf(outputShape),
  );
  return lowerActivation(context, activation, linear, outputShape);
};

/** [rows, cols] to [cols, rows], in tiles that stay in the cache. */
export function transpose(source: Float32Array, rows: number, cols: number): Float32Array {
  const result = new Float32Array(source.length);
  const tile = 32;
  for (let top = 0; top < rows; top += tile) {
    for (let left = 0; left < cols; left += tile) {
      for (let row = top; row < Math.min(top + tile, rows); row++) {
        for (let col = left; col < Math.min(left + tile, cols); col++) {
          result[col * rows + row] = source[row * cols + col] as number;
        }
      }
    }
  }
  return result;
}

export const denseLowerings = { Dense: dense };
