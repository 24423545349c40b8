/** The command `espalier sweep`: a recipe of several networks, and where its results are. */
import { Command } from 'commander';
import { wholeOption } from '../options.js';
import { interruptSignal, trainingProgress } from '../training-progress.js';

interface Flags {
  data?: string;
  output: string;
  threads?: number;
}

/** `espalier sweep`: a whole study by one recipe. */
export function sweepCommand(): Command {
  return new Command('sweep')
    .description(
      'train, prune to several sparsities, convert, measure and report by one recipe; go on where it stopped',
    )
    .argument('<recipe>', 'YAML or JSON; schemas/sweep-1.json describes it')
    .option('--data <file.csv>', "in place of the recipe's")
    .option('--threads <number>', "TensorFlow's threads (default: all cores)", wholeOption('threads', 1))
    .option('--output <folder>', 'gets a folder a step, and the report', 'runs/sweep')
    .action(async (path: string, { data, output, threads }: Flags) => {
      const [{ readSweep }, { sweep }] = await Promise.all([
        import('../../sweep/recipe.js'),
        import('../../sweep/run.js'),
      ]);
      const recipe = await readSweep(path);
      const progress = trainingProgress();
      const { signal, release } = interruptSignal();
      try {
        const command = `espalier ${process.argv.slice(2).join(' ')}`;
        const { reports, kept, done } = await sweep({
          recipe,
          data,
          output,
          threads,
          progress,
          signal,
          command,
        });
        progress.stop();
        console.log(`${done.length} steps done, ${kept.length} done before`);
        for (const report of reports) console.log(`written: ${report}`);
      } finally {
        progress.stop();
        release();
      }
    });
}
