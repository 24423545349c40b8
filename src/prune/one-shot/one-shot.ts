/** Pruning in one step, without training: for networks that come without their training data. */
import type { LayersModel, Tensor, Variable } from '@tensorflow/tfjs-node';
import { invalid, requireKeys } from '../../errors.js';
import type { Layer as NetworkLayer, Network } from '../../network/types.js';
import type { Arr } from '../../reference/index.js';
import {
  checkMaskOptions,
  keptCount,
  magnitudeMask,
  maskAtThreshold,
  mByNMask,
  requireNoNaN,
  type MaskOptions,
} from '../mask/mask.js';
import { normsOfModel, normsOfNetwork, type Norms } from './norms.js';
import { requireFrozenSaid, type FrozenMiss } from '../loop/frozen.js';
import { requireMaskable, resolveFrozen, resolveLayer, resolveOptions } from '../loop/options.js';
import { requireFinite, sparsityOf, verifiedCopy } from '../loop/strip.js';
import { isModel } from '../../tensorflow/layer-tree.js';
import { prunableWeightNames } from '../which/registry.js';
import { kthLargestMagnitude } from '../mask/select.js';
import { findTargets, weightsOf, type Target } from '../which/targets.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface OneShotOptions extends Omit<MaskOptions, 'exact'> {
  /**
   * Fraction of zeros in [0, 1), of each layer or by layer name; layers that are not named stay dense. Not needed with
   * sparsityMByN.
   */
  sparsity?: number | Readonly<Record<string, number>>;
  /**
   * 'wanda' (or 'activation-aware') weighs each weight by the norm of what it is multiplied with. Default: 'wanda' with
   * calibration.
   */
  method?: 'magnitude' | 'wanda' | 'activation-aware';
  /**
   * Some typical inputs, which wanda needs: for a LayersModel as `predict` takes them, for a Network an array of
   * { shape, data } in the order of its inputs, the batch first.
   */
  calibration?: Tensor | Tensor[] | readonly Arr[];
  /** 'global': the sparsity is that of all weights together, by magnitude. Default 'layer'. */
  scope?: 'layer' | 'global';
  /** [m, n]: m zeros in each n weights along the inputs of an output. */
  sparsityMByN?: readonly [number, number];
  /** Names of layers to leave dense. */
  skip?: readonly string[];
  /**
   * Frozen layers (in Keras's sense): 'prune' prunes them all the same, 'keep' leaves them as they are. By default
   * pruning that would miss its sparsity because of them is refused.
   */
  frozen?: 'prune' | 'keep';
}

const OPTIONS = [
  ...[
    'sparsity',
    'method',
    'calibration',
    'scope',
    'blockSize',
    'blockPooling',
    'sparsityMByN',
    'skip',
    'frozen',
  ],
];

interface Settings extends Omit<OneShotOptions, 'method' | 'skip' | 'scope' | 'frozen'> {
  wanda: boolean;
  frozen: 'prune' | 'keep' | null;
  skip: readonly string[];
  scope: 'layer' | 'global';
}

interface Weight {
  layer: string;
  name: string;
  shape: readonly number[];
  values: Float32Array;
  frozen: boolean;
}

/**
 * A pruned copy of the model or network; what is given stays as it is. Magnitudes are compared within a weight, exactly
 * the asked count is kept. With 'wanda' (Sun et al. 2023, arXiv:2306.11695) the score is |w| · ‖x‖₂, where x is the
 * input channel over all calibration samples, and the weights of each output are compared with one another; embeddings,
 * recurrent and pointwise kernels, which do not meet the layer's input, go by magnitude. A copy of a LayersModel is
 * verified before it is pruned (its answers are those of the model), and its zeros after.
 *
 * @param model a tfjs LayersModel, or a Network as espalier imports it
 * @throws EspalierError INVALID_ARGUMENT, UNSUPPORTED_LAYER; INVALID_INPUT or TRAINING_FAILED for weights that are not
 *   finite
 */
export function pruneOneShot(model: LayersModel, options: OneShotOptions): LayersModel;
export function pruneOneShot(model: Network, options: OneShotOptions): Network;
export function pruneOneShot(model: LayersModel | Network, options: OneShotOptions): LayersModel | Network {
  const settings = resolve(options);
  if (isModel(model)) return pruneModel(model, settings);
  if (!Array.isArray((model as Network | null)?.layers)) {
    throw invalid('INVALID_ARGUMENT', 'model', 'a LayersModel or a Network', model);
  }
  return pruneNetwork(model, settings);
}

