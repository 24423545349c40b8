/** The command `espalier report`: results of bench in, a page or a table out. */
import { extname } from 'node:path';
import { Command, Option } from 'commander';
import type { ReportFormat } from '../../report/report.js';

interface Flags {
  format?: ReportFormat;
  output?: string;
  title?: string;
  charts: boolean | string;
}

const BY_EXTENSION: Record<string, ReportFormat> = {
  '.html': 'html',
  '.htm': 'html',
  '.md': 'md',
  '.csv': 'csv',
};

/** `espalier report`: results of `espalier bench` as one page, as Markdown or as CSV. */
export function reportCommand(): Command {
  return new Command('report')
    .description('make a report of what bench measured: one self-contained page, Markdown or CSV')
    .argument('<result.json...>', 'files that `espalier bench --json` wrote')
    .addOption(
      new Option('--format <format>', 'default: by the name of the output, else html').choices([
        ...['html', 'md', 'csv'],
      ]),
    )
    .option('--output <file>', 'default: standard output')
    .option('--title <text>', 'default: the names of the models')
    .option('--charts <folder>', 'write each chart as an .svg file too; Markdown shows them from there')
    .option('--no-charts', 'tables alone: vega and vega-lite are not needed then')
    .action(async (files: string[], { format, output, title, charts }: Flags) => {
      const { reportFiles } = await import('../../report/report.js');
      const text = await reportFiles(files, {
        format: format ?? BY_EXTENSION[extname(output ?? '').toLowerCase()] ?? 'html',
        title,
        output,
        charts: charts !== false,
        chartFolder: typeof charts === 'string' ? charts : undefined,
      });
      if (output === undefined) {
        process.stdout.write(text);
        return;
      }
      const { writeFileAtomic } = await import('../../files.js');
      await writeFileAtomic(output, text);
      console.log(`written: ${output}`);
    });
}
