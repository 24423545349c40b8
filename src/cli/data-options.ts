/** The options that say which rows of a table do what, for the commands that read one. */
import type { Command } from 'commander';
import { invalid } from '../errors.js';
import type { SplitSettings } from '../table/split.js';
import { numberOption, wholeOption } from './options.js';

export interface SplitOptions {
  split?: string;
  groupBy?: string;
  validationShare: number;
  testShare: number;
  splitSeed: number;
}

export interface DataOptions extends SplitOptions {
  data: string;
  target: string;
}

export const shareOption = (name: string) =>
  numberOption(name, 'a number from 0, below 1', (value) => value >= 0 && value < 1);

/** The options that say which rows do what, for the commands that read a table; `stored`: a model may know them. */
export function addSplitOptions(command: Command, stored = false): Command {
  const by = stored ? ' (default: as the model was trained)' : '';
  return command
    .option('--split <column>', `column that says train, validation or test; it is no input${by}`)
    .option('--group-by <column>', 'rows with the same value here stay in one part; it is no input')
    .option(
      '--validation-share <shareOption>',
      'share of rows (or groups) to choose by',
      shareOption('validation-share'),
      0.1,
    )
    .option(
      '--test-share <shareOption>',
      'share of rows (or groups) held out',
      shareOption('test-share'),
      0.1,
    )
    .option('--split-seed <number>', 'which rows these are', wholeOption('split-seed', 0), 1);
}

export function splitSettings(options: SplitOptions): SplitSettings {
  if (options.split !== undefined && options.groupBy !== undefined) {
    throw invalid('INVALID_ARGUMENT', 'split', 'either --split or --group-by', 'both');
  }
  return {
    column: options.split,
    group: options.groupBy,
    seed: options.splitSeed,
    validation: options.validationShare,
    test: options.testShare,
  };
}

/** The split that was asked for by an option; undefined where none was, and the model's own holds. */
export function givenSplit(command: Command, options: SplitOptions): SplitSettings | undefined {
  const names = ['split', 'groupBy', 'validationShare', 'testShare', 'splitSeed'];
  return names.some((name) => command.getOptionValueSource(name) === 'cli')
    ? splitSettings(options)
    : undefined;
}