function resolve(options: OneShotOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('INVALID_ARGUMENT', 'options', 'an object with sparsity', options);
  }
  requireKeys('options', options, OPTIONS);
  const { calibration, skip = [], scope = 'layer', sparsityMByN } = options;
  const method = options.method ?? (calibration === undefined ? 'magnitude' : 'wanda');
  if (method !== 'magnitude' && method !== 'wanda' && method !== 'activation-aware') {
    throw invalid('INVALID_ARGUMENT', 'method', "'magnitude' or 'wanda'", method);
  }
  const wanda = method !== 'magnitude';
  if (wanda && calibration === undefined) {
    throw invalid('INVALID_ARGUMENT', 'calibration', 'tensors of typical inputs for wanda', undefined);
  }
  // The checks of training's options: blocks and m-by-n, and that global scope has neither.
  resolveOptions({ ...masksOf(options), scope });
  if (scope === 'global' && (wanda || typeof options.sparsity !== 'number')) {
    const expected = "'layer' for wanda and for sparsities by layer";
    throw invalid('INVALID_ARGUMENT', 'scope', expected, scope);
  }
  if (sparsityMByN && options.sparsity !== undefined) {
    throw invalid('INVALID_ARGUMENT', 'sparsity', 'nothing besides sparsityMByN', options.sparsity);
  }
  return { ...options, wanda, skip, scope, frozen: resolveFrozen(options.frozen) };
}

const masksOf = ({
  blockSize,
  blockPooling,
  sparsityMByN,
}: Pick<OneShotOptions, 'blockSize' | 'blockPooling' | 'sparsityMByN'>) => ({
  ...(blockSize && { blockSize }),
  ...(blockPooling && { blockPooling }),
  ...(sparsityMByN && { sparsityMByN }),
});

function pruneModel(model: LayersModel, settings: Settings): LayersModel {
  const perLayer = Object.fromEntries(settings.skip.map((name) => [name, false as const]));
  const options = resolveOptions({ perLayer });
  for (const { layer, name, variable } of weightsOf(findTargets(model, options), model)) {
    requireNoNaN(`${layer}/${name}`, variable.read().dataSync() as Float32Array);
  }
  const copy = verifiedCopy(model, 'one-shot');
  try {
    pruneCopy(copy, findTargets(copy, options), settings);
    return copy;
  } catch (error) {
    copy.dispose();
    throw error;
  }
}

function pruneCopy(copy: LayersModel, targets: Target[], settings: Settings): void {
  const tf = tensorflow();
  const found = weightsOf(targets, copy);
  const weights = found.map(({ layer, name, shape, variable, frozen }) => ({
    ...{ layer, name, shape, values: variable.read().dataSync().slice() as Float32Array, frozen: frozen() },
  }));
  const norms = settings.wanda ? normsOfModel(copy, targets, settings.calibration as Tensor) : null;
  const names = targets.map(({ path }) => path);
  masksFor(weights, names, settings, norms).forEach((mask, i) => {
    if (mask === null) return;
    const { variable, shape, layer, name } = found[i]!;
    const values = masked(weights[i]!.values, mask);
    tf.tidy(() => void (variable.read() as Variable).assign(tf.tensor(values, shape)));
    const asked = mask.reduce((sum, bit) => sum + 1 - bit, 0);
    const zeros = Math.round(sparsityOf(variable) * mask.length);
    if (zeros < asked) throw invalid('INVALID_MODEL', `${layer}/${name}`, `${asked} zeros`, zeros);
  });
  requireFinite(copy, 'one-shot');
}

function pruneNetwork(network: Network, settings: Settings): Network {
  const named = network.layers.filter(
    ({ kind, name }) => prunableWeightNames(kind)?.length && !settings.skip.includes(name),
  );
  const weights = named.flatMap((layer) =>
    prunableWeightNames(layer.kind)!.flatMap((name) => {
      const tensor = layer.weights[name];
      const frozen = layer.training?.trainable === false;
      return tensor ? [{ layer: layer.name, name, shape: tensor.shape, values: tensor.data, frozen }] : [];
    }),
  );
  const norms = settings.wanda ? normsOfNetwork(network, settings.calibration as readonly Arr[]) : null;
  const names = named.map(({ name }) => name);
  const masks = masksFor(weights, names, settings, norms);
  const prune = (layer: NetworkLayer): NetworkLayer => {
    const own = { ...layer.weights };
    weights.forEach(({ layer: owner, name, shape, values }, i) => {
      const mask = masks[i];
      if (owner === layer.name && mask) own[name] = { shape, data: masked(values, mask) };
    });
    return named.includes(layer) ? { ...layer, weights: own } : layer;
  };
  return { ...network, layers: network.layers.map(prune) };
}

const masked = (values: Float32Array, mask: Uint8Array): Float32Array =>
  values.map((value, i) => (mask[i] === 0 ? 0 : value));

