/** What a run of pruning begins with: a model, its data, and the plan. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { invalid } from '../errors.js';
import { Dataset, checkShapes, plainPreprocessing, readPreprocessing } from '../table/dataset.js';
import { checkFitSettings, stepsPerEpoch, type FitSettings } from '../train/fit.js';
import { accelerate } from '../train/kernels.js';
import { modelJsonPath } from '../files.js';
import { loadLayersModel } from '../train/model-files.js';
import { TRAINING_FILE, standardise, type TrainingRunOptions } from '../train/run.js';
import type { SplitSettings } from '../table/split.js';
import type { Table } from '../table/table.js';
import { loadTensorFlow } from '../tensorflow/load.js';
import { TRAIN_DEFAULTS, newNetwork, tableOf, type NetworkOptions } from '../train/train.js';
import { PruneForLatency } from '../prune/which/latency.js';
import type { PruningPolicy } from '../prune/which/policy.js';
import { pruneLowMagnitude } from '../prune/loop/prune-low-magnitude.js';
import type { SensitivityReport } from '../prune/one-shot/sensitivity.js';
import { layerPaths } from '../prune/which/targets.js';
import { PruneForLatencyOnXNNPack } from '../prune/which/xnnpack.js';
import { planPruning, requireKnown } from './plan.js';
import type { PresentLayer, PruningPlan } from './planned.js';
import { RECIPE_DEFAULTS, type Recipe } from './recipe.js';
import type { ModelWithData } from './model-with-data.js';
import { scanModel } from './scan.js';

export interface PruneRunOptions extends TrainingRunOptions {
  /**
   * What `espalier train` wrote, or any model: a model.json or its folder, a Keras .h5 or .keras file; or a network
   * that is made now, and pruned while it is trained.
   */
  model: string | NetworkOptions;
  data: string | Table;
  target: string;
  recipe: Recipe;
  /** Default: the split that the model was trained with. */
  split?: SplitSettings;
  /** Steps between two entries of each layer's sparsity in the log; default 1. */
  tensorboardEvery?: number;
}

export interface PreparedRun extends ModelWithData {
  plan: PruningPlan;
  settings: FitSettings;
  /** Of the scan that the recipe asks for. */
  scan: SensitivityReport | null;
}

/** What of a model's own training its pruning goes on with. */
async function trainedWith(
  model: string | NetworkOptions,
): Promise<{ batchSize?: number; weightDecay?: number }> {
  if (typeof model !== 'string') return { weightDecay: 10 * TRAIN_DEFAULTS.weightDecay };
  try {
    const path = join(dirname(await modelJsonPath(model)), TRAINING_FILE);
    const { run } = JSON.parse(await readFile(path, 'utf8')) as { run?: Record<string, unknown> };
    const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
    return { batchSize: number(run?.batchSize), weightDecay: number(run?.weightDecay) };
  } catch {
    return {};
  }
}

export type RunSource = Pick<
  PruneRunOptions,
  'model' | 'data' | 'target' | 'split' | 'threads' | 'progress'
> & {
  seed?: number;
};

/** Loads or makes the model and reads its data. Throws INVALID_DATA, INVALID_MODEL, NOT_FOUND, TENSORFLOW_MISSING. */
export async function modelWithData(source: RunSource): Promise<ModelWithData> {
  const { model: from, target, threads, seed = TRAIN_DEFAULTS.seed, progress = {} } = source;
  if (typeof from !== 'string') {
    const split = source.split ?? TRAIN_DEFAULTS.split;
    return newNetwork({ ...from, data: source.data, target, split, seed, threads }, progress);
  }
  const stored = await readPreprocessing(from);
  const table = await tableOf(source.data, progress);
  const split = source.split ?? stored?.split ?? TRAIN_DEFAULTS.split;
  const preprocessing =
    stored === undefined ? plainPreprocessing(table, target, split) : { ...stored, split, target };
  const dataset = new Dataset(table, preprocessing);
  const tensorflow = await loadTensorFlow({ threads, warn: progress.warn });
  accelerate(tensorflow);
  const model = await loadLayersModel(tensorflow, from);
  checkShapes(dataset, model.inputs[0]?.shape.at(-1), model.outputs[0]?.shape.at(-1));
  standardise(tensorflow, model, preprocessing);
  return { tensorflow, model, dataset, preprocessing };
}

/** The policy of a recipe; null where all layers are pruned. */
function policyOf({ policy, sparsity }: Recipe): (PruningPolicy & Partial<PruneForLatency>) | null {
  if (policy === undefined) return null;
  if (policy === 'PruneForLatencyOnXNNPack') return new PruneForLatencyOnXNNPack();
  const given: { sparsity?: number; batch?: number; gain?: number } =
    typeof policy === 'string' ? {} : (({ name: _, ...rest }) => rest)(policy);
  return new PruneForLatency({ ...given, sparsity: given.sparsity ?? sparsity ?? 0.9 });
}

