/** The command `espalier export`: a model in, its layers in another format out. */
import { Command, Option } from 'commander';
import type { ExportFormat } from '../../export/index.js';
import { grouped, percent } from '../format.js';
import { MAX_MEMORY, TIMEOUT } from '../options.js';
import { MODEL_SOURCES } from '../../import/formats.js';

/** `espalier export MODEL --format tfjs|h5 DESTINATION`. */
export function exportCommand(): Command {
  return new Command('export')
    .description(
      'write a stripped network for others: a TFJS layers model, or a Keras .h5 file; zeros stay zeros',
    )
    .argument('<model>', MODEL_SOURCES)
    .argument('<destination>', 'tfjs: a folder, or the model.json in it; h5: the file')
    .addOption(
      new Option('--format <format>', 'what to write (default: by the name of the destination)').choices([
        'tfjs',
        'h5',
      ]),
    )
    .option(...MAX_MEMORY)
    .option(...TIMEOUT)
    .option('--json', 'print what was written as JSON')
    .action(
      async (
        model: string,
        destination: string,
        options: { format?: ExportFormat; maxMemory?: number; timeout?: number; json?: boolean },
      ) => {
        const { exportModel } = await import('../../export/index.js');
        const exported = await exportModel(model, destination, {
          format: options.format,
          maxMemory: options.maxMemory,
          timeout: options.timeout,
        });
        if (options.json === true) {
          console.log(JSON.stringify({ source: model, ...exported }, null, 2));
          return;
        }
        const { parameters, nonZero, files } = exported;
        const sparsity = parameters === 0 ? null : 1 - nonZero / parameters;
        console.log(
          `${exported.path}: ${grouped(nonZero)} of ${grouped(parameters)} weights, sparsity ${percent(sparsity)}`,
        );
        for (const { path, bytes } of files) console.log(`  ${grouped(bytes).padStart(13)} bytes  ${path}`);
      },
    );
}
