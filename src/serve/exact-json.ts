/**
 * Whole numbers of a JSON body as they are written: JSON.parse gives the nearest double of each, which may be another
 * number. Looked at only where that can have happened, as the text is parsed a second time for it.
 */
import { invalid } from '../errors.js';
import { DATATYPES, inexact } from './datatypes.js';
import type { Datatype } from './types.js';

/** A double holds every whole number below this, and every number of at most fifteen digits apart from its neighbours. */
const ROUNDED_FROM = 2 ** 53;
const MANY_DIGITS = /[\d.]{16}/;

/** Beyond the largest: a double cannot tell these two from it. */
const MOST: Partial<Record<Datatype, bigint>> = { INT64: 2n ** 63n, UINT64: 2n ** 64n };

/** A whole string, so that digits in it are passed over, or a number. For valid JSON only. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

export class ExactJson {
  readonly #text: string;
  #manyDigits: boolean | undefined;
  #parsed: { inputs: { data: unknown }[] } | undefined;

  /** @param text a valid JSON object. */
  constructor(text: string) {
    this.#text = text;
  }

  /**
   * Throws INVALID_INPUT where a whole number of the data of an input is written otherwise than what `numbers`, which
   * were read from it, say.
   */
  check(input: number, datatype: Datatype, numbers: Float32Array, parameter: string): void {
    if (DATATYPES[datatype].range === undefined || !this.#mayBeRounded(numbers)) return;
    this.#parsed ??= JSON.parse(
      this.#text.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`)),
    ) as { inputs: { data: unknown }[] };
    let index = 0;
    const visit = (value: unknown): void => {
      if (Array.isArray(value)) return value.forEach(visit);
      // true and false of BOOL stay what they are.
      if (typeof value === 'string') {
        const whole = wholeNumber(value);
        if (whole === undefined || whole >= (MOST[datatype] ?? whole + 1n)) {
          throw invalid('INVALID_INPUT', `${parameter}[${index}]`, `an integer of ${datatype}`, value);
        }
        if (BigInt(numbers[index]!) !== whole) throw inexact(parameter, datatype, index, whole);
      }
      index++;
    };
    visit(this.#parsed.inputs[input]!.data);
  }

  #mayBeRounded(numbers: Float32Array): boolean {
    this.#manyDigits ??= MANY_DIGITS.test(this.#text);
    return this.#manyDigits || numbers.some((number) => Math.abs(number) >= ROUNDED_FROM);
  }
}

/** The whole number that a JSON number writes; undefined for one with a fraction, or of more than thirty digits. */
function wholeNumber(text: string): bigint | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = whole + fraction;
  let [start, end] = [0, digits.length];
  while (start < end && digits[start] === '0') start++;
  while (end > start && digits[end - 1] === '0') end--;
  if (start === end) return 0n;
  const zeros = Number(exponent) - fraction.length + (digits.length - end);
  if (zeros < 0 || end - start + zeros > 30) return undefined;
  const value = BigInt(digits.slice(start, end)) * 10n ** BigInt(zeros);
  return sign === '-' ? -value : value;
}
