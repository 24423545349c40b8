/** One run of training, from a model and its data to what lies in the output folder: what `train` and `prune` share. */
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import type { Dataset, Preprocessing } from '../table/dataset.js';
import type { Content } from './content.js';
import { PartTensors } from './part-tensors.js';
import { tableMarks } from '../table/table.js';
import { CHECKPOINT_FILE, fit, predictPart, type FitParts, type FitSettings, type FitState } from './fit.js';
import { metricsOf, type Metrics } from '../metrics.js';
import { saveLayersModel } from './model-files.js';
import { rescaleOutput, seedDropout } from './network.js';
import type { Progress } from '../progress.js';
import { openTensorBoard, type TensorBoardLog } from './tensorboard.js';
import type { TensorFlow } from '../tensorflow/load.js';

/** Where a run writes, and how it is watched and stopped. */
export interface TrainingRunOptions {
  /** The folder for model.json, its weights, preprocessing.json, training.json and the checkpoint. */
  output: string;
  resume?: boolean;
  /** A folder for TensorBoard logs. */
  tensorboard?: string;
  threads?: number;
  progress?: Progress;
  signal?: AbortSignal;
}

export interface TrainingRun extends Omit<TrainingRunOptions, 'threads'> {
  tensorflow: TensorFlow;
  /** Answers in standardised units of the target; it is compiled here. */
  model: LayersModel;
  dataset: Dataset;
  settings: FitSettings;
  /** What tells this run from others: kept in the checkpoint, which a run of other settings does not go on from. */
  run: Record<string, unknown>;
  /** What the run is of besides its table, by content: a model, a teacher. */
  content?: Content;
  /** What is done besides; called once the model is compiled. */
  begin?: (model: LayersModel) => TrainingHooks;
}

export interface TrainingHooks extends Partial<
  Pick<FitParts, 'trainOnBatch' | 'whileRaw' | 'beforeValidation' | 'sparsity' | 'counts' | 'extra'>
> {
  afterStep?: (log: TensorBoardLog | undefined, step: number, loss: number, learningRate: number) => void;
  /** Why no epoch was the best. */
  noBest?: string;
  /** The model that is written, and more to tell of it in training.json. */
  finish?: (model: LayersModel) => { model: LayersModel; more: Record<string, unknown> };
  release?: () => void;
}

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
export function writeTraining(folder: string, summary: Record<string, unknown>): Promise<void> {
  return writeFileAtomic(join(folder, TRAINING_FILE), `${JSON.stringify(summary, null, 1)}\n`);
}

/** Measures a model, which still answers in standardised units, on the held-out rows. */
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

/** The model's output in standardised units, as training wants it; what scales nothing changes nothing. */
export function standardise(tensorflow: TensorFlow, model: LayersModel, { scale }: Preprocessing): void {
  if (scale.mean === 0 && scale.deviation === 1) return;
  rescaleOutput(tensorflow, model, 1 / scale.deviation, -scale.mean / scale.deviation);
}

/** Back to the target's own units. */
export function destandardise(tensorflow: TensorFlow, model: LayersModel, { scale }: Preprocessing): void {
  if (scale.mean === 0 && scale.deviation === 1) return;
  rescaleOutput(tensorflow, model, scale.deviation, scale.mean);
}

/** Opens the TensorBoard log that was asked for, or warns that there is none without tfjs-node. */
function openLog(tensorflow: TensorFlow, folder: string | undefined, progress: Progress) {
  if (folder === undefined) return undefined;
  const log = openTensorBoard(tensorflow, folder);
  if (log === undefined) progress.warn?.('no TensorBoard logs: pure-JavaScript tfjs cannot write them');
  return log;
}

/**
 * Trains, and writes the model of the best epoch by validation in the target's own units. Throws TRAINING_FAILED,
 * INTERRUPTED, INVALID_ARGUMENT for a checkpoint of another run.
 */
export async function runTraining(given: TrainingRun): Promise<TrainResult> {
  const { tensorflow, model, dataset, settings, run, output, progress = {}, signal } = given;
  const { tf } = tensorflow;
  const { preprocessing } = dataset;
  const optimizer = tf.train.adam(settings.learningRate);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const clock = seedDropout(tensorflow, model, settings.seed);
  const log = openLog(tensorflow, given.tensorboard, progress);
  let hooks: TrainingHooks = {};
  try {
    hooks = given.begin?.(model) ?? {};
    const state = await fit({
      ...{ tf, model, optimizer: optimizer, dataset, settings },
      trainOnBatch: async (xs, ys) => (await model.trainOnBatch(xs, ys)) as number,
      ...hooks,
      beforeStep: (step) => {
        clock.step = step;
      },
      afterStep: (step, loss, rate) => {
        if (hooks.afterStep) hooks.afterStep(log, step, loss, rate);
        else log?.step(step + 1, { batch_loss: loss, learning_rate: rate });
      },
      afterEpoch: (record) => log?.epoch(record),
      checkpoint: join(output, CHECKPOINT_FILE),
      resume: given.resume ?? false,
      ...{ run, progress, signal },
      content: { table: tableMarks(dataset.table), ...given.content },
    });
    if (state.best === null)
      throw new EspalierError('TRAINING_FAILED', hooks.noBest ?? 'no epoch gave a finite error', {});
    const { model: finished, more } = hooks.finish?.(model) ?? { model, more: {} };
    const test = evaluateHeldOut(tensorflow, finished, dataset);
    destandardise(tensorflow, finished, preprocessing);
    await saveLayersModel(tensorflow, finished, output, preprocessing);
    const backend = { package: tensorflow.package, version: tensorflow.version };
    const trainable = finished.countParams();
    if (finished !== model) finished.dispose();
    const { best, history, stopped } = state;
    const summary = { run: state.run, best, stopped, test, trainable, backend, ...more, history };
    await writeTraining(output, summary);
    return { state, preprocessing, test, trainable, backend };
  } finally {
    hooks.release?.();
    log?.flush();
    optimizer.dispose();
    model.dispose();
  }
}
