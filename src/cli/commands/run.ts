import { Command } from 'commander';
import { invalid } from '../../errors.js';

/** `espalier run MODEL --input FILE [--input FILE …] --output-dir DIR`. */
export function runCommand(): Command {
  return new Command('run')
    .description('compute the outputs of a model for raw little-endian float32 tensors in files')
    .argument('<model>', 'an .esp file, a model.json or its folder, a Keras .h5 or .keras file')
    .requiredOption(
      '--input <file>',
      "an input's tensor, in the order of the model's inputs; repeat it for several",
      (file: string, before: string[] | undefined) => [...(before ?? []), file],
    )
    .requiredOption('--output-dir <folder>', 'where outputs.0.bin, outputs.1.bin, … are written')
    .option('--threads <number>', 'threads a call may use (default: the physical cores)')
    .action(async (model: string, options: { input: string[]; outputDir: string; threads?: string }) => {
      const threads = options.threads === undefined ? undefined : Number(options.threads);
      if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
        throw invalid('INVALID_ARGUMENT', '--threads', 'a whole number of 1 or more', options.threads);
      }
      const { runFiles } = await import('../run-files.js');
      const written = await runFiles(model, options.input, options.outputDir, threads);
      for (const { path, name, shape } of written)
        console.log(`${path}  ${name} [${shape.join(', ')}] float32`);
    });
}
