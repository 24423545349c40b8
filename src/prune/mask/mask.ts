/**
 * Masks by magnitude, to the letter of TensorFlow Model Optimization 0.8.1 (`sparsity/keras/pruning_impl.py`): pure
 * functions of the weights, in Keras layout, row-major.
 */
import { types } from 'node:util';
import { invalid, requireKeys } from '../../errors.js';
import { expandBlocks, poolBlocks, type BlockPooling, type BlockSize } from './block.js';
import { kthLargestMagnitude } from './select.js';

export type { BlockPooling, BlockSize } from './block.js';

export interface Mask {
  /** 1 where a weight is kept, in the order of the weights. */
  mask: Uint8Array;
  /** The smallest magnitude (of a weight, or of a pooled block) that is kept; 999 for m-by-n masks, as in tfmot. */
  threshold: number;
  /** Ones of the mask. */
  kept: number;
}

export interface MaskOptions {
  /** [height, width] of blocks that are kept or pruned together; [1, 1] by default. Matrices only. */
  blockSize?: BlockSize;
  /** What stands for a block: the mean or the largest of its magnitudes. 'AVG' by default. */
  blockPooling?: BlockPooling;
  /** Keep exactly the asked count; of equal magnitudes those of lower index. False by default: tfmot keeps all ties. */
  exact?: boolean;
}

/**
 * k of tfmot: how many of `size` weights (or blocks) are kept, in float32, halves to even, at least 1.
 * k = max(1, round(float32(size) * (1 - sparsity))).
 */
export function keptCount(size: number, sparsity: number): number {
  const wanted = Math.fround(Math.fround(size) * Math.fround(1 - Math.fround(sparsity)));
  const floor = Math.floor(wanted);
  const rest = wanted - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // float32 rounds sizes above 2^24: never ask for more than there is.
  return Math.min(size, Math.max(1, rounded));
}

/**
 * The mask that keeps the largest magnitudes of `weights`.
 *
 * @param weights float32 numbers, row-major; finite or infinite, not NaN
 * @param shape of the weights, any rank; two extents where blockSize is not [1, 1]
 * @param sparsity fraction of zeros, 0 to 1; at 1 the largest magnitude alone survives
 * @throws EspalierError INVALID_ARGUMENT or INVALID_INPUT where tfmot raises ValueError, and for NaN
 */
export function magnitudeMask(
  weights: Float32Array,
  shape: readonly number[],
  sparsity: number,
  options: MaskOptions = {},
): Mask {
  requireWeights(weights, shape);
  // Layers' own options have a schedule and more besides.
  requireKeys('options', options, ['blockSize', 'blockPooling', 'exact', 'schedule', 'sparsityMByN']);
  if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity <= 1)) {
    throw invalid('INVALID_ARGUMENT', 'sparsity', 'a number in [0, 1]', sparsity);
  }
  const { blockSize, blockPooling, exact } = checkMaskOptions(options);
  if (blockSize[0] === 1 && blockSize[1] === 1) return elementMask(weights, sparsity, exact);

  if (shape.length !== 2) {
    throw invalid('INVALID_ARGUMENT', 'shape', 'two extents, as blockSize is for matrices only', shape);
  }
  const [rows, cols] = shape as [number, number];
  const pooled = poolBlocks(weights, rows, cols, blockSize, blockPooling);
  const blocks = elementMask(pooled.values, sparsity, exact);
  const mask = expandBlocks(blocks.mask, pooled.cols, rows, cols, blockSize);
  return { mask, threshold: blocks.threshold, kept: countOnes(mask) };
}

/** Blocks that would be kept out of how many: what a sparsity means for a weight of this shape. */
export function unitsOf(shape: readonly number[], blockSize: BlockSize): number {
  if (blockSize[0] === 1 && blockSize[1] === 1) return shape.reduce((a, b) => a * b, 1);
  return Math.ceil(shape[0]! / blockSize[0]) * Math.ceil(shape[1]! / blockSize[1]);
}

function elementMask(weights: Float32Array, sparsity: number, exact: boolean): Mask {
  const size = weights.length;
  const k = keptCount(size, sparsity);
  const threshold = kthLargestMagnitude(weights, k);
  return maskAtThreshold(weights, threshold, exact ? k : null);
}

/**
 * Keeps what reaches the threshold, a float32 number; with `exactly`, of the weights equal to it only as many (in the order of their
 * indices) as that count allows.
 */
export function maskAtThreshold(weights: Float32Array, threshold: number, exactly: number | null): Mask {
  const size = weights.length;
  const mask = new Uint8Array(size);
  let kept = 0;
  if (exactly === null) {
    // Compared as bits, which are ordered as magnitudes are: no branch, so as fast on weights in any order.
    const bits = bitsOf(weights);
    const smaller = bitsOf(Float32Array.of(threshold))[0]! - 1;
    for (let i = 0; i < size; i++) {
      const keep = (smaller - (bits[i]! & MAGNITUDE)) >>> 31;
      mask[i] = keep;
      kept += keep;
    }
    return { mask, threshold, kept };
  }
  let ties = exactly;
  for (let i = 0; i < size; i++) if (Math.abs(weights[i]!) > threshold) ties--;
  for (let i = 0; i < size; i++) {
    const magnitude = Math.abs(weights[i]!);
    if (magnitude > threshold || (magnitude === threshold && ties-- > 0)) {
      mask[i] = 1;
      kept++;
    }
  }
  return { mask, threshold, kept };
}

