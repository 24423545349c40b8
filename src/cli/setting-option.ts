/** Options of the command line that are made from a schema: what a value may be and what help says is told there. */
import { Option } from 'commander';
import { z } from 'zod';
import { invalid } from '../errors.js';
import { settingHelp, type SettingHelp } from '../recipe/recipe.js';
import { numberOption } from './options.js';

type Range = Partial<
  Record<'minimum' | 'exclusiveMinimum' | 'maximum' | 'exclusiveMaximum', number> & { type: string }
>;

/** "a number in [0, 1)", "a whole number from 1", "a number above 0". */
function rangeInWords(schema: z.ZodType): string {
  const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = z.toJSONSchema(schema) as Range;
  if (type === 'integer') return `a whole number from ${minimum}`;
  const least = minimum === undefined ? `(${exclusiveMinimum}` : `[${minimum}`;
  if (maximum !== undefined) return `a number in ${least}, ${maximum}]`;
  if (exclusiveMaximum !== undefined) return `a number in ${least}, ${exclusiveMaximum})`;
  return minimum === undefined ? `a number above ${exclusiveMinimum}` : `a number from ${minimum}`;
}

/** A parser for commander: a number that the schema takes. */
export function numberOf(schema: z.ZodType, name: string): (text: string) => number {
  return numberOption(name, rangeInWords(schema), (value) => schema.safeParse(value).success);
}

/** A parser for commander of two whole numbers, as in "4x1" (mark "x") or "2:4" (mark ":"). */
function pairOf(name: string, mark: string, example: string) {
  return (text: string): [number, number] => {
    const parts = text.split(mark).map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : NaN));
    if (parts.length !== 2 || !parts.every(Number.isSafeInteger))
      throw invalid('INVALID_ARGUMENT', name, `two whole numbers as in ${example}`, text);
    return parts as [number, number];
  };
}

/** The names that a schema takes, by itself or beside an object that tells more; null where it takes others. */
function choicesOf(schema: z.ZodType): string[] | null {
  const { enum: own, anyOf = [] } = z.toJSONSchema(schema) as {
    enum?: string[];
    anyOf?: { enum?: string[] }[];
  };
  return own ?? anyOf.find((branch) => branch.enum !== undefined)?.enum ?? null;
}

/** "initialSparsity" as "initial-sparsity". */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** What help says: the schema's words, and what holds without the option. */
export function helpText(schema: z.ZodType, own: Partial<SettingHelp> = {}): string {
  const { text, fallback } = { ...settingHelp.get(schema), ...own };
  return fallback === undefined ? text! : `${text} (default: ${fallback})`;
}

/**
 * An option for a setting of a recipe.
 *
 * @param name of the option, in camel case as commander stores it
 * @param own what this command says otherwise than the schema
 */
export function settingOption(schema: z.ZodType, name: string, own: Partial<SettingHelp> = {}): Option {
  const flag = dashed(name);
  const { value = '' } = { ...settingHelp.get(schema), ...own };
  const option = new Option(value === '' ? `--${flag}` : `--${flag} <${value}>`, helpText(schema, own));
  const choices = choicesOf(schema);
  if (choices !== null) return option.choices(choices);
  const { type } = z.toJSONSchema(schema);
  if (type === 'number' || type === 'integer') return option.argParser(numberOf(schema, flag));
  if (type !== 'array') return option;
  return option.argParser(value.includes(':') ? pairOf(flag, ':', '2:4') : pairOf(flag, 'x', '4x1'));
}
