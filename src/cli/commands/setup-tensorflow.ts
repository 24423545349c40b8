/** The command `espalier setup-tensorflow`: its options, and a bar while the library is fetched. */
import cliProgress from 'cli-progress';
import { Command } from 'commander';
import { setupTensorFlow } from '../../setup/tensorflow.js';

/** `espalier setup-tensorflow`: makes @tensorflow/tfjs-node of the project in the current folder work. */
export function setupTensorflowCommand(): Command {
  return new Command('setup-tensorflow')
    .description(
      "make this project's @tensorflow/tfjs-node work: TensorFlow's library from PyPI, the binding compiled",
    )
    .option('--project <folder>', 'the project whose tfjs-node is to be repaired', '.')
    .action(async (options: { project: string }) => {
      const { changed, folder } = await setupTensorFlow({ project: options.project, ...terminalProgress() });
      console.log(changed ? `tfjs-node in ${folder} trains` : `tfjs-node in ${folder} works: nothing to do`);
    });
}

/** Lines on the screen, and a bar for the download (now and then a line where the screen is a file). */
function terminalProgress(say: (text: string) => void = console.log): {
  say: (text: string) => void;
  advance: (done: number, total: number) => void;
} {
  let bar: cliProgress.SingleBar | undefined;
  return {
    say,
    advance(done, total) {
      if (bar === undefined) {
        bar = new cliProgress.SingleBar({
          format: '{bar} {percentage} % of {megabytes} MB, {eta_formatted} left',
          barsize: 30,
          noTTYOutput: true,
          notTTYSchedule: 15_000,
          stream: process.stderr,
        });
        bar.start(total, done, { megabytes: Math.round(total / 1e6) });
      }
      bar.update(done);
      if (done >= total) {
        bar.stop();
        bar = undefined;
      }
    },
  };
}
