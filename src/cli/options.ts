/** Parsers of option values, shared by the commands: what is wrong is told by name, exit code 2. */
import { valueFormat } from '../engine/options.js';
import { invalid } from '../errors.js';
import type { ValueFormat } from '../program/value-formats.js';

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

/** A parser of sizes: bytes, or a number with K, M or G (of 1024), as in 512M. */
function sizeOption(name: string) {
  return (text: string): number => {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
    const bytes = Number(number) * 1024 ** ['', 'K', 'M', 'G'].indexOf(unit.toUpperCase());
    if (!Number.isFinite(bytes) || bytes < 1)
      throw invalid('INVALID_ARGUMENT', name, 'a size such as 512M or 4G', text);
    return Math.floor(bytes);
  };
}

/** --max-memory, of the commands that read models of others. */
export const MAX_MEMORY = [
  '--max-memory <size>',
  'what weights may take while a model is read (default: 4G)',
  sizeOption('--max-memory'),
] as const;

const seconds = numberOption('--timeout', 'seconds above 0', (value) => value > 0);

/** --timeout, of the same commands: given in seconds, parsed to the milliseconds of ImportOptions. */
export const TIMEOUT = [
  '--timeout <seconds>',
  'how long reading the model may take (default: 10, and 1 for each 10 MB)',
  (text: string): number => 1000 * seconds(text),
] as const;
