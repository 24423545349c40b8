/**
 * The flights as the demo and the experiment use them: settings that were chosen on validation days, and one function
 * each to train, to prune and to compare. Everything here is what the commands `espalier train`, `prune` and `analyze`
 * do; calling the functions behind them reads the table once.
 */
import { SPLIT, TARGET } from './prepare.mjs';

/** The dense network; 228 inputs come of the table. */
export const DENSE = {
  hidden: [256, 128, 128],
  activation: 'relu',
  dropout: 0,
  batchSize: 2048,
  learningRate: 0.001,
  decay: 'cosine',
  // Without it the network begins to learn the weather of single days by heart after about ten epochs.
  weightDecay: 3,
  split: { column: SPLIT, seed: 1, validation: 0.1, test: 0.1 },
};

/**
 * Pruning: the schedule takes a bit more than half of the epochs, the rest is fine-tuning. At 0.75 the network learns
 * from the dense one too, which brings it level with it (docs/pruning.md).
 */
export function recipe({ sparsity, epochs, warmUp, seed }) {
  return {
    ...{ sparsity, epochs, warmUp, seed, ramp: Math.round(epochs * 0.55), frequency: 25 },
    ...{ batchSize: DENSE.batchSize, learningRate: 0.001, decay: 'cosine', weightDecay: 0.3 },
    ...(sparsity === 0.75 ? { distillation: { alpha: 0.5 } } : {}),
  };
}

/** RMSE in minutes on the held-out days of the mean air time per route of the training days: what is to be beaten. */
export function routeMeanRmse(table) {
  const [origin, dest, split] = ['origin', 'dest', SPLIT].map((name) => table.columns.get(name));
  const time = table.columns.get(TARGET).values;
  const held = split.texts.indexOf('test');
  const route = (row) => origin.codes[row] * 4096 + dest.codes[row];
  const sums = new Map();
  let [all, count] = [0, 0];
  for (let row = 0; row < table.rows; row += 1) {
    if (split.codes[row] === held) continue;
    const entry = sums.get(route(row)) ?? [0, 0];
    sums.set(route(row), [entry[0] + time[row], entry[1] + 1]);
    all += time[row];
    count += 1;
  }
  let [squares, rows] = [0, 0];
  for (let row = 0; row < table.rows; row += 1) {
    if (split.codes[row] !== held) continue;
    const [sum, n] = sums.get(route(row)) ?? [all, count];
    squares += (sum / n - time[row]) ** 2;
    rows += 1;
  }
  return Math.sqrt(squares / rows);
}

/** What of the built package the runs need. Imported late: set-up may have built it only now. */
export async function load() {
  const [{ train }, { pruneModel }, { analyze }, { readTable }, { convertModel }] = await Promise.all([
    import('../../dist/train/train.js'),
    import('../../dist/recipe/train-and-prune.js'),
    import('../../dist/inspect/analyze.js'),
    import('../../dist/table/table.js'),
    import('../../dist/convert.js'),
  ]);
  const { trainingProgress } = await import('../../dist/cli/training-progress.js');
  const { renderAnalysis } = await import('../../dist/cli/commands/analyze.js');
  return { train, pruneModel, analyze, readTable, convertModel, trainingProgress, renderAnalysis };
}

/** Trains the dense network; goes on from a checkpoint in `output` if there is one. */
export async function trainDense(espalier, { table, epochs, seed, output, signal }) {
  const progress = espalier.trainingProgress();
  try {
    return await espalier.train({
      ...DENSE,
      ...{ data: table, target: TARGET, epochs, seed, output, resume: true, progress, signal },
    });
  } finally {
    progress.stop();
  }
}

/** Prunes `model`; goes on from a checkpoint in `output` if there is one. */
export async function prune(espalier, { table, model, output, signal, tensorboard, ...settings }) {
  const progress = espalier.trainingProgress();
  try {
    return await espalier.pruneModel({
      ...{ model, data: table, target: TARGET, recipe: recipe(settings), output, resume: true },
      ...{ progress, signal, tensorboard, tensorboardEvery: 10 },
    });
  } finally {
    progress.stop();
  }
}
