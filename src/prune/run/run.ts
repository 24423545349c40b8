/** `espalier prune`: a trained model and its data in, a sparse model out, with everything that could go wrong told first. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LayersModel, Tensor2D } from '@tensorflow/tfjs-node';
import { EspalierError } from '../../errors.js';
import type { StoredTensor } from '../../train/checkpoint.js';
import {
  Dataset,
  checkShapes,
  plainPreprocessing,
  readPreprocessing,
  writePreprocessing,
  type Preprocessing,
} from '../../train/dataset.js';
import {
  CHECKPOINT_FILE,
  checkFitSettings,
  fit,
  stepsPerEpoch,
  type FitSettings,
  type FitState,
} from '../../train/fit.js';
import { accelerate } from '../../train/kernels.js';
import type { Metrics } from '../../train/metrics.js';
import { loadLayersModel, modelJsonPath, saveLayersModel } from '../../train/model-files.js';
import { rescaleOutput, seedDropout } from '../../train/network.js';
import type { Progress } from '../../train/progress.js';
import type { SplitSettings } from '../../train/split.js';
import type { Table } from '../../train/table.js';
import type { TensorBoardLog } from '../../train/tensorboard.js';
import { loadTensorFlow, type TensorFlow } from '../../train/tensorflow.js';
import {
  TRAINING_FILE,
  TRAIN_DEFAULTS,
  evaluateHeldOut,
  openLog,
  tableOf,
  writeTraining,
} from '../../train/train.js';
import { pruneLowMagnitude } from '../prune-low-magnitude.js';
import type { Pruned } from '../pruned.js';
import { planPruning, type Plan } from './plan.js';
import type { Recipe } from './recipe.js';

export interface PruneRunOptions {
  /** What `espalier train` wrote, or any model: a model.json or its folder, a Keras .h5 or .keras file. */
  model: string;
  data: string | Table;
  target: string;
  recipe: Recipe;
  /** Default: the split that the model was trained with. */
  split?: SplitSettings;
  /** The folder for model.json, its weights, preprocessing.json, training.json and the checkpoint. */
  output: string;
  resume?: boolean;
  tensorboard?: string;
  /** Steps between two entries of each layer's sparsity in the log; default 1. */
  tensorboardEvery?: number;
  threads?: number;
  progress?: Progress;
  signal?: AbortSignal;
}

export interface PruneRunResult {
  plan: Plan;
  state: FitState;
  test: Metrics | undefined;
  /** Sparsity of each layer of the written model, and of all of their weights. */
  layers: { name: string; weights: number; sparsity: number }[];
  sparsity: number;
}

interface Prepared {
  tensorflow: TensorFlow;
  model: LayersModel;
  dataset: Dataset;
  preprocessing: Preprocessing;
  plan: Plan;
  settings: FitSettings;
}

/** What of a model's own training its pruning goes on with. */
async function trainedWith(model: string): Promise<{ batchSize?: number; weightDecay?: number }> {
  try {
    const path = join(dirname(await modelJsonPath(model)), TRAINING_FILE);
    const { run } = JSON.parse(await readFile(path, 'utf8')) as { run?: Record<string, unknown> };
    const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
    return { batchSize: number(run?.batchSize), weightDecay: number(run?.weightDecay) };
  } catch {
    return {};
  }
}

/** The kernels that pruning takes, as they are: layer by layer the share of zeros. */
function layersOf(pruned: Pruned): { name: string; weights: number; present: number }[] {
  const layers = new Map<string, { name: string; weights: number; zeros: number }>();
  for (const { layer, size, variable } of pruned.pruner.weights) {
    const entry = layers.get(layer) ?? { name: layer, weights: 0, zeros: 0 };
    entry.weights += size;
    for (const value of variable.read().dataSync()) if (value === 0) entry.zeros += 1;
    layers.set(layer, entry);
  }
  return [...layers.values()].map(({ name, weights, zeros }) => ({
    name,
    weights,
    present: zeros / weights,
  }));
}

/** The model with its output in standardised units, as training wants it; what scales nothing changes nothing. */
function standardise(tensorflow: TensorFlow, model: LayersModel, { scale }: Preprocessing): void {
  if (scale.mean === 0 && scale.deviation === 1) return;
  rescaleOutput(tensorflow, model, 1 / scale.deviation, -scale.mean / scale.deviation);
}

function destandardise(tensorflow: TensorFlow, model: LayersModel, { scale }: Preprocessing): void {
  if (scale.mean === 0 && scale.deviation === 1) return;
  rescaleOutput(tensorflow, model, scale.deviation, scale.mean);
}

