/** Numbers of ASCII text, without making strings of them: most of the time of reading a table of numbers. */

/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
/** The smallest float32 that is not subnormal. */
const NORMAL = 2 ** -126;

/** Where the number ended that `numberAt` read. */
export let end = 0;

/**
 * The number whose text begins at `at` of `bytes` and ends before a comma or a line end; what `Number` makes of that
 * text or, if not `exact`, one that rounds to the same float32. NaN for all that this does not read: another text,
 * nothing, or a number that needs more care. Up to 15 digits and 22 powers of ten it is one exact operation (W. D.
 * Clinger, "How to read floating point numbers accurately", PLDI 1990).
 */
export function numberAt(bytes: Uint8Array, at: number, exact: boolean): number {
  let i = at;
  let c = bytes[i]!;
  const negative = c === 45;
  if (negative || c === 43) c = bytes[++i]!;
  const first = i;
  // Digits after leading zeros: nine in `high`, nine in `low`, so that both are small integers.
  let high = 0;
  let low = 0;
  let digits = 0;
  let dropped = 0;
  let dot = -1;
  for (; ; c = bytes[++i]!) {
    const digit = c - 48;
    if (digit >= 0 && digit <= 9) {
      if (digits < 9) {
        high = high * 10 + digit;
        if (high > 0) digits += 1;
      } else if (digits < 18) {
        low = low * 10 + digit;
        digits += 1;
      } else dropped += 1;
    } else if (c === 46 && dot < 0) dot = i;
    else break;
  }
  if (i - first === (dot < 0 ? 0 : 1)) return NaN;
  let power = dropped - (dot < 0 ? 0 : i - dot - 1);
  if (c === 101 || c === 69) {
    c = bytes[++i]!;
    const minus = c === 45;
    if (minus || c === 43) c = bytes[++i]!;
    const from = i;
    let shift = 0;
    for (; c >= 48 && c <= 57 && i - from < 4; c = bytes[++i]!) shift = shift * 10 + c - 48;
    if (i === from) return NaN;
    power += minus ? -shift : shift;
  }
  if (c !== 44 && c !== 10 && c !== 13) return NaN;
  end = i;
  const whole = digits <= 9 ? high : high * POWERS[digits - 9]! + low;
  if (whole === 0) return negative ? -0 : 0;
  if (power > 22 || power < -22) return NaN;
  const value = power < 0 ? whole / POWERS[-power]! : whole * POWERS[power]!;
  if (digits > 15) {
    if (exact || value < NORMAL) return NaN;
    // Three roundings and the dropped digits are less than 4 units of the last place away: the float32 is the right
    // one unless the middle between two lies there.
    double[0] = value;
    const distance = (halves[0]! & 0x1fffffff) - 0x10000000;
    if (distance > -8 && distance < 8) return NaN;
  }
  return negative ? -value : value;
}
