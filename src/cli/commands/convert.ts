/** The command `espalier convert`: a model in, an .esp file out. */
import { Command } from 'commander';
import type { ValueFormat } from '../../program/value-formats.js';
import { MAX_MEMORY, TIMEOUT, valuesOption } from '../options.js';
import type { Size } from '../../inspect/sizes.js';
import { grouped, percent } from '../format.js';
import { MODEL_SOURCES } from '../../import/formats.js';

/** `espalier convert SOURCE DESTINATION.esp`. */
export function convertCommand(): Command {
  return new Command('convert')
    .description('strip a model, make its matrices sparse and write them as an .esp file')
    .argument('<source>', MODEL_SOURCES)
    .argument('<destination>', 'the .esp file to write')
    .option(
      '--values <format>',
      'round the weights: bf16 (bfloat16), f16 (float16) or int8 (a scale a row); default float32, as they are',
      valuesOption,
    )
    .option(...MAX_MEMORY)
    .option(...TIMEOUT)
    .option('--gzip', 'tell sizes after gzip -9 of models beyond 50 MB, too, where that takes many seconds')
    .option('--json', 'print the sizes as JSON')
    .action(
      async (
        source: string,
        destination: string,
        options: {
          json?: boolean;
          gzip?: boolean;
          values?: ValueFormat;
          maxMemory?: number;
          timeout?: number;
        },
      ) => {
        const say = (text: string): void => {
          if (options.json !== true) console.error(text);
        };
        say(`converting ${source}`);
        const { convertModel } = await import('../../convert.js');
        const bytes = await convertModel(source, destination, {
          values: options.values,
          maxMemory: options.maxMemory,
          timeout: options.timeout,
        });
        const { espSizes } = await import('../../inspect/esp-sizes.js');
        const { weights, nonZero, ...measured } = await espSizes(bytes, options.gzip === true, () =>
          say('compressing, to compare sizes'),
        );
        const sizes = {
          ...measured,
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
        const line = (what: string, { raw, gzip }: Size): string =>
          `  ${what.padEnd(34)}${grouped(raw).padStart(13)} bytes` +
          (gzip === null ? '' : `${grouped(gzip).padStart(13)} by gzip -9`);
        console.log(line('stripped weights, dense float32', sizes.dense));
        console.log(line('.esp file', sizes.esp));
      },
    );
}
