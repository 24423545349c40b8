/** Parsers of option values, shared by the commands: what is wrong is told by name, exit code 2. */
import { invalid } from '../errors.js';

/** A parser for commander: a number from `least` (excluded with `above`) to `most`. */
export function numberOption(name: string, expected: string, holds: (value: number) => boolean) {
  return (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!Number.isFinite(value) || !holds(value)) throw invalid('INVALID_ARGUMENT', name, expected, text);
    return value;
  };
}

export function wholeOption(name: string, least: number) {
  return numberOption(
    name,
    `a whole number from ${least}`,
    (value) => Number.isSafeInteger(value) && value >= least,
  );
}
