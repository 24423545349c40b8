/** Pooling of magnitudes over blocks and its way back, as tfmot does them (`pruning_utils.py`). */
import { invalid } from '../../errors.js';

/** [height, width] */
export type BlockSize = readonly [number, number];
export type BlockPooling = 'AVG' | 'MAX';

export interface Pooled {
  values: Float32Array;
  rows: number;
  cols: number;
}

/**
 * Pools |w| along the height, then along the width, each with stride = window and SAME padding. Padding is shared by
 * both ends (the smaller half before), so where a block does not divide the matrix the windows begin before its first
 * row; the average counts what is there, and the second average is one of averages. Each step is rounded to float32.
 *
 * tfmot drops extents of 1 on the way and then fails; so do we, before anything is computed.
 */
export function poolBlocks(
  weights: Float32Array,
  rows: number,
  cols: number,
  [height, width]: BlockSize,
  pooling: BlockPooling,
): Pooled {
  if (rows === 1 || cols === 1) {
    throw invalid('INVALID_ARGUMENT', 'shape', 'more than one row and one column for blockSize', [
      rows,
      cols,
    ]);
  }
  const pooledRows = Math.ceil(rows / height);
  const pooledCols = Math.ceil(cols / width);
  if (pooledRows === 1 || pooledCols === 1) {
    const got = `[${height}, ${width}] on [${rows}, ${cols}], which leaves [${pooledRows}, ${pooledCols}]`;
    throw invalid('INVALID_ARGUMENT', 'blockSize', 'at least two rows and two columns of blocks', got);
  }
  const tall = poolAxis(weights, { extent: rows, step: cols, lines: cols, lineStep: 1 }, height, pooling);
  const across = { extent: cols, step: 1, lines: pooledRows, lineStep: cols };
  return { values: poolAxis(tall, across, width, pooling), rows: pooledRows, cols: pooledCols };
}

/** `extent` elements `step` apart are pooled, for each of `lines` lines `lineStep` apart. */
interface Axis {
  extent: number;
  step: number;
  lines: number;
  lineStep: number;
}

/** Keeps the order of the axes: pooled rows are `lines` apart where lines are columns, else 1. */
function poolAxis(input: Float32Array, axis: Axis, window: number, pooling: BlockPooling): Float32Array {
  const { extent, step, lines, lineStep } = axis;
  const pooled = Math.ceil(extent / window);
  const before = Math.floor((pooled * window - extent) / 2);
  const [outStep, outLineStep] = lineStep === 1 ? [lines, 1] : [1, pooled];
  const output = new Float32Array(pooled * lines);
  for (let line = 0; line < lines; line++) {
    for (let p = 0; p < pooled; p++) {
      const from = Math.max(0, p * window - before);
      const to = Math.min(extent, p * window - before + window);
      let value = 0;
      for (let e = from; e < to; e++) {
        const magnitude = Math.abs(input[line * lineStep + e * step]!);
        value = pooling === 'AVG' ? Math.fround(value + magnitude) : Math.max(value, magnitude);
      }
      if (pooling === 'AVG') value = Math.fround(value / (to - from));
      output[p * outStep + line * outLineStep] = value;
    }
  }
  return output;
}

/** Each block's bit over all its weights, blocks counted from the first row and column; cut at the matrix's end. */
export function expandBlocks(
  blocks: Uint8Array,
  blockCols: number,
  rows: number,
  cols: number,
  [height, width]: BlockSize,
): Uint8Array {
  const mask = new Uint8Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const blockRow = Math.floor(r / height) * blockCols;
    for (let c = 0; c < cols; c++) mask[r * cols + c] = blocks[blockRow + Math.floor(c / width)]!;
  }
  return mask;
}