/** The layers of a model that a recipe lets be pruned, as they are; and the names of all. */
export function layersOf(
  model: LayersModel,
  recipe: Recipe,
): { layers: PresentLayer[]; known: string[]; frozen: string[] } {
  const paths = layerPaths(model as never).filter(([, layer]) => layer.getClassName() !== 'InputLayer');
  const known = paths.map(([path]) => path);
  requireKnown(recipe, known);
  const dense = known.filter((name) => recipe.perLayer?.[name] === false);
  const policy = policyOf(recipe);
  // Only to know the layers that can be pruned: released before anything trains.
  const frozen: string[] = [];
  const probe = pruneLowMagnitude(model, {
    ...(policy && { policy }),
    perLayer: Object.fromEntries(dense.map((name) => [name, false])),
    frozen: recipe.frozen ?? 'keep',
    onWarning: (message) => frozen.push(message),
  });
  const layers = new Map<string, PresentLayer & { zeros: number }>();
  for (const { layer, size, variable, frozen: isFrozen } of probe.pruner.weights) {
    const parameters = paths.find(([path]) => path === layer)![1].countParams();
    const entry = layers.get(layer) ?? {
      ...{ name: layer, weights: 0, zeros: 0, present: 0, parameters },
      ...(isFrozen() && { frozen: true }),
    };
    entry.weights += size;
    for (const value of variable.read().dataSync()) if (value === 0) entry.zeros += 1;
    entry.present = entry.zeros / entry.weights;
    layers.set(layer, entry);
  }
  probe.release();
  if (layers.size === 0)
    throw invalid('INVALID_ARGUMENT', 'policy', 'one that chooses a layer to prune', recipe.policy);
  return { layers: [...layers.values()].map(({ zeros: _, ...layer }) => layer), known, frozen };
}

/** The recipe with the sparsities that its scan proposed, where it does not tell a layer's own. */
export function withProposal(recipe: Recipe, scan: SensitivityReport | null): Recipe {
  if (!scan?.proposal) return recipe;
  return { ...recipe, perLayer: { ...scan.proposal, ...recipe.perLayer } };
}

export async function prepare(options: PruneRunOptions): Promise<PreparedRun> {
  const { recipe, progress = {} } = options;
  const whole = await modelWithData({ ...options, seed: recipe.seed });
  const { model, dataset } = whole;
  const before = await trainedWith(options.model);
  const batchSize = recipe.batchSize ?? before.batchSize ?? TRAIN_DEFAULTS.batchSize;
  const perEpoch = stepsPerEpoch(dataset.split.train.length, batchSize);
  const { layers, known, frozen } = layersOf(model, recipe);
  const scan = recipe.scan ? await scanModel(whole, layers, recipe, progress) : null;
  const plan = planPruning({ ...withProposal(recipe, scan), batchSize }, perEpoch, layers, known);
  plan.notes.push(...notesOf(model, recipe));
  // What stays frozen.
  plan.warnings.push(...frozen);
  const settings: FitSettings = {
    epochs: plan.totalEpochs,
    batchSize,
    learningRate: plan.recipe.learningRate,
    decay: plan.recipe.decay,
    // Decay shrinks what survives while it has to take over for what is gone: measured on the flights of the example,
    // as much as in training leaves sparsity 0.75 3 % worse than dense, a tenth of it 0.2 %.
    weightDecay: recipe.weightDecay ?? (before.weightDecay ?? TRAIN_DEFAULTS.weightDecay) / 10,
    seed: recipe.seed ?? RECIPE_DEFAULTS.seed,
    patience: recipe.patience,
  };
  checkFitSettings(settings);
  return { ...whole, plan, settings, scan };
}

/** What besides the schedule is done, a line each. */
function notesOf(model: LayersModel, recipe: Recipe): string[] {
  const notes: string[] = [];
  const { distillation, policy } = recipe;
  if (distillation) {
    const { teacher = 'the dense model', alpha = RECIPE_DEFAULTS.alpha } =
      distillation === true ? {} : distillation;
    notes.push(`distillation: ${alpha} of the loss is the distance to ${teacher}`);
  }
  const chooser = policyOf(recipe);
  if (policy !== undefined) notes.push(`policy ${typeof policy === 'string' ? policy : policy.name}`);
  for (const { layer, needed } of chooser?.explain?.(model) ?? []) {
    notes.push(
      `  ${layer}: ${needed === null ? 'zeros bring nothing' : `faster from sparsity ${needed} on`}`,
    );
  }
  return notes;
}
