/** The command `espalier analyze`: its options, and the predictions of one model or two beside the truth, as tables. */
import Table from 'cli-table3';
import { Command } from 'commander';
import type { Analysis, ModelAnalysis } from '../../inspect/analyze.js';
import { grouped, percent } from '../format.js';
import type { ValueFormat } from '../../program/value-formats.js';
import { valuesOption, wholeOption } from '../options.js';
import { addSplitOptions, givenSplit, type DataOptions } from '../data-options.js';
import { MODEL_SOURCES } from '../../import/formats.js';

interface Options extends DataOptions {
  samples: number;
  seed: number;
  allRows?: boolean;
  threads?: number;
  values?: ValueFormat;
  json?: string;
}

/** `espalier analyze`: predictions against the truth, one model or two side by side. */
export function analyzeCommand(): Command {
  const command = new Command('analyze')
    .description('compare the predictions of a model, or of two, with the truth on held-out rows')
    .argument('<a>', `a model: ${MODEL_SOURCES}`)
    .argument('[b]', 'another one, say the pruned one')
    .requiredOption('--data <file.csv>', 'table with a header')
    .requiredOption('--target <column>', 'column of numbers that is predicted')
    .option(
      '--samples <number>',
      'held-out rows drawn for the first comparison',
      wholeOption('samples', 1),
      1000,
    )
    .option('--seed <number>', 'which rows these are', wholeOption('seed', 0), 1)
    .option('--all-rows', 'every row of the file is held out');
  return addSplitOptions(command, true)
    .option('--threads <number>', 'threads of the engine', wholeOption('threads', 1))
    .option(
      '--values <format>',
      'round the weights of the last model to bf16, f16 or int8: with one model, what that costs it',
      valuesOption,
    )
    .option('--json <file>', 'write it as JSON too')
    .action(async (a: string, b: string | undefined, options: Options, self: Command) => {
      const { analyze } = await import('../../inspect/analyze.js');
      const analysis = await analyze({
        ...options,
        a,
        b,
        split: givenSplit(self, options),
        say: console.log,
      });
      console.log(renderAnalysis(analysis));
      if (options.json !== undefined) {
        const { writeFileAtomic } = await import('../../files.js');
        await writeFileAtomic(options.json, `${JSON.stringify(analysis, null, 1)}\n`);
        console.log(`written to ${options.json}`);
      }
    });
}

type Of = (model: ModelAnalysis) => string;

/** The analysis as text: a column a model. */
export function renderAnalysis(analysis: Analysis): string {
  const models = analysis.b === undefined ? [analysis.a] : [analysis.a, analysis.b];
  const { samples } = analysis.a.samples;
  const parts = [
    [`on ${grouped(samples)} samples`, (model: ModelAnalysis) => model.samples],
    [`on all ${grouped(analysis.rows.heldOut)} held-out rows`, (model: ModelAnalysis) => model.all],
  ] as const;
  const rows: [string, Of][] = parts.flatMap(([where, of]): [string, Of][] => [
    [`pred/true ${where}`, (m) => `${of(m).ratio.mean.toFixed(4)} ± ${of(m).ratio.deviation.toFixed(4)}`],
    ['  RMSE', (m) => of(m).rmse.toPrecision(5)],
    ['  MAE', (m) => of(m).mae.toPrecision(5)],
    ['  R²', (m) => of(m).r2.toFixed(5)],
  ]);
  rows.push(['sparsity', (m) => percent(m.sparsity)]);
  for (const { name } of analysis.a.layers) {
    rows.push([`  ${name}`, (m) => percent(m.layers.find((layer) => layer.name === name)?.sparsity ?? null)]);
  }
  for (const [title, of] of [
    ['dense weights, bytes', (m: ModelAnalysis) => m.sizes.dense],
    ['.esp file, bytes', (m: ModelAnalysis) => m.sizes.esp],
  ] as const) {
    rows.push([title, (m) => grouped(of(m).raw)]);
    rows.push(['  after gzip -9', (m) => (of(m).gzip === null ? '-' : grouped(of(m).gzip ?? 0))]);
  }
  const table = new Table({
    head: [
      '',
      ...models.map(({ source, values }) => (values === undefined ? source : `${source} (${values})`)),
    ],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', ...models.map(() => 'right' as const)],
  });
  table.push(...rows.map(([title, of]) => [title, ...models.map(of)]));
  const lines = [table.toString()];
  if (analysis.comparison !== undefined) {
    const { rmse, ratio, difference } = analysis.comparison;
    const more = (share: number) => `${share >= 1 ? '+' : ''}${((share - 1) * 100).toFixed(2)} %`;
    lines.push(
      `second against first: RMSE ${more(rmse.all)} (${more(rmse.samples)} on the samples), pred/true ${more(ratio.all)} ` +
        `(${more(ratio.samples)}); predictions differ by ${difference.mean.toPrecision(3)} on the mean, ` +
        `${difference.largest.toPrecision(3)} at most`,
    );
  }
  return lines.join('\n');
}
