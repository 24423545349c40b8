/** `espalier train`: a table and a target in, a trained network out. */
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { Dataset, PartTensors, fitPreprocessing, writePreprocessing, type Preprocessing } from './dataset.js';
import {
  CHECKPOINT_FILE,
  checkFitSettings,
  fit,
  predictPart,
  type FitSettings,
  type FitState,
} from './fit.js';
import { accelerate } from './kernels.js';
import { metricsOf, type Metrics } from './metrics.js';
import { saveLayersModel } from './model-files.js';
import { buildNetwork, rescaleOutput, seedDropout } from './network.js';
import type { Progress } from './progress.js';
import type { SplitSettings } from './split.js';
import { readTable, type Table } from './table.js';
import { openTensorBoard } from './tensorboard.js';
import { loadTensorFlow, type TensorFlow } from './tensorflow.js';

export interface TrainOptions extends FitSettings {
  /** A CSV file with a header, or a table that was read before. */
  data: string | Table;
  target: string;
  hidden: readonly number[];
  activation: string;
  dropout: number;
  split: SplitSettings;
  /** The folder for model.json, its weights, preprocessing.json, training.json and the checkpoint. */
  output: string;
  resume?: boolean;
  /** A folder for TensorBoard logs. */
  tensorboard?: string;
  threads?: number;
  progress?: Progress;
  signal?: AbortSignal;
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

export interface TrainResult {
  state: FitState;
  preprocessing: Preprocessing;
  /** Over the held-out rows; undefined where there are none. */
  test: Metrics | undefined;
  trainable: number;
  backend: { package: string; version: string };
}

export const TRAINING_FILE = 'training.json';

/** Writes what a run was and came to, beside its model. */
export function writeTraining(folder: string, result: TrainResult & Record<string, unknown>): Promise<void> {
  const { state, ...rest } = result;
  const { run, best, history, stopped } = state;
  const summary = { run, best, stopped, ...rest, preprocessing: undefined, history };
  return writeFileAtomic(join(folder, TRAINING_FILE), `${JSON.stringify(summary, null, 1)}\n`);
}

/** Measures the model, which still answers in standardised units, on the held-out rows. */
export function evaluateHeldOut(
  tensorflow: TensorFlow,
  model: LayersModel,
  dataset: Dataset,
): Metrics | undefined {
  if (dataset.split.test.length === 0) return undefined;
  const part = new PartTensors(tensorflow.tf, dataset, 'test');
  try {
    return metricsOf(predictPart(tensorflow.tf, model, part, dataset), dataset.targets('test'));
  } finally {
    part.dispose();
  }
}

/** Reads the table if it is not read yet, and says so. */
export async function tableOf(data: string | Table, progress: Progress): Promise<Table> {
  if (typeof data !== 'string') return data;
  progress.say?.(`reading ${data}`);
  return readTable(data);
}

/** Opens the TensorBoard log that was asked for, or warns that there is none without tfjs-node. */
export function openLog(tensorflow: TensorFlow, folder: string | undefined, progress: Progress) {
  if (folder === undefined) return undefined;
  const log = openTensorBoard(tensorflow, folder);
  if (log === undefined) progress.warn?.('no TensorBoard logs: pure-JavaScript tfjs cannot write them');
  return log;
}

/**
 * Trains and writes the model of the best epoch by validation, in the target's own units. Throws INVALID_DATA,
 * INVALID_ARGUMENT, TENSORFLOW_MISSING, TRAINING_FAILED, INTERRUPTED.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { target, hidden, activation, dropout, split, output, progress = {}, signal } = options;
  checkFitSettings(options);
  const table = await tableOf(options.data, progress);
  const preprocessing = fitPreprocessing(table, target, split);
  const dataset = new Dataset(table, preprocessing);
  for (const [column, why] of Object.entries(preprocessing.encoder.dropped)) {
    progress.warn?.(`column ${column} is left out: ${why}`);
  }
  const tensorflow = await loadTensorFlow({ threads: options.threads, warn: progress.warn });
  accelerate(tensorflow);
  const { tf } = tensorflow;
  const inputs = dataset.encoder.width;
  const model = buildNetwork(tensorflow, {
    inputs,
    hidden,
    activation,
    dropout,
    seed: options.seed,
  });
  const clock = seedDropout(tensorflow, model, options.seed);
  const optimizer = tf.train.adam(options.learningRate);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const log = openLog(tensorflow, options.tensorboard, progress);
  const { epochs, batchSize, learningRate, decay, weightDecay, seed, patience } = options;
  const settings: FitSettings = { epochs, batchSize, learningRate, decay, weightDecay, seed, patience };
  const sizes = [dataset.split.train, dataset.split.validation, dataset.split.test].map(
    ({ length }) => length,
  );
  progress.say?.(
    `training ${[inputs, ...hidden, 1].join('-')} (${model.countParams()} parameters) on ${sizes[0]} rows, ` +
      `${sizes[1]} for validation, ${sizes[2]} held out`,
  );
  try {
    const state = await fit({
      tf,
      model,
      optimizer,
      dataset,
      settings,
      trainOnBatch: async (xs, ys) => (await model.trainOnBatch(xs, ys)) as number,
      beforeStep: (step) => {
        clock.step = step;
      },
      afterStep: (step, loss, rate) => log?.step(step + 1, { batch_loss: loss, learning_rate: rate }),
      afterEpoch: (record) => log?.epoch(record),
      checkpoint: join(output, CHECKPOINT_FILE),
      resume: options.resume ?? false,
      run: {
        command: 'train',
        ...settings,
        target,
        hidden,
        activation,
        dropout,
        split,
        rows: table.rows,
        inputs,
      },
      progress,
      signal,
    });
    if (state.best === null) throw new EspalierError('TRAINING_FAILED', 'no epoch gave a finite error', {});
    const test = evaluateHeldOut(tensorflow, model, dataset);
    const { mean, deviation } = preprocessing.scale;
    rescaleOutput(tensorflow, model, deviation, mean);
    await writePreprocessing(output, preprocessing);
    await saveLayersModel(tensorflow, model, output);
    const backend = { package: tensorflow.package, version: tensorflow.version };
    const result = { state, preprocessing, test, trainable: model.countParams(), backend };
    await writeTraining(output, result);
    return result;
  } finally {
    log?.flush();
    optimizer.dispose();
    model.dispose();
  }
}
