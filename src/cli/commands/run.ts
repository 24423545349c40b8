/** The command `espalier run`: tensors in files in, tensors in files out. */
import { Command } from 'commander';
import { invalid } from '../../errors.js';
import { MODEL_SOURCES } from '../../import/formats.js';

interface Options {
  input: string[];
  outputDir: string;
  shape?: number[][];
  threads?: string;
}

function extents(text: string): number[] {
  const numbers = text.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : NaN));
  if (!numbers.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    throw invalid('INVALID_ARGUMENT', '--shape', 'whole numbers above 0, as in 1,224,224,3', text);
  }
  return numbers;
}

/** `espalier run MODEL --input FILE [--input FILE …] --output-dir DIR`. */
export function runCommand(): Command {
  return new Command('run')
    .description('compute the outputs of a model for raw little-endian float32 tensors in files')
    .argument('<model>', MODEL_SOURCES)
    .requiredOption(
      '--input <file>',
      "an input's tensor, in the order of the model's inputs; repeat it for several",
      (file: string, before: string[] | undefined) => [...(before ?? []), file],
    )
    .requiredOption('--output-dir <folder>', 'where outputs.0.bin, outputs.1.bin, … are written')
    .option(
      '--shape <extents>',
      "an input's shape, the batch first, where the model leaves sizes open: 1,224,224,3; repeat it for several",
      (text: string, before: number[][] | undefined) => [...(before ?? []), extents(text)],
    )
    .option('--threads <number>', 'threads a call may use (default: the physical cores)')
    .action(async (model: string, options: Options) => {
      const threads = options.threads === undefined ? undefined : Number(options.threads);
      if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
        throw invalid('INVALID_ARGUMENT', '--threads', 'a whole number of 1 or more', options.threads);
      }
      const { runFiles } = await import('../run-files.js');
      const written = await runFiles(model, options.input, options.outputDir, threads, options.shape);
      for (const { path, name, shape } of written)
        console.log(`${path}  ${name} [${shape.join(', ')}] float32`);
    });
}
