/** Pruning in one step, without training: for networks that come without their training data. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { invalid } from '../../errors.js';
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
import { requireMaskable, resolveLayer, resolveOptions } from '../loop/options.js';
import { isModel, prunableWeightNames } from '../which/registry.js';
import { kthLargestMagnitude } from '../mask/select.js';
import { copyModel } from '../loop/strip.js';
import { findTargets, weightsOf } from '../which/targets.js';
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
}

interface Settings extends Omit<OneShotOptions, 'method' | 'skip' | 'scope'> {
  wanda: boolean;
  skip: readonly string[];
  scope: 'layer' | 'global';
}

interface Weight {
  layer: string;
  name: string;
  shape: readonly number[];
  values: Float32Array;
}

/**
 * A pruned copy of the model or network; what is given stays as it is. Magnitudes are compared within a weight, exactly
 * the asked count is kept. With 'wanda' (Sun et al. 2023, arXiv:2306.11695) the score is |w| · ‖x‖₂, where x is the
 * input channel over all calibration samples, and the weights of each output are compared with one another; embeddings,
 * recurrent and pointwise kernels, which do not meet the layer's input, go by magnitude.
 *
 * @param model a tfjs LayersModel, or a Network as espalier imports it
 * @throws EspalierError INVALID_ARGUMENT, UNSUPPORTED_LAYER
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
  return { ...options, wanda, skip, scope };
}

const masksOf = ({ blockSize, blockPooling, sparsityMByN }: OneShotOptions) => ({
  ...(blockSize && { blockSize }),
  ...(blockPooling && { blockPooling }),
  ...(sparsityMByN && { sparsityMByN }),
});

function pruneModel(model: LayersModel, settings: Settings): LayersModel {
  const tf = tensorflow();
  const copy = copyModel(model);
  const perLayer = Object.fromEntries(settings.skip.map((name) => [name, false as const]));
  const targets = findTargets(copy, resolveOptions({ perLayer }));
  const found = weightsOf(targets);
  const weights = found.map(({ layer, name, shape, variable }) => ({
    ...{ layer, name, shape, values: variable.read().dataSync().slice() as Float32Array },
  }));
  const norms = settings.wanda ? normsOfModel(copy, targets, settings.calibration as Tensor) : null;
  const names = targets.map(({ path }) => path);
  masksFor(weights, names, settings, norms).forEach((mask, i) => {
    if (mask === null) return;
    const { variable, shape } = found[i]!;
    tf.tidy(() => void variable.write(tf.tensor(masked(weights[i]!.values, mask), shape)));
  });
  return copy;
}

function pruneNetwork(network: Network, settings: Settings): Network {
  const named = network.layers.filter(
    ({ kind, name }) => prunableWeightNames(kind)?.length && !settings.skip.includes(name),
  );
  const weights = named.flatMap((layer) =>
    prunableWeightNames(layer.kind)!.flatMap((name) => {
      const tensor = layer.weights[name];
      return tensor ? [{ layer: layer.name, name, shape: tensor.shape, values: tensor.data }] : [];
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
  if (settings.scope === 'global') return globalMasks(weights, sparsities(settings.sparsity, names)('')!);
  const { sparsityMByN } = settings;
  const sparsityOf = sparsityMByN ? () => 0 : sparsities(settings.sparsity, names);
  return weights.map((weight) => {
    const sparsity = sparsityOf(weight.layer);
    return sparsity === null ? null : maskFor(weight, sparsity, settings, norms?.get(weight.layer));
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
