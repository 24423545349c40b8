/** Selection of the k-th largest magnitude: the threshold of every mask. */
import type { Addon } from '../../engine/addon.js';
import { addon } from '../../engine/find.js';

/** From this size on the native engine selects, if it is there. */
const NATIVE_FROM = 1 << 16;
let native: Addon | null | undefined;

/**
 * The k-th largest |w| (k from 1): exact, never a sort; large tensors in the addon where it loads.
 * The caller makes sure that no weight is NaN and 1 <= k <= weights.length.
 */
export function kthLargestMagnitude(weights: Float32Array, k: number): number {
  if (weights.length < NATIVE_FROM) return selectInJavaScript(weights, k);
  if (native === undefined) {
    try {
      native = addon();
    } catch {
      native = null;
    }
  }
  return native ? native.kthLargestMagnitude(weights, k) : selectInJavaScript(weights, k);
}

/**
 * The k-th largest |w| (k from 1), by two counting passes over the bits of the float32 numbers: a non-negative float's
 * bits are ordered as the float is. Exact, O(n), 512 KB of scratch whatever n; never a sort.
 */
export function selectInJavaScript(weights: Float32Array, k: number): number {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const n = bits.length;
  const high = new Uint32Array(1 << 15);
  for (let i = 0; i < n; i++) high[(bits[i]! & 0x7fffffff) >>> 16]!++;
  let left = k;
  let prefix = high.length - 1;
  while (left > high[prefix]!) left -= high[prefix--]!;
  const low = new Uint32Array(1 << 16);
  for (let i = 0; i < n; i++) {
    const magnitude = bits[i]! & 0x7fffffff;
    if (magnitude >>> 16 === prefix) low[magnitude & 0xffff]!++;
  }
  let suffix = low.length - 1;
  while (left > low[suffix]!) left -= low[suffix--]!;
  return new Float32Array(Uint32Array.of((prefix << 16) | suffix).buffer)[0]!;
}
