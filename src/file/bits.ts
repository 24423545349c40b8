/** Whole numbers of k bits each, the first in the lowest bits of the first byte; the last byte is filled with ones. */

/** Each of `numbers` below 2^bits; bits from 1 to 8. */
export function packBits(numbers: Uint8Array, bits: number): Uint8Array {
  const out = new Uint8Array(Math.ceil((numbers.length * bits) / 8));
  let held = 0;
  let width = 0;
  let at = 0;
  for (let i = 0; i < numbers.length; i++) {
    held |= (numbers[i] as number) << width;
    for (width += bits; width >= 8; width -= 8) {
      out[at++] = held & 255;
      held >>>= 8;
    }
  }
  if (width > 0) out[at] = (held | (0xff << width)) & 255;
  return out;
}
