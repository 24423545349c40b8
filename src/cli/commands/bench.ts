/** The command `espalier bench`: its options, and what of them goes to the runner. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BenchOptions } from '../../measure/bench.js';
import { MODEL_SOURCES } from '../../import/formats.js';

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
  scenario: string[];
  latencyBound: number;
  cold?: boolean;
  layers: boolean;
  data?: string;
  target?: string;
  dense?: string;
  split?: string;
  python?: string;
  json?: string;
}

/** `espalier bench`: the model in espalier and in other engines, side by side. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure a model in espalier and in other engines, side by side')
    .argument('<model>', MODEL_SOURCES)
    .option('--batch <sizes>', 'batch sizes', numbers, [1, 64])
    .option('--threads <count>', 'threads of each engine', number, 1)
    .option(
      '--against <engines>',
      'of tfjs-node, onnxruntime, dense (our own dense path), tfjs-savedmodel, tfjs-wasm, keras, tensorflow, litert and openvino; "all", or "none" for espalier alone',
      names,
      ['tfjs-node', 'onnxruntime', 'dense'],
    )
    .addOption(
      new Option('--rival <file>', 'a module with an engine of your own; may be given more than once')
        .argParser((file: string, before: string[]) => [...before, file])
        .default([], 'none'),
    )
    .option('--sparsity <values>', 'impose zeros in one shot, for speed studies: 0.5,0.75,0.9', numbers)
    .option(
      '--scenario <names>',
      'besides single-stream: server (Poisson arrivals under a latency bound), offline (throughput)',
      names,
      ['single-stream'],
    )
    .option('--latency-bound <ms>', 'that 99 % of the queries of the server scenario must keep', number, 10)
    .option(
      '--cold',
      'flush the caches before each timed call, and load for weights in memory as loadModel’s cold does',
    )
    .option(
      '--no-layers',
      'do not look into single layers, the roofs of the machine and break-even sparsities',
    )
    .option('--data <file.csv>', 'tell accuracy on the held-out rows of a table')
    .option('--target <column>', 'column of --data: a number to predict, or classes from 0')
    .option('--dense <model>', 'the dense model that accuracy is compared with')
    .option(
      '--split <column>',
      'column that says train, validation or test; default: as the model was trained',
    )
    .option('--python <command>', 'the Python of its rivals; default: ESPALIER_PYTHON, else python3')
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
        scenarios: flags.scenario,
        latencyBound: flags.latencyBound,
        cold: flags.cold,
        layers: flags.layers,
        data: flags.data,
        target: flags.target,
        dense: flags.dense,
        split:
          flags.split === undefined
            ? undefined
            : { column: flags.split, seed: 1, validation: 0.1, test: 0.1 },
        python: flags.python,
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
