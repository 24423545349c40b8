/** The command `espalier predict`: its options, and a bar while a table is scored. */
import { Command, InvalidArgumentError } from 'commander';
import cliProgress from 'cli-progress';

const positive = (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return value;
};

interface Options {
  input: string;
  output: string;
  inputFormat?: string;
  outputFormat?: string;
  columns?: string;
  keep?: string;
  preprocessing?: string | false;
  batch: number;
  threads?: number;
  resume?: boolean;
}

/** `espalier predict`: scores a table of any length with constant memory. */
export function predictCommand(): Command {
  return new Command('predict')
    .description('score the rows of a table: csv, jsonl, npy, parquet or arrow, of any length')
    .argument('<model>', 'a model with one input')
    .requiredOption('--input <file>', 'the table; - is standard input')
    .requiredOption('--output <file>', 'the scores: csv, jsonl, npy or arrow; - is standard output')
    .option('--input-format <format>', 'csv, jsonl, npy, parquet or arrow (default: by the name; - is arrow)')
    .option('--output-format <format>', 'csv, jsonl, npy or arrow (default: by the name; - is arrow)')
    .option('--columns <names>', "the model's features in their order, by name (default: all, in file order)")
    .option(
      '--preprocessing <run>',
      'a run of espalier train: encode raw columns as in training (default: beside the model)',
    )
    .option('--no-preprocessing', 'the columns are the inputs of the model as they are')
    .option('--keep <names>', 'columns to copy to the output (csv, jsonl and arrow)')
    .option('--batch <rows>', 'rows that are scored together', positive, 4096)
    .option('--threads <n>', 'threads of the engine', positive)
    .option('--resume', 'go on after an interrupted run with the same files')
    .action(async (model: string, options: Options) => {
      const { predict } = await import('../../predict/predict.js');
      const list = (text: string | undefined) => text?.split(',').map((name) => name.trim());
      const bar = new cliProgress.SingleBar({
        format: '{bar} {percentage} % · {rows} rows · {speed} rows/s · {eta_formatted} left',
        barsize: 24,
        stream: process.stderr,
        noTTYOutput: true,
        notTTYSchedule: 15_000,
      });
      const began = performance.now();
      bar.start(1, 0, { rows: 0, speed: 0 });
      try {
        const { rows } = await predict({
          ...options,
          model,
          columns: list(options.columns),
          keep: list(options.keep) ?? [],
          resume: options.resume === true,
          progress: (done, total, rows) => {
            const speed = Math.round(rows / ((performance.now() - began) / 1000));
            bar.setTotal(Math.max(total, 1));
            bar.update(done, { rows, speed });
          },
        });
        bar.stop();
        console.error(`${rows} rows scored`);
      } finally {
        bar.stop();
      }
    });
}