async function prepare(options: PruneRunOptions): Promise<Prepared> {
  const { model: source, target, recipe, progress = {} } = options;
  const stored = await readPreprocessing(source);
  const table = await tableOf(options.data, progress);
  const split = options.split ?? stored?.split ?? TRAIN_DEFAULTS.split;
  const preprocessing =
    stored === undefined ? plainPreprocessing(table, target, split) : { ...stored, split, target };
  const dataset = new Dataset(table, preprocessing);
  const tensorflow = await loadTensorFlow({ threads: options.threads, warn: progress.warn });
  accelerate(tensorflow);
  const model = await loadLayersModel(tensorflow, source);
  checkShapes(dataset, model.inputs[0]?.shape.at(-1), model.outputs[0]?.shape.at(-1));
  const before = await trainedWith(source);
  const batchSize = recipe.batchSize ?? before.batchSize ?? TRAIN_DEFAULTS.batchSize;
  const perEpoch = stepsPerEpoch(dataset.split.train.length, batchSize);
  // Only to know the layers that can be pruned: released before anything trains.
  const probe = pruneLowMagnitude(model, { onWarning: () => undefined });
  const layers = layersOf(probe);
  probe.release();
  const plan = planPruning({ ...recipe, batchSize }, perEpoch, layers);
  const settings: FitSettings = {
    epochs: plan.totalEpochs,
    batchSize,
    learningRate: plan.recipe.learningRate,
    decay: plan.recipe.decay,
    // Decay shrinks what survives while it has to take over for what is gone: measured on the flights of the example,
    // as much as in training leaves sparsity 0.75 3 % worse than dense, a tenth of it 0.2 %.
    weightDecay: recipe.weightDecay ?? (before.weightDecay ?? TRAIN_DEFAULTS.weightDecay) / 10,
    seed: recipe.seed ?? TRAIN_DEFAULTS.seed,
    patience: recipe.patience,
  };
  checkFitSettings(settings);
  return { tensorflow, model, dataset, preprocessing, plan, settings };
}

/** What a run would do, without doing it: for `--dry-run`. Throws what `pruneModel` throws before it trains. */
export async function planRun(options: PruneRunOptions): Promise<Plan> {
  const { plan, model } = await prepare(options);
  model.dispose();
  return plan;
}

function startPruning(model: LayersModel, plan: Plan, progress: Progress): Pruned {
  const { sparsity, perLayer = {}, scope, exact, onUnreachedEnd } = plan.recipe;
  return pruneLowMagnitude(model, {
    schedule: plan.scheduleTo(sparsity),
    perLayer: Object.fromEntries(
      Object.entries(perLayer).map(([name, own]) => [
        name,
        own === false ? own : { schedule: plan.scheduleTo(own) },
      ]),
    ),
    scope,
    exact,
    onUnreachedEnd,
    // With 'warn' the plan has told already.
    totalSteps: onUnreachedEnd === 'warn' ? undefined : plan.totalSteps,
    // Warm-up is at the present sparsity.
    keepZeros: true,
    onWarning: (message) => progress.warn?.(message),
  });
}

function currentSparsity(pruned: Pruned): number {
  const { weights } = pruned.pruner;
  const total = weights.reduce((sum, { size }) => sum + size, 0);
  return 1 - weights.reduce((sum, { kept }) => sum + kept, 0) / Math.max(1, total);
}

/** Masks and the step, for a checkpoint. */
function pruningState(pruned: Pruned) {
  const { pruner } = pruned;
  return {
    save: () => ({
      state: {
        step: pruner.step,
        weights: pruner.weights.map(({ threshold, asked, askedSparsity }) => ({
          threshold,
          asked,
          askedSparsity,
        })),
      },
      tensors: new Map<string, StoredTensor>(
        pruner.weights.flatMap(({ mask, shape }, i) =>
          mask === null ? [] : [[`mask/${i}`, { shape, values: Float32Array.from(mask) }] as const],
        ),
      ),
    }),
    restore: (state: Record<string, unknown>, tensors: ReadonlyMap<string, StoredTensor>) => {
      const stored = state as unknown as ReturnType<ReturnType<typeof pruningState>['save']>['state'];
      pruner.step = stored.step;
      pruner.weights.forEach((weight, i) => {
        const { threshold, asked, askedSparsity } = stored.weights[i]!;
        const mask = tensors.get(`mask/${i}`)?.values;
        pruner.setMask(
          weight,
          mask === undefined ? new Uint8Array(weight.size).fill(1) : Uint8Array.from(mask),
          threshold,
        );
        Object.assign(weight, { asked, askedSparsity });
      });
    },
  };
}

