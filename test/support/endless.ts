/** A Keras .h5 file whose reader never ends. */

/**
 * The file with the local heap of its root group made a circle: the free block that comes after the first is the first.
 * Heads of heaps: "HEAP", version, size, offset of the first free block; a free block begins with the offset of the next.
 */
export function endlessHeap(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  for (let at = changed.indexOf('HEAP'); at !== -1; at = changed.indexOf('HEAP', at + 4)) {
    const free = Number(changed.readBigUInt64LE(at + 16));
    const data = Number(changed.readBigUInt64LE(at + 24));
    if (data + free + 8 <= changed.length) changed.writeBigUInt64LE(BigInt(free), data + free);
  }
  return changed;
}
