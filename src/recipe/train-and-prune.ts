/** `espalier prune`: a trained model and its data in, a sparse model out, with everything that could go wrong told first. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { invalid } from '../errors.js';
import type { StoredTensor } from '../train/checkpoint.js';
import { modelMarks } from '../train/content.js';
import { checkShapes, readPreprocessing } from '../table/dataset.js';
import { loadLayersModel } from '../train/model-files.js';
import { runTraining, standardise, type TrainResult, type TrainingHooks } from '../train/run.js';
import type { TensorBoardLog } from '../train/tensorboard.js';
import { Distiller } from '../prune/loop/distill.js';
import { pruneLowMagnitude } from '../prune/loop/prune-low-magnitude.js';
import type { Pruned } from '../prune/loop/pruned.js';
import { prunableWeights } from '../prune/which/registry.js';
import { layerPaths } from '../prune/which/targets.js';
import type { PruningPlan } from './planned.js';
import { prepare, type PreparedRun, type PruneRunOptions } from './prepare.js';
import type { ModelWithData } from './model-with-data.js';
import type { Recipe } from './recipe.js';
import type { SensitivityReport } from '../prune/one-shot/sensitivity.js';
import { copyModel } from '../tensorflow/copy.js';

export type { PruneRunOptions } from './prepare.js';

export interface PrunedLayer {
  name: string;
  weights: number;
  sparsity: number;
}

export interface PruneRunResult extends TrainResult {
  plan: PruningPlan;
  /** Sparsity of each layer of the written model, and of all of their weights. */
  layers: PrunedLayer[];
  sparsity: number;
}

/** What a run would do, without doing it: for `--dry-run`. Throws what `pruneModel` throws before it trains. */
export async function planRun(
  options: PruneRunOptions,
): Promise<PruningPlan & { scan: SensitivityReport | null }> {
  const { plan, model, scan } = await prepare(options);
  model.dispose();
  return { ...plan, scan };
}

/** The scan alone: for `--scan`. */
export async function scanRun(options: PruneRunOptions): Promise<SensitivityReport> {
  const { recipe } = options;
  const { scan, model } = await prepare({
    ...options,
    // Whether a schedule fits is not asked here.
    recipe: { ...recipe, sparsity: recipe.sparsity ?? 0, scan: recipe.scan ?? {}, onUnreachedEnd: 'warn' },
  });
  model.dispose();
  return scan!;
}

/**
 * The dense model that is learned from, in standardised units.
 * @throws EspalierError INVALID_ARGUMENT for one that takes other inputs
 */
async function teacherOf(
  { distillation }: Recipe,
  { tensorflow, model, dataset, preprocessing }: ModelWithData,
): Promise<{ teacher: LayersModel; alpha?: number } | null> {
  if (!distillation) return null;
  const { teacher: path, alpha } = distillation === true ? {} : distillation;
  if (path === undefined) return { teacher: copyModel(model), alpha };
  const teacher = await loadLayersModel(tensorflow, path);
  checkShapes(dataset, teacher.inputs[0]?.shape.at(-1), teacher.outputs[0]?.shape.at(-1));
  const own = await readPreprocessing(path);
  if (own !== undefined && JSON.stringify(own.encoder) !== JSON.stringify(preprocessing.encoder)) {
    const expected = 'a model with the same preprocessing.json, trained on the same columns';
    throw invalid('INVALID_ARGUMENT', 'teacher', expected, path);
  }
  standardise(tensorflow, teacher, preprocessing);
  return { teacher, alpha };
}

