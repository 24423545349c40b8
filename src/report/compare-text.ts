/** A comparison as tables for the screen. */
import Table from 'cli-table3';
import { bytes, time } from '../measure/table.js';
import type { Change, ComparisonOfResults, Difference } from './compare.js';
import { times } from './sections/timing.js';

const PLAIN = { style: { head: [], border: [], compact: true } };

const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${(100 * (ratio - 1)).toFixed(1)} %`;

const WORDS: Record<Difference['verdict'], string> = {
  faster: 'B is faster',
  slower: 'B is slower',
  same: 'within the noise',
};

function inUnit({ unit, a, b }: Change): [string, string] {
  const text =
    unit === 'bytes'
      ? (value: number) => bytes(Math.max(0, value))
      : unit === 'ms'
        ? (value: number) => time(value * 1000)
        : (value: number) => `${value.toPrecision(5)}${unit === '' ? '' : ` ${unit}`}`;
  return [text(a), text(b)];
}

/** `all`: also figures that have no rounds to tell noise by. */
export function renderComparison(comparison: ComparisonOfResults, all = true): string {
  const parts: string[] = [];
  const timings = new Table({
    ...PLAIN,
    head: ['network', 'batch', 'engine', 'A p50', 'B p50', 'B / A (95 %)', 'change', ''],
    colAligns: ['left', 'right', 'left', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const one of comparison.differences) {
    timings.push([
      one.network,
      one.batch,
      one.engine,
      time(one.a),
      time(one.b),
      `${times(one.ratio)} [${times(one.low)}, ${times(one.high)}]`,
      percent(one.ratio),
      `${WORDS[one.verdict]}${one.noisy ? ' !' : ''}`,
    ]);
  }
  parts.push(timings.toString());
  if (all && comparison.changes.length > 0) {
    const table = new Table({
      ...PLAIN,
      head: ['network', 'figure', 'A', 'B', 'change'],
      colAligns: ['left', 'left', 'right', 'right', 'right'],
    });
    for (const change of comparison.changes) {
      table.push([
        change.network,
        change.what,
        ...inUnit(change),
        change.a > 0 ? percent(change.b / change.a) : '',
      ]);
    }
    parts.push(table.toString());
  }
  if (comparison.differences.some(({ noisy }) => noisy)) {
    parts.push('! the rounds of A or of B lie too far apart to build on this figure');
  }
  parts.push(...comparison.unmatched);
  parts.push(...comparison.warnings.map((warning) => `warning: ${warning}`));
  return parts.join('\n');
}
