/** Numbers as people read them. */

/** "1,234,567". */
export function grouped(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** "75.0 %"; "-" for null. */
export function percent(value: number | null): string {
  return value === null ? '-' : `${(100 * value).toFixed(1)} %`;
}

/** "[batch, 28, 28, 1]". */
export function shapeWithBatch(shape: readonly (number | null)[]): string {
  return `[${shape.map((extent, axis) => (extent === null ? (axis === 0 ? 'batch' : '?') : extent)).join(', ')}]`;
}
