/**
 * Affine operations disappear into their neighbours:
 * - into the linear operation before: s (W x + b) + o = (s W) x + (s b + o);
 * - into the linear operation after: W (s x + o) + b = (W s) x + (W o + b), where the offsets are small;
 * - two in a row become one.
 * New weights are computed in float64 and rounded once. Nothing is folded that would leave float32, or into a matrix
 * that other operations share.
 */
import type { Matrix, Operation, Program } from '../../program/program.js';
import { Sweep, usesOf, type Uses } from './uses.js';

type Affine = Extract<Operation, { op: 'affine' }>;
type Linear = Extract<Operation, { op: 'linear' }>;
type Dense = Extract<Matrix, { format: 'dense' }>;

/**
 * Offsets past this stay where they are: W o and W x would cancel in sums of float32 that carry them both. Shifts
 * alone (a mean that is far from 0) always stay, as they are there for this reason.
 */
const FOLDED_OFFSET = 8;

/** The program without the affine operations that a neighbour can take over; values keep their numbers. Pure. */
export function foldAffine(program: Program): Program {
  const uses = usesOf(program);
  const sweep = new Sweep();
  for (const operation of program.operations) {
    const before = 'input' in operation ? sweep.maker(operation.input) : undefined;
    if (before === undefined || uses.count(before.output) !== 1) {
      sweep.push(operation);
    } else if (operation.op === 'affine') {
      const folded = intoBefore(before, operation, uses);
      if (folded === null) sweep.push(operation);
      else sweep.replace(before.output, folded);
    } else if (operation.op === 'linear' && before.op === 'affine') {
      const folded = intoAfter(before, operation, uses);
      if (folded !== null) sweep.remove(before.output);
      sweep.push(folded ?? operation);
    } else sweep.push(operation);
  }
  return { ...program, operations: sweep.operations() };
}

function intoBefore(before: Operation, affine: Affine, uses: Uses): Operation | null {
  if ((before.op !== 'linear' && before.op !== 'affine') || before.activation.kind !== 'linear') return null;
  const { scale, offset, output, activation } = affine;
  const period = scale.length;
  if (before.op === 'affine') {
    if (isShift(before)) return null;
    const length = Math.max(period, before.scale.length);
    if (length % period !== 0 || length % before.scale.length !== 0) return null;
    const at = (numbers: Float32Array, i: number) => numbers[i % numbers.length] as number;
    const newScale = Float32Array.from({ length }, (_, i) => at(scale, i) * at(before.scale, i));
    const newOffset = Float32Array.from(
      { length },
      (_, i) => at(scale, i) * at(before.offset, i) + at(offset, i),
    );
    if (!finite(newScale) || !finite(newOffset)) return null;
    return { ...before, output, scale: newScale, offset: newOffset, activation };
  }
  const weight = before.weight;
  if (weight.format !== 'dense' || uses.matrixUses(weight) > 1 || weight.rows % period !== 0) return null;
  const { rows, cols } = weight;
  const values = new Float32Array(weight.values.length);
  const bias = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const s = scale[row % period] as number;
    for (let at = row * cols; at < (row + 1) * cols; at++) values[at] = s * (weight.values[at] as number);
    bias[row] = s * (before.bias?.[row] ?? 0) + (offset[row % period] as number);
  }
  if (!kept(weight.values, values, scale) || !finite(bias)) return null;
  return { ...before, output, weight: { ...weight, values }, bias, activation };
}

function intoAfter(affine: Affine, after: Linear, uses: Uses): Linear | null {
  const { scale, offset } = affine;
  const weight: Matrix = after.weight;
  const period = scale.length;
  if (affine.activation.kind !== 'linear' || weight.format !== 'dense' || uses.matrixUses(weight) > 1)
    return null;
  if (weight.cols % period !== 0 || isShift(affine) || !offset.every((o) => Math.abs(o) <= FOLDED_OFFSET))
    return null;
  const { rows, cols } = weight satisfies Dense;
  const values = new Float32Array(weight.values.length);
  const bias = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = after.bias?.[row] ?? 0;
    for (let col = 0; col < cols; col++) {
      const w = weight.values[row * cols + col] as number;
      values[row * cols + col] = w * (scale[col % period] as number);
      sum += w * (offset[col % period] as number);
    }
    bias[row] = sum;
  }
  if (!kept(weight.values, values, scale) || !finite(bias)) return null;
  return { ...after, input: affine.input, weight: { ...weight, values }, bias };
}

/** x + offset, with at least one offset. */
function isShift({ scale, offset }: Affine): boolean {
  return scale.every((s) => s === 1) && offset.some((o) => o !== 0);
}

function finite(values: Float32Array): boolean {
  return values.every((value) => Number.isFinite(value));
}

/** Whether scaling kept every weight: none overflowed, none became zero but by a scale of zero. */
function kept(before: Float32Array, after: Float32Array, scale: Float32Array): boolean {
  const zeroScale = scale.includes(0);
  for (let i = 0; i < after.length; i++) {
    const value = after[i] as number;
    if (!Number.isFinite(value) || (value === 0 && before[i] !== 0 && !zeroScale)) return false;
  }
  return true;
}