/** A mask for each weight; null: it stays dense. */
function masksFor(
  weights: readonly Weight[],
  names: readonly string[],
  settings: Settings,
  norms: Norms | null,
): (Uint8Array | null)[] {
  for (const { layer, name, values } of weights) requireNoNaN(`${layer}/${name}`, values);
  const { sparsityMByN } = settings;
  const asked = sparsities(sparsityMByN ? 0 : settings.sparsity, names);
  requireFrozenSaid(settings.frozen === null ? missesOf(weights, settings, asked) : []);
  const left = ({ frozen }: Weight) => frozen && settings.frozen !== 'prune';
  if (settings.scope === 'global') {
    const some = weights.filter((weight) => !left(weight));
    const masks = some.length > 0 ? globalMasks(some, asked('')!) : [];
    return weights.map((weight) => (left(weight) ? null : masks[some.indexOf(weight)]!));
  }
  return weights.map((weight) => {
    const sparsity = left(weight) ? null : asked(weight.layer);
    return sparsity === null ? null : maskFor(weight, sparsity, settings, norms?.get(weight.layer));
  });
}

/** Frozen weights that have fewer zeros than they are to get. */
function missesOf(
  weights: readonly Weight[],
  { sparsityMByN }: Settings,
  asked: (name: string) => number | null,
): FrozenMiss[] {
  return weights.flatMap(({ layer, values, frozen }) => {
    const wanted = sparsityMByN ? sparsityMByN[0] / sparsityMByN[1] : asked(layer);
    const present = values.reduce((sum, value) => sum + (value === 0 ? 1 : 0), 0) / values.length;
    const misses = frozen && wanted !== null && present < wanted - 0.5 / values.length;
    return misses ? [{ layer, present, asked: wanted }] : [];
  });
}

/** One threshold for all weights together; each keeps its largest at least, so that no layer dies. */
function globalMasks(weights: readonly Weight[], sparsity: number): Uint8Array[] {
  const all = new Float32Array(weights.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  const starts = weights.map(({ values }) => {
    all.set(values, at);
    at += values.length;
    return at - values.length;
  });
  const k = keptCount(all.length, sparsity);
  const { mask } = maskAtThreshold(all, kthLargestMagnitude(all, k), k);
  return weights.map(({ values }, i) => {
    const own = mask.slice(starts[i], starts[i]! + values.length);
    return own.includes(1) ? own : maskAtThreshold(values, kthLargestMagnitude(values, 1), 1).mask;
  });
}

function maskFor(
  weight: Weight,
  sparsity: number,
  settings: Settings,
  squares: Float32Array | undefined,
): Uint8Array {
  const { layer, name, shape, values } = weight;
  const options = resolveLayer(masksOf(settings), null, 'options');
  requireMaskable(layer, shape, options);
  const aware = squares !== undefined && name === 'kernel';
  const scores = aware ? scoresOf(weight, squares) : values;
  if (options.sparsityMByN) return mByNMask(scores, shape, ...options.sparsityMByN).mask;
  const blocks = checkMaskOptions(options);
  const single = blocks.blockSize.every((extent) => extent === 1);
  if (!aware || !single) return magnitudeMask(scores, shape, sparsity, { ...blocks, exact: true }).mask;
  return masksByOutput(scores, shape.at(-1)!, sparsity);
}

/** |w| · ‖x‖ */
function scoresOf({ layer, shape, values }: Weight, squares: Float32Array): Float32Array {
  const outs = shape.at(-1)!;
  const ins = shape.at(-2)!;
  if (squares.length !== ins)
    throw invalid('INVALID_MODEL', `layer "${layer}"`, `${ins} input channels`, squares.length);
  return values.map((value, i) => Math.abs(value) * Math.sqrt(squares[Math.floor(i / outs) % ins]!));
}

/** The scores of each output are compared with one another. */
function masksByOutput(scores: Float32Array, outs: number, sparsity: number): Uint8Array {
  const rows = scores.length / outs;
  const mask = new Uint8Array(scores.length);
  const column = new Float32Array(rows);
  const k = keptCount(rows, sparsity);
  for (let out = 0; out < outs; out++) {
    for (let row = 0; row < rows; row++) column[row] = scores[row * outs + out]!;
    const own = maskAtThreshold(column, kthLargestMagnitude(column, k), k).mask;
    for (let row = 0; row < rows; row++) mask[row * outs + out] = own[row]!;
  }
  return mask;
}

function sparsities(
  given: OneShotOptions['sparsity'],
  names: readonly string[],
): (name: string) => number | null {
  const check = (parameter: string, value: unknown): number => {
    if (typeof value === 'number' && value >= 0 && value < 1) return value;
    throw invalid('INVALID_ARGUMENT', parameter, 'a number in [0, 1)', value);
  };
  if (typeof given !== 'object' || given === null) {
    const all = check('sparsity', given);
    return () => all;
  }
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name))
      throw invalid('INVALID_ARGUMENT', 'sparsity', `layers among ${names.join(', ')}`, name);
    check(`sparsity of layer "${name}"`, value);
  }
  return (name) => (Object.hasOwn(given, name) ? given[name]! : null);
}
