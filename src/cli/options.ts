/** Parsers of option values, shared by the commands: what is wrong is told by name, exit code 2. */
import { valueFormat } from '../engine/options.js';
import { invalid } from '../errors.js';
import type { ValueFormat } from '../compile/round-values.js';

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

/** A parser of --values: a format, or its short name (bf16, f16, i8, f32). */
export function valuesOption(text: string): ValueFormat {
  const short: Record<string, ValueFormat> = { f32: 'float32', bf16: 'bfloat16', f16: 'float16', i8: 'int8' };
  return Object.hasOwn(short, text) ? (short[text] as ValueFormat) : valueFormat(text, '--values');
}
