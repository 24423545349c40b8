/** Which rows train, which choose (validation) and which are held out (test). */
import { EspalierError, invalid } from '../errors.js';
import { hashText, mix } from '../random.js';
import { columnOf, type Column, type Table } from './table.js';

/**
 * `column`: a column holding train, validation or test. `group`: rows that share a value of this column stay together,
 * so that no day, patient or route is in two parts. Neither: row by row. Group and row go by a hash of the seed.
 */
export interface SplitSettings {
  column?: string;
  group?: string;
  seed: number;
  /** Share of the rows (or groups); default 0.1. Unused with `column`. */
  validation: number;
  /** Share of the rows (or groups); default 0.1. Unused with `column`. */
  test: number;
}

export interface Split {
  train: Uint32Array;
  validation: Uint32Array;
  test: Uint32Array;
}

export type Part = keyof Split;

const WANTED: Record<Part, string> = {
  train: 'rows to train on',
  validation: 'rows to validate on',
  test: 'held-out rows',
};

const WORDS: Record<string, Part> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  test: 'test',
  heldout: 'test',
  'held-out': 'test',
  holdout: 'test',
};

function textAt(column: Column, row: number): string {
  if (column.kind === 'number') return String(column.values[row]);
  const code = column.codes[row]!;
  return code < 0 ? '' : column.texts[code]!;
}

function partByColumn(table: Table, name: string): (row: number) => Part {
  const column = columnOf(table, name);
  return (row) => {
    const text = textAt(column, row);
    const part = Object.hasOwn(WORDS, text.toLowerCase()) ? WORDS[text.toLowerCase()] : undefined;
    if (part === undefined) {
      throw invalid(
        'INVALID_DATA',
        `${table.path}, column ${name}, data row ${row + 1}`,
        'train, validation or test',
        text,
        {
          column: name,
        },
      );
    }
    return part;
  };
}

function partByHash(table: Table, settings: SplitSettings): (row: number) => Part {
  const column = settings.group === undefined ? undefined : columnOf(table, settings.group);
  return (row) => {
    const key = column === undefined ? row : hashText(textAt(column, row));
    const at = mix(settings.seed, 0x5b11, key) / 2 ** 32;
    if (at < settings.test) return 'test';
    return at < settings.test + settings.validation ? 'validation' : 'train';
  };
}

/** Throws INVALID_ARGUMENT for shares that leave nothing to train on, INVALID_DATA where a part of `needed` is empty. */
export function splitRows(
  table: Table,
  settings: SplitSettings,
  needed: readonly Part[] = ['train', 'validation'],
): Split {
  const { validation, test } = settings;
  if (!(validation > 0 && test >= 0 && validation + test < 1)) {
    throw invalid(
      'INVALID_ARGUMENT',
      'validation and test share',
      'validation above 0, test from 0, together below 1',
      [validation, test],
    );
  }
  const partOf =
    settings.column === undefined ? partByHash(table, settings) : partByColumn(table, settings.column);
  const parts: Record<Part, number[]> = { train: [], validation: [], test: [] };
  for (let row = 0; row < table.rows; row += 1) parts[partOf(row)].push(row);
  for (const part of needed) {
    if (parts[part].length === 0) {
      throw new EspalierError('INVALID_DATA', `${table.path}: expected ${WANTED[part]}, found none`, {
        parameter: table.path,
        expected: `${part} rows`,
        received: 0,
      });
    }
  }
  return {
    train: Uint32Array.from(parts.train),
    validation: Uint32Array.from(parts.validation),
    test: Uint32Array.from(parts.test),
  };
}