function startPruning(
  model: LayersModel,
  { options, totalSteps }: PruningPlan,
  warn: (text: string) => void,
): Pruned {
  return pruneLowMagnitude(model, {
    ...options,
    // With 'warn' the plan has told already.
    ...(options.onUnreachedEnd === 'warn' ? {} : { totalSteps }),
    // Warm-up is at the present sparsity.
    keepZeros: true,
    onWarning: warn,
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

/** The sparsity that the pruned weights of the model itself have, by layer and in all. */
export function measured(model: LayersModel, names: readonly string[]) {
  const layers = layerPaths(model as never).flatMap(([name, layer]): PrunedLayer[] => {
    if (!names.includes(name)) return [];
    let [weights, zeros] = [0, 0];
    for (const { variable } of prunableWeights(layer, name)) {
      const values = variable.read().dataSync();
      weights += values.length;
      for (const value of values) if (value === 0) zeros += 1;
    }
    return [{ name, weights, sparsity: zeros / weights }];
  });
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  const sparsity = layers.reduce((sum, layer) => sum + layer.weights * layer.sparsity, 0) / weights;
  return { layers, sparsity };
}

/**
 * Prunes and writes the model of the best epoch by validation among those at the target sparsity. Throws INVALID_DATA,
 * INVALID_ARGUMENT, INVALID_MODEL, UNREACHED_END before anything trains, SPARSITY_NOT_REACHED, TRAINING_FAILED,
 * INTERRUPTED.
 */
export async function trainAndPrune(options: PruneRunOptions): Promise<PruneRunResult> {
  const { progress = {}, recipe: asked } = options;
  if (typeof options.model !== 'string' && asked.distillation) {
    const { teacher } = asked.distillation === true ? {} : asked.distillation;
    if (teacher === undefined)
      throw invalid('INVALID_ARGUMENT', 'teacher', 'a dense model, as none is there yet', undefined);
  }
  const prepared = await prepare(options);
  const { tensorflow, model, dataset, preprocessing, plan, settings } = prepared;
  for (const warning of plan.warnings) progress.warn?.(warning);
  for (const note of plan.notes) progress.say?.(note);
  const teacher = await teacherOf(asked, prepared);
  const { recipe, endStep, totalSteps, beginStep } = plan;
  progress.say?.(
    `pruning to sparsity ${+recipe.sparsity.toFixed(4)}: ${recipe.warmUp} + ${recipe.epochs} epochs of ${plan.stepsPerEpoch} steps, ` +
      `masks every ${recipe.frequency} steps from ${beginStep} to ${endStep} of ${totalSteps}`,
  );
  let finished = { layers: [] as PrunedLayer[], sparsity: 0 };
  const result = await runTraining({
    ...{ tensorflow, model, dataset, settings, progress },
    ...{ output: options.output, resume: options.resume, tensorboard: options.tensorboard },
    signal: options.signal,
    run: {
      ...{ command: 'prune', ...settings, recipe, target: preprocessing.target, rows: dataset.table.rows },
      ...(typeof options.model === 'string' ? {} : options.model),
    },
    content: {
      // One that is made by its seed is the same where the settings are.
      ...(typeof options.model === 'string' ? { model: modelMarks(model) } : {}),
      ...(teacher === null ? {} : { teacher: modelMarks(teacher.teacher) }),
    },
    begin: (trained) =>
      hooksOf(trained, prepared, teacher, options, (stripped) => {
        finished = measured(
          stripped,
          plan.layers.map(({ name }) => name),
        );
        return finished;
      }),
  });
  return { ...result, plan, ...finished };
}

/** Pruning in the loop of training. */
function hooksOf(
  model: LayersModel,
  { plan }: PreparedRun,
  taught: { teacher: LayersModel; alpha?: number } | null,
  { progress = {}, tensorboardEvery = 1 }: PruneRunOptions,
  measure: (stripped: LayersModel) => Record<string, unknown>,
): TrainingHooks {
  const pruned = startPruning(model, plan, (message) => {
    if (!plan.warnings.includes(message)) progress.warn?.(message);
  });
  const masks = pruned.callback();
  const distiller = taught && new Distiller(model, taught);
  const { endStep, totalSteps } = plan;
  return {
    trainOnBatch: async (xs, ys) => (await pruned.trainOnBatch(xs, ys)) as number,
    whileRaw: (decay) => pruned.pruner.whileRaw(decay),
    afterStep: (log, step, loss, rate) => {
      if ((step + 1) % tensorboardEvery === 0) logSparsity(log, pruned, step + 1, loss, rate);
    },
    beforeValidation: () => void masks.onEpochEnd(),
    sparsity: () => currentSparsity(pruned),
    // Where the end is not reached and that was allowed, the last epoch is the best there is.
    counts: () => pruned.pruner.step >= Math.min(endStep, totalSteps),
    extra: pruningState(pruned),
    noBest: 'no epoch reached the target sparsity',
    finish: () => {
      const stripped = pruned.strip();
      return { model: stripped, more: measure(stripped) };
    },
    release: () => {
      distiller?.release();
      taught?.teacher.dispose();
      pruned.release();
    },
  };
}
