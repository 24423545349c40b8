import { Command, InvalidArgumentError, Option } from 'commander';
import type { BenchOptions } from '../../measure/bench.js';

interface Flags {
  batch: number[];
  threads: number;
  against: string[];
  rival: string[];
  sparsity?: number[];
  rounds: number;
  minTime: number;
  warmUp: number;
  timeout: number;
  seed: number;
  pin: boolean | string;
  json?: string;
}

/** `espalier bench`: the model in espalier and in other engines, side by side. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure a model in espalier and in other engines, side by side')
    .argument('<model>', '.esp, or whatever can be converted')
    .option('--batch <sizes>', 'batch sizes', numbers, [1, 64])
    .option('--threads <count>', 'threads of each engine', number, 1)
    .option(
      '--against <engines>',
      'of tfjs-node, onnxruntime and dense (our own dense path); "none" for espalier alone',
      names,
      ['tfjs-node', 'onnxruntime', 'dense'],
    )
    .addOption(
      new Option('--rival <file>', 'a module with an engine of your own; may be given more than once')
        .argParser((file: string, before: string[]) => [...before, file])
        .default([], 'none'),
    )
    .option('--sparsity <values>', 'impose zeros in one shot, for speed studies: 0.5,0.75,0.9', numbers)
    .option('--rounds <count>', 'turns that each engine has', number, 10)
    .option('--min-time <seconds>', 'timed for each engine and batch size, over all rounds', number, 2)
    .option('--warm-up <calls>', 'calls before the first timed one', number, 10)
    .option('--timeout <seconds>', 'until an engine that does not answer is given up', number, 120)
    .option('--seed <number>', 'of the inputs', number, 1)
    .option(
      '--pin <cores>',
      'cores to run the engines on, such as 1 or 0-3; default: as many as threads',
      true,
    )
    .option('--no-pin', 'let the system move the engines between cores')
    .option('--json <file>', 'write the result; schemas/bench-result-1.json describes it')
    .action(async (model: string, flags: Flags) => {
      const { runBench } = await import('../bench.js');
      const options: BenchOptions = {
        batches: flags.batch,
        threads: flags.threads,
        against: flags.against,
        rivals: flags.rival,
        sparsity: flags.sparsity,
        rounds: flags.rounds,
        minTime: flags.minTime,
        warmUp: flags.warmUp,
        timeout: flags.timeout,
        seed: flags.seed,
        pin: flags.pin,
        command: `espalier ${process.argv.slice(2).join(' ')}`,
      };
      await runBench(model, options, flags.json);
    });
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(`expected a number, received "${text}".`);
  return value;
}

function numbers(text: string): number[] {
  return text.split(',').map(number);
}

function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  return list.length === 1 && list[0] === 'none' ? [] : list;
}
