/** `espalier prune --one-shot`: a model pruned in one step, with or without data. */
import { readFile } from 'node:fs/promises';
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../errors.js';
import { readPreprocessing, type Dataset } from '../table/dataset.js';
import { PartTensors } from '../train/part-tensors.js';
import { accelerate } from '../train/kernels.js';
import type { Metrics } from '../metrics.js';
import { loadLayersModel, saveLayersModel } from '../train/model-files.js';
import { mix, shuffled } from '../random.js';
import { destandardise, evaluateHeldOut, writeTraining } from '../train/run.js';
import { loadTensorFlow, type TensorFlow } from '../tensorflow/load.js';
import { pruneOneShot, type OneShotOptions } from '../prune/one-shot/one-shot.js';
import { layerRecipeOf, planLayers } from './plan.js';
import type { PlannedLayer } from './planned.js';
import { layersOf, modelWithData, withProposal, type PruneRunOptions } from './prepare.js';
import type { ModelWithData } from './model-with-data.js';
import { RECIPE_DEFAULTS, type Recipe } from './recipe.js';
import { measured, type PrunedLayer } from './train-and-prune.js';
import { scanModel } from './scan.js';

export interface OneShotRunOptions extends Omit<
  PruneRunOptions,
  'model' | 'data' | 'target' | 'tensorboard' | 'tensorboardEvery'
> {
  model: string;
  /** Rows to calibrate with and to measure on; both or neither. */
  data?: PruneRunOptions['data'];
  target?: string;
}

export interface OneShotResult {
  method: 'magnitude' | 'activation-aware';
  /** Inputs that were listened to; 0 by magnitude. */
  samples: number;
  layers: PrunedLayer[];
  sparsity: number;
  /** On the held-out rows, dense and pruned; undefined without data. */
  before?: Metrics;
  after?: Metrics;
}

/** A plan for `--dry-run`. */
export interface OneShotPlan {
  method: OneShotResult['method'];
  layers: PlannedLayer[];
}

interface Loaded {
  tensorflow: TensorFlow;
  model: LayersModel;
  data: ModelWithData | null;
}

async function loadModelAndData(options: OneShotRunOptions): Promise<Loaded> {
  const { data, target, threads, progress = {} } = options;
  if (data !== undefined && target !== undefined) {
    const whole = await modelWithData({ ...options, data, target });
    return { tensorflow: whole.tensorflow, model: whole.model, data: whole };
  }
  if (data !== undefined || target !== undefined || options.recipe.scan) {
    throw invalid('INVALID_ARGUMENT', 'data', '--data and --target together', undefined);
  }
  const tensorflow = await loadTensorFlow({ threads, warn: progress.warn });
  accelerate(tensorflow);
  return { tensorflow, model: await loadLayersModel(tensorflow, options.model), data: null };
}

const settingsOf = ({ oneShot }: Recipe) => (typeof oneShot === 'object' ? oneShot : {});

function methodOf(recipe: Recipe, hasData: boolean): OneShotResult['method'] {
  const { method, calibration } = settingsOf(recipe);
  const some = hasData || calibration !== undefined;
  if (method === 'activation-aware' && !some) {
    const expected = 'inputs: --calibration files, or --data and --target';
    throw invalid('INVALID_ARGUMENT', 'calibration', expected, undefined);
  }
  // Global thresholds compare weights of different layers, which activations do not make comparable.
  return method ?? (some && recipe.scope !== 'global' ? 'activation-aware' : 'magnitude');
}

async function planOf(recipe: Recipe, { model, data }: Loaded, options: OneShotRunOptions) {
  for (const [name, own] of Object.entries(recipe.perLayer ?? {})) {
    if (typeof own === 'object' && Object.keys(own).some((key) => key !== 'sparsity'))
      throw invalid('INVALID_ARGUMENT', `perLayer.${name}`, 'a sparsity or false in one-shot', own);
  }
  const { layers, known, frozen } = layersOf(model, recipe);
  for (const message of frozen) options.progress?.warn?.(message);
  const scan = recipe.scan ? await scanModel(data!, layers, recipe, options.progress ?? {}) : null;
  const whole = withProposal(recipe, scan);
  return { planned: planLayers(whole, layers), known, recipe: whole };
}

/** What would be pruned. */
export async function planPruneOnce(options: OneShotRunOptions): Promise<OneShotPlan> {
  const loaded = await loadModelAndData(options);
  const method = methodOf(options.recipe, loaded.data !== null);
  const { planned } = await planOf(options.recipe, loaded, options);
  loaded.model.dispose();
  return { method, layers: planned };
}

/**
 * Prunes and writes the model. Throws INVALID_ARGUMENT, INVALID_DATA, INVALID_MODEL, UNSUPPORTED_LAYER, NOT_FOUND.
 */
