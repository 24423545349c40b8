/** Shapes: the batch first and null, other extents null where they are flexible. */
import { MAX_EXTENT, wrong } from './untrusted.js';
import type { Shape, Value } from './tensors.js';

/** "[null, 4]". */
export function showShape(shape: Shape): string {
  return `[${shape.map(String).join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** The number of elements of a shape without null. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, extent) => size * extent, 1);
}

/** Elements of a sample, or null where an extent is flexible. */
export function featuresOf(shape: Shape): number | null {
  let size = 1;
  for (const extent of shape.slice(1)) {
    if (extent === null) return null;
    size *= extent;
  }
  return size;
}

/** Checks that a sample is not empty and not beyond what indices can count. */
export function checkValue(value: Value, what: string): Value {
  let size = 1;
  for (const extent of value.shape.slice(1)) {
    if (extent === null) continue;
    if (!Number.isSafeInteger(extent) || extent < 1 || extent > MAX_EXTENT) {
      throw wrong(what, 'a shape whose extents are positive', showShape(value.shape));
    }
    size *= extent;
  }
  if (size > MAX_EXTENT) throw wrong(what, `at most ${MAX_EXTENT} numbers a sample`, showShape(value.shape));
  return value;
}

/** A negative axis counts from the end. The batch axis is no choice unless `batch` says so. */
export function resolveAxis(axis: number, rank: number, parameter = 'axis', batch = false): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < (batch ? 0 : 1) || resolved >= rank) {
    throw wrong(parameter, `an axis of a tensor of rank ${rank} other than the batch`, axis);
  }
  return resolved;
}

/** The one input of a layer that takes one, of a rank in [min, max] (the batch counts). */
export function single(inputs: readonly Value[], min = 1, max = 8): Value {
  const input = inputs[0];
  if (inputs.length !== 1 || input === undefined) {
    throw wrong('inputs', 'one input', `${inputs.length} inputs`);
  }
  if (input.shape.length < min || input.shape.length > max) {
    const ranks = min === max ? `${min}` : `${min} to ${max}`;
    throw wrong('input', `rank ${ranks}, batch included`, showShape(input.shape));
  }
  return input;
}

/** An extent that a weight's shape depends on must be known. */
export function known(extent: number | null | undefined, what: string): number {
  if (extent === null || extent === undefined) throw wrong(what, 'a known extent', extent);
  return extent;
}
