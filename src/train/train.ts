/** `espalier train`: a table and a target in, a trained network out. */
import { Dataset, fitPreprocessing, type Preprocessing } from '../table/dataset.js';
import { checkFitSettings, stepsPerEpoch, type FitSettings } from './fit.js';
import { accelerate } from './kernels.js';
import { buildNetwork } from './network.js';
import type { Progress } from '../progress.js';
import { runTraining, type TrainingRunOptions, type TrainResult } from './run.js';
import type { SplitSettings } from '../table/split.js';
import { readTable, type Table } from '../table/table.js';
import { loadTensorFlow, type TensorFlow } from '../tensorflow/load.js';

export type { TrainResult };

export interface NetworkOptions {
  hidden: readonly number[];
  activation: string;
  dropout: number;
}

export interface TableOptions {
  /** A CSV file with a header, or a table that was read before. */
  data: string | Table;
  target: string;
}

export interface TrainOptions extends FitSettings, NetworkOptions, TableOptions, TrainingRunOptions {
  split: SplitSettings;
}

export const TRAIN_DEFAULTS = {
  hidden: [256, 128, 128],
  activation: 'relu',
  dropout: 0,
  epochs: 100,
  batchSize: 256,
  learningRate: 0.001,
  decay: 'cosine',
  weightDecay: 0.01,
  seed: 1,
  split: { seed: 1, validation: 0.1, test: 0.1 },
} as const;

/** Reads the table if it is not read yet, and says so. */
export async function tableOf(data: string | Table, progress: Progress): Promise<Table> {
  if (typeof data !== 'string') return data;
  progress.say?.(`reading ${data}`);
  return readTable(data);
}

/** A network that was not trained yet, and its data. */
export interface Untrained {
  tensorflow: TensorFlow;
  model: ReturnType<typeof buildNetwork>;
  dataset: Dataset;
  preprocessing: Preprocessing;
}

/** Throws INVALID_DATA, INVALID_ARGUMENT, TENSORFLOW_MISSING. */
export async function newNetwork(
  options: TableOptions & NetworkOptions & { split: SplitSettings; seed: number; threads?: number },
  progress: Progress,
): Promise<Untrained> {
  const { target, split, hidden, activation, dropout, seed, threads } = options;
  const table = await tableOf(options.data, progress);
  const preprocessing = fitPreprocessing(table, target, split);
  const dataset = new Dataset(table, preprocessing);
  for (const [column, why] of Object.entries(preprocessing.encoder.dropped)) {
    progress.warn?.(`column ${column} is left out: ${why}`);
  }
  const tensorflow = await loadTensorFlow({ threads, warn: progress.warn });
  accelerate(tensorflow);
  const inputs = dataset.encoder.width;
  const model = buildNetwork(tensorflow, { inputs, hidden, activation, dropout, seed });
  return { tensorflow, model, dataset, preprocessing };
}

/** "training 10-16-8-1 (313 parameters) on 320 rows, 40 for validation, 40 held out". */
function describeTraining({ model, dataset }: Untrained, hidden: readonly number[]): string {
  const { train, validation, test } = dataset.split;
  return (
    `training ${[dataset.encoder.width, ...hidden, 1].join('-')} (${model.countParams()} parameters) on ` +
    `${train.length} rows, ${validation.length} for validation, ${test.length} held out`
  );
}

/** What `train` would train, as text: for `--dry-run`. */
export async function describeNetwork(options: Omit<TrainOptions, 'output'>): Promise<string> {
  checkFitSettings(options);
  const network = await newNetwork(options, options.progress ?? {});
  const { epochs, batchSize } = options;
  const steps = stepsPerEpoch(network.dataset.split.train.length, batchSize);
  const lines = [
    describeTraining(network, options.hidden),
    `${epochs} epochs of ${steps} steps`,
    ...network.model.layers.map((layer) => `  ${layer.name}: ${layer.countParams()} parameters`),
  ];
  network.model.dispose();
  return lines.join('\n');
}

/**
 * Trains and writes the model of the best epoch by validation, in the target's own units. Throws INVALID_DATA,
 * INVALID_ARGUMENT, TENSORFLOW_MISSING, TRAINING_FAILED, INTERRUPTED.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { target, hidden, activation, dropout, split, progress = {} } = options;
  checkFitSettings(options);
  const network = await newNetwork(options, progress);
  const { tensorflow, model, dataset } = network;
  const { epochs, batchSize, learningRate, decay, weightDecay, seed, patience } = options;
  const settings: FitSettings = { epochs, batchSize, learningRate, decay, weightDecay, seed, patience };
  progress.say?.(describeTraining(network, hidden));
  const { output, resume, tensorboard, signal } = options;
  const run = {
    ...{ command: 'train', ...settings, target, hidden, activation, dropout, split },
    ...{ rows: dataset.table.rows, inputs: dataset.encoder.width },
  };
  return runTraining({
    ...{ tensorflow, model, dataset, settings, run, output, resume, tensorboard, progress, signal },
  });
}