/**
 * m zeros in each n consecutive weights along the input channels of one output channel (the last axis in TFLite's
 * layout): of each group the n - m largest magnitudes stay, lower indices first among equals. Groups that the end of a
 * row cuts short count as filled up with zeros.
 *
 * @param shape two extents [in, out], or four [height, width, in, out]
 * @throws EspalierError INVALID_ARGUMENT for other ranks, and unless 0 <= m < n
 */
export function mByNMask(weights: Float32Array, shape: readonly number[], m: number, n: number): Mask {
  requireWeights(weights, shape);
  if (shape.length !== 2 && shape.length !== 4) {
    throw invalid('INVALID_ARGUMENT', 'shape', 'two or four extents, as m-by-n masks take no others', shape);
  }
  requireMByN([m, n]);
  const outs = shape.at(-1)!;
  const ins = shape.at(-2)!;
  const positions = weights.length / (outs * ins);
  const mask = new Uint8Array(weights.length);
  let kept = 0;
  for (let position = 0; position < positions; position++) {
    for (let out = 0; out < outs; out++) {
      const base = position * ins * outs + out;
      for (let first = 0; first < ins; first += n) {
        const group = Math.min(n, ins - first);
        const left = Math.min(n - m, group);
        for (let chosen = 0; chosen < left; chosen++) {
          let best = -1;
          let largest = -1;
          for (let i = first; i < first + group; i++) {
            const at = base + i * outs;
            const magnitude = Math.abs(weights[at]!);
            if (mask[at] === 0 && magnitude > largest) {
              largest = magnitude;
              best = at;
            }
          }
          mask[best] = 1;
          kept++;
        }
      }
    }
  }
  return { mask, threshold: 999, kept };
}

export function requireMByN(value: unknown): asserts value is readonly [number, number] {
  const pair = Array.isArray(value) && value.length === 2 && value.every((v) => Number.isSafeInteger(v));
  if (!pair) throw invalid('INVALID_ARGUMENT', 'sparsityMByN', 'an array [m, n] of 2 integers', value);
  const [m, n] = value as [number, number];
  if (m < 0 || m >= n) {
    throw invalid('INVALID_ARGUMENT', 'sparsityMByN', 'm >= 0 and m smaller than n', value);
  }
}

export function checkMaskOptions(options: MaskOptions): Required<MaskOptions> {
  const { blockSize = [1, 1], blockPooling = 'AVG', exact = false } = options ?? {};
  const block = Array.isArray(blockSize) && blockSize.length === 2;
  if (!block || !blockSize.every((v) => Number.isSafeInteger(v) && v >= 1)) {
    throw invalid('INVALID_ARGUMENT', 'blockSize', 'an array [height, width] of 2 integers >= 1', blockSize);
  }
  if (blockPooling !== 'AVG' && blockPooling !== 'MAX') {
    throw invalid('INVALID_ARGUMENT', 'blockPooling', "'AVG' or 'MAX'", blockPooling);
  }
  if (typeof exact !== 'boolean') throw invalid('INVALID_ARGUMENT', 'exact', 'true or false', exact);
  return { blockSize: [blockSize[0], blockSize[1]], blockPooling, exact };
}

function requireWeights(weights: unknown, shape: unknown): void {
  if (!types.isFloat32Array(weights)) {
    throw invalid('INVALID_ARGUMENT', 'weights', 'a Float32Array', weights);
  }
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 1)) {
    throw invalid('INVALID_ARGUMENT', 'shape', 'an array of integers >= 1', shape);
  }
  const size = (shape as number[]).reduce((a, b) => a * b, 1);
  if (size !== weights.length) {
    throw invalid(
      'INVALID_ARGUMENT',
      'weights',
      `${size} numbers, as shape [${shape.join(', ')}] says`,
      weights,
    );
  }
  requireNoNaN('weights', weights);
}

export function requireNoNaN(parameter: string, weights: Float32Array): void {
  if (!hasNaN(weights)) return;
  const index = weights.findIndex((weight) => Number.isNaN(weight));
  throw invalid('INVALID_INPUT', parameter, 'numbers, as NaN has no magnitude', NaN, { index });
}

/** Whether any weight is NaN: its magnitude's bits are above those of infinity. */
export function hasNaN(weights: Float32Array): boolean {
  const bits = bitsOf(weights);
  let signs = 0;
  for (let i = 0; i < bits.length; i++) signs |= INFINITY - (bits[i]! & MAGNITUDE);
  return signs < 0;
}

const MAGNITUDE = 0x7fffffff;
const INFINITY = 0x7f800000;

function bitsOf(weights: Float32Array): Uint32Array {
  return new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
}

function countOnes(mask: Uint8Array): number {
  let ones = 0;
  for (let i = 0; i < mask.length; i++) ones += mask[i]!;
  return ones;
}
