import { Command } from 'commander';
import type { ValueFormat } from '../../compile/round-values.js';
import { MAX_MEMORY, valuesOption } from '../options.js';
import { grouped, percent } from '../format.js';

/** `espalier convert SOURCE DESTINATION.esp`. */
export function convertCommand(): Command {
  return new Command('convert')
    .description('strip a model, make its matrices sparse and write them as an .esp file')
    .argument(
      '<source>',
      'a model.json or the folder that holds it, a Keras .h5 or .keras file, or an .esp file',
    )
    .argument('<destination>', 'the .esp file to write')
    .option(
      '--values <format>',
      'round the weights: bf16 (bfloat16), f16 (float16) or int8 (a scale a row); default float32, as they are',
      valuesOption,
    )
    .option(...MAX_MEMORY)
    .option('--json', 'print the sizes as JSON')
    .action(
      async (
        source: string,
        destination: string,
        options: { json?: boolean; values?: ValueFormat; maxMemory?: number },
      ) => {
        const say = (text: string): void => {
          if (options.json !== true) console.error(text);
        };
        say(`converting ${source}`);
        const { convertModel } = await import('../../convert.js');
        const bytes = await convertModel(source, destination, {
          values: options.values,
          maxMemory: options.maxMemory,
        });
        const { readSource } = await import('../../file/network.js');
        const { networkWeightSize, sizeOf, weightSize, weightTensors } =
          await import('../../measure/sizes.js');
        const made = readSource(bytes);
        let weights = 0;
        let nonZero = 0;
        if ('operations' in made) {
          for (const operation of made.operations) {
            if (!('weight' in operation)) continue;
            weights += operation.weight.rows * operation.weight.cols;
            nonZero += operation.weight.values.length;
          }
        } else {
          // Sizes are flexible: the file holds the layers themselves.
          for (const { shape, data } of weightTensors(made)) {
            if (shape.length < 2) continue;
            weights += data.length;
            nonZero += data.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
          }
        }
        if (bytes.length > 5e7) say('compressing, to compare sizes');
        const [dense, esp] = await Promise.all([
          'operations' in made ? weightSize(made) : networkWeightSize(made),
          sizeOf(bytes),
        ]);
        const sizes = {
          dense,
          esp,
          values: options.values ?? 'float32',
          weights,
          nonZero,
          sparsity: weights === 0 ? null : 1 - nonZero / weights,
        };
        if (options.json === true) {
          console.log(JSON.stringify({ source, destination, ...sizes }, null, 2));
          return;
        }
        console.log(
          `${destination}: ${grouped(nonZero)} of ${grouped(weights)} weights, sparsity ${percent(sizes.sparsity)}`,
        );
        const line = (what: string, { raw, gzip }: { raw: number; gzip: number }): string =>
          `  ${what.padEnd(34)}${grouped(raw).padStart(13)} bytes${grouped(gzip).padStart(13)} by gzip -9`;
        console.log(line('stripped weights, dense float32', sizes.dense));
        console.log(line('.esp file', sizes.esp));
      },
    );
}
