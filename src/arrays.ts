/**
 * What callers hand in as typed arrays, told by what it is and not by its constructor: arrays of another realm (a vm
 * context, a test's sandbox) are as good as ours, which `instanceof` denies.
 */
import { types } from 'node:util';
import { EspalierError } from './errors.js';

/** Whether its memory is gone: transferred to a worker, or cut off by a resize. Its length is 0 then. */
export function isDetached(array: NodeJS.TypedArray): boolean {
  if (array.length > 0) return false;
  try {
    // Looks at the memory and throws where there is none, for typed arrays of any kind and realm.
    Uint8Array.prototype.keys.call(array);
    return false;
  } catch {
    return true;
  }
}

/** As text for `received` in a message. */
export const DETACHED = 'an array whose memory is detached (transferred away)';

/** Bytes as a Uint8Array of this realm over the same memory; null for what is no Uint8Array. Throws INVALID_INPUT. */
export function bytesOf(source: unknown, parameter: string): Uint8Array | null {
  if (!types.isUint8Array(source)) return null;
  if (isDetached(source)) {
    throw new EspalierError('INVALID_INPUT', `${parameter}: expected bytes, received ${DETACHED}`, {
      parameter,
      expected: 'bytes',
      received: DETACHED,
    });
  }
  if (source instanceof Uint8Array) return source;
  const { buffer, byteOffset, byteLength } = source as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