export async function pruneOnce(options: OneShotRunOptions): Promise<OneShotResult> {
  const { output, progress = {} } = options;
  const loaded = await loadModelAndData(options);
  const { tensorflow, model, data } = loaded;
  const method = methodOf(options.recipe, data !== null);
  const { planned, known, recipe } = await planOf(options.recipe, loaded, options);
  const calibration =
    method === 'magnitude' ? null : await calibrationOf(recipe, loaded, model, data?.dataset);
  const samples = calibration?.[0]!.shape[0] ?? 0;
  progress.say?.(
    `pruning ${planned.length} layers in one step, ${method}${samples ? ` with ${samples} samples` : ''}`,
  );
  const pruned = pruneOneShot(model, {
    ...oneShotMasks(recipe, planned),
    ...(recipe.frozen && { frozen: recipe.frozen }),
    method,
    ...(calibration && { calibration: calibration.length === 1 ? calibration[0]! : calibration }),
    skip: known.filter((name) => !planned.some((layer) => layer.name === name)),
  });
  const { layers, sparsity } = measured(
    pruned,
    planned.map(({ name }) => name),
  );
  const before = data ? evaluateHeldOut(tensorflow, model, data.dataset) : undefined;
  const after = data ? evaluateHeldOut(tensorflow, pruned, data.dataset) : undefined;
  const stored = data?.preprocessing ?? (await readPreprocessing(options.model));
  if (data) destandardise(tensorflow, pruned, data.preprocessing);
  await saveLayersModel(tensorflow, pruned, output, stored);
  const run = { command: 'prune', recipe, method, samples };
  await writeTraining(output, { run, before, test: after, layers, sparsity });
  tensorflow.tf.dispose(calibration ?? []);
  model.dispose();
  pruned.dispose();
  return { method, samples, layers, sparsity, before, after };
}

function oneShotMasks(recipe: Recipe, planned: readonly PlannedLayer[]): OneShotOptions {
  const { scope, blockSize, blockPooling, sparsityMByN } = recipe;
  const masks = {
    ...(scope && { scope }),
    ...(blockSize && { blockSize }),
    ...(blockPooling && { blockPooling }),
  };
  if (sparsityMByN) return { ...masks, sparsityMByN };
  if (scope !== 'global') {
    const pruned = planned.filter(({ frozen }) => !frozen || recipe.frozen === 'prune');
    return { ...masks, sparsity: Object.fromEntries(pruned.map(({ name, target }) => [name, target])) };
  }
  const own = planned.find(({ name }) => layerRecipeOf(recipe, name)?.sparsity !== undefined);
  if (own)
    throw invalid('INVALID_ARGUMENT', `perLayer.${own.name}`, "false, as scope is 'global'", own.target);
  return { ...masks, sparsity: recipe.sparsity };
}

/** Typical inputs: the files that were given, or training rows. */
async function calibrationOf(
  recipe: Recipe,
  { tensorflow }: Loaded,
  model: LayersModel,
  dataset: Dataset | undefined,
): Promise<Tensor[]> {
  const { calibration, rows = RECIPE_DEFAULTS.calibrationRows } = settingsOf(recipe);
  if (calibration) return readCalibration(tensorflow, model, calibration);
  const part = new PartTensors(tensorflow.tf, dataset!, 'train');
  try {
    const order = shuffled(
      Uint32Array.from(part.rows.keys()),
      mix(recipe.seed ?? RECIPE_DEFAULTS.seed, 0xca11),
    );
    const { inputs, targets } = part.take(order.subarray(0, rows));
    targets.dispose();
    return [inputs];
  } finally {
    part.dispose();
  }
}

/** Raw little-endian float32, one file an input of the model; the number of samples from the file's size. */
async function readCalibration(
  { tf }: TensorFlow,
  model: LayersModel,
  files: readonly string[],
): Promise<Tensor[]> {
  if (files.length !== model.inputs.length) {
    const expected = `${model.inputs.length} files, one an input`;
    throw invalid('INVALID_ARGUMENT', 'calibration', expected, files.length);
  }
  const tensors: Tensor[] = [];
  for (const [i, file] of files.entries()) {
    const shape = model.inputs[i]!.shape.slice(1);
    if (shape.some((extent) => extent === null)) {
      throw invalid('INVALID_MODEL', `input ${i}`, 'a fixed shape, to calibrate from a file', shape);
    }
    const bytes = await readFile(file).catch((cause: Error) => {
      const message = `cannot read ${file}: ${cause.message}`;
      throw new EspalierError('NOT_FOUND', message, { parameter: file }, cause);
    });
    const sample = 4 * shape.reduce<number>((product, extent) => product * extent!, 1);
    if (bytes.length === 0 || bytes.length % sample !== 0) {
      const expected = `samples of ${sample} bytes, float32 of shape [${shape.join(', ')}]`;
      throw invalid('INVALID_INPUT', file, expected, `${bytes.length} bytes`);
    }
    // A copy of its own, as a small file's bytes may begin anywhere in Node's pool.
    const values = new Float32Array(Uint8Array.from(bytes).buffer);
    tensors.push(tf.tensor(values, [bytes.length / sample, ...(shape as number[])]));
  }
  if (tensors.some((tensor) => tensor.shape[0] !== tensors[0]!.shape[0])) {
    const counts = tensors.map((tensor) => tensor.shape[0]);
    throw invalid('INVALID_INPUT', 'calibration', 'as many samples of each input', counts);
  }
  return tensors;
}