function logSparsity(
  log: TensorBoardLog | undefined,
  pruned: Pruned,
  step: number,
  loss: number,
  rate: number,
): void {
  if (log === undefined) return;
  const values: Record<string, number> = { batch_loss: loss, learning_rate: rate };
  for (const { layer, name, kept, size } of pruned.pruner.weights)
    values[`sparsity/${layer}/${name}`] = 1 - kept / size;
  values['sparsity/total'] = currentSparsity(pruned);
  log.step(step, values);
}

/** The sparsity that the weights of the model itself have. */
function measured(model: LayersModel, names: readonly string[]) {
  return names.map((name) => {
    const kernels = model
      .getLayer(name)
      .getWeights()
      .filter(({ shape }) => shape.length >= 2);
    const values = kernels.flatMap((kernel) => [...kernel.dataSync()]);
    return {
      name,
      weights: values.length,
      sparsity: values.filter((value) => value === 0).length / values.length,
    };
  });
}

/**
 * Prunes and writes the model of the best epoch by validation among those at the target sparsity. Throws INVALID_DATA,
 * INVALID_ARGUMENT, INVALID_MODEL, UNREACHED_END before anything trains, SPARSITY_NOT_REACHED, TRAINING_FAILED,
 * INTERRUPTED.
 */
export async function pruneModel(options: PruneRunOptions): Promise<PruneRunResult> {
  const { output, progress = {}, signal, tensorboardEvery = 1 } = options;
  const { tensorflow, model, dataset, preprocessing, plan, settings } = await prepare(options);
  const { tf } = tensorflow;
  standardise(tensorflow, model, preprocessing);
  for (const warning of plan.warnings) progress.warn?.(warning);
  const optimizer = tf.train.adam(settings.learningRate);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const clock = seedDropout(tensorflow, model, settings.seed);
  const pruned = startPruning(model, plan, progress);
  const masks = pruned.callback();
  const log = openLog(tensorflow, options.tensorboard, progress);
  const { recipe, endStep, totalSteps, beginStep } = plan;
  progress.say?.(
    `pruning to sparsity ${recipe.sparsity}: ${recipe.warmUp} + ${recipe.epochs} epochs of ${plan.stepsPerEpoch} steps, ` +
      `masks every ${recipe.frequency} steps from ${beginStep} to ${endStep} of ${totalSteps}`,
  );
  // Where the end is not reached and that was allowed, the last epoch is the best there is.
  const counts = () => pruned.pruner.step >= Math.min(endStep, totalSteps);
  try {
    const state = await fit({
      tf,
      model,
      optimizer,
      dataset,
      settings,
      trainOnBatch: async (xs: Tensor2D, ys: Tensor2D) => (await pruned.trainOnBatch(xs, ys)) as number,
      beforeStep: (step) => {
        clock.step = step;
      },
      afterStep: (step, loss, rate) => {
        if ((step + 1) % tensorboardEvery === 0) logSparsity(log, pruned, step + 1, loss, rate);
      },
      afterEpoch: (record) => log?.epoch(record),
      beforeValidation: () => void masks.onEpochEnd(),
      sparsity: () => currentSparsity(pruned),
      counts,
      extra: pruningState(pruned),
      checkpoint: join(output, CHECKPOINT_FILE),
      resume: options.resume ?? false,
      run: { command: 'prune', ...settings, recipe, target: preprocessing.target, rows: dataset.table.rows },
      progress,
      signal,
    });
    if (state.best === null)
      throw new EspalierError('TRAINING_FAILED', 'no epoch reached the target sparsity', {});
    const stripped = pruned.strip();
    const test = evaluateHeldOut(tensorflow, stripped, dataset);
    destandardise(tensorflow, stripped, preprocessing);
    const layers = measured(
      stripped,
      plan.layers.map(({ name }) => name),
    );
    const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
    const sparsity = layers.reduce((sum, layer) => sum + layer.weights * layer.sparsity, 0) / weights;
    await writePreprocessing(output, preprocessing);
    await saveLayersModel(tensorflow, stripped, output);
    const backend = { package: tensorflow.package, version: tensorflow.version };
    await writeTraining(output, {
      state,
      preprocessing,
      test,
      trainable: model.countParams(),
      backend,
      layers,
      sparsity,
    });
    return { plan, state, test, layers, sparsity };
  } finally {
    log?.flush();
    optimizer.dispose();
  }
}
