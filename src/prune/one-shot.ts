/** Pruning in one step, without training: for networks that come without their training data. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../errors.js';
import type { Layer as NetworkLayer, Network } from '../network/types.js';
import { runReference, type Arr } from '../reference/index.js';
import { keptCount, magnitudeMask, maskAtThreshold, requireNoNaN } from './mask.js';
import { resolveOptions } from './options.js';
import { isModel, prunableWeightNames, type Layer } from './registry.js';
import { kthLargestMagnitude } from './select.js';
import { copyModel } from './strip.js';
import { findTargets, weightsOf } from './targets.js';
import { tensorflow } from './tensorflow.js';

export interface OneShotOptions {
  /** Fraction of zeros in [0, 1), of each layer or by layer name; layers that are not named stay dense. */
  sparsity: number | Readonly<Record<string, number>>;
  /** 'wanda' weighs each weight by the norm of what it is multiplied with. Default: 'wanda' with calibration. */
  method?: 'magnitude' | 'wanda';
  /**
   * Some typical inputs, which wanda needs: for a LayersModel as `predict` takes them, for a Network an array of
   * { shape, data } in the order of its inputs, the batch first.
   */
  calibration?: Tensor | Tensor[] | readonly Arr[];
  /** Names of layers to leave dense. */
  skip?: readonly string[];
}

/** How often a weight of this layer's kernel is multiplied with which input channel: its squared norms. */
type Norms = Map<string, Float32Array>;

/** Kernels whose last but one axis are the channels of the layer's own input. */
const ON_INPUT = new Set(['Dense', 'Conv1D', 'Conv2D', 'Conv3D']);

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
  if (typeof options !== 'object' || options === null) {
    throw invalid('INVALID_ARGUMENT', 'options', 'an object with sparsity', options);
  }
  const { calibration, skip = [] } = options;
  const method = options.method ?? (calibration === undefined ? 'magnitude' : 'wanda');
  if (method !== 'magnitude' && method !== 'wanda') {
    throw invalid('INVALID_ARGUMENT', 'method', "'magnitude' or 'wanda'", method);
  }
  if (method === 'wanda' && calibration === undefined) {
    throw invalid('INVALID_ARGUMENT', 'calibration', 'tensors of typical inputs for wanda', undefined);
  }
  if (isModel(model)) return pruneModel(model, { ...options, method, skip });
  if (!Array.isArray((model as Network | null)?.layers)) {
    throw invalid('INVALID_ARGUMENT', 'model', 'a LayersModel or a Network', model);
  }
  const network = model;
  const norms: Norms =
    method === 'wanda'
      ? normsOfNetwork(network, calibration as readonly Arr[])
      : new Map<string, Float32Array>();
  return pruneNetwork(network, options.sparsity, skip, norms);
}

function pruneModel(
  model: LayersModel,
  options: OneShotOptions & { method: string; skip: readonly string[] },
): LayersModel {
  const tf = tensorflow();
  const copy = copyModel(model);
  const perLayer = Object.fromEntries(options.skip.map((name) => [name, false as const]));
  const targets = findTargets(copy, resolveOptions({ perLayer }));
  const weights = weightsOf(targets);
  const sparsityOf = sparsities(
    options.sparsity,
    targets.map(({ path }) => path),
  );
  const norms: Norms =
    options.method === 'wanda'
      ? measureNorms(copy, targets, options.calibration as Tensor)
      : new Map<string, Float32Array>();
  for (const weight of weights) {
    const sparsity = sparsityOf(weight.layer);
    if (sparsity === null) continue;
    const values = weight.variable.read().dataSync().slice() as Float32Array;
    const mask = maskFor(weight, values, sparsity, norms.get(weight.layer));
    for (let i = 0; i < values.length; i++) if (mask[i] === 0) values[i] = 0;
    tf.tidy(() => void weight.variable.write(tf.tensor(values, weight.shape)));
  }
  return copy;
}

interface Weight {
  layer: string;
  name: string;
  shape: readonly number[];
}

function maskFor(
  weight: Weight,
  values: Float32Array,
  sparsity: number,
  squares: Float32Array | undefined,
): Uint8Array {
  const { layer, name, shape } = weight;
  requireNoNaN(`${layer}/${name}`, values);
  if (!squares || name !== 'kernel') return magnitudeMask(values, shape, sparsity, { exact: true }).mask;
  const outs = shape.at(-1)!;
  const ins = shape.at(-2)!;
  if (squares.length !== ins)
    throw invalid('INVALID_MODEL', `layer "${layer}"`, `${ins} input channels`, squares.length);
  const rows = values.length / outs;
  const mask = new Uint8Array(values.length);
  const score = new Float32Array(rows);
  const k = keptCount(rows, sparsity);
  for (let out = 0; out < outs; out++) {
    for (let row = 0; row < rows; row++) {
      score[row] = Math.abs(values[row * outs + out]!) * Math.sqrt(squares[row % ins]!);
    }
    const own = maskAtThreshold(score, kthLargestMagnitude(score, k), k).mask;
    for (let row = 0; row < rows; row++) mask[row * outs + out] = own[row]!;
  }
  return mask;
}

/** Squared norms as below, of a Network run by the reference executor: what its layers read are its outputs then. */
function normsOfNetwork(network: Network, calibration: readonly Arr[]): Norms {
  const nodes = network.nodes.filter(({ layer }) => ON_INPUT.has(network.layers[layer]!.kind));
  const outputs = nodes.map(({ inputs }, i) => ({ name: `${i}`, value: inputs[0]! }));
  const read = runReference({ ...network, outputs }, calibration);
  const norms: Norms = new Map();
  nodes.forEach(({ layer }, i) => {
    const { shape, data } = read[i]!;
    const channels = shape.at(-1)!;
    const { name } = network.layers[layer]!;
    const sums = norms.get(name) ?? new Float32Array(channels);
    for (let at = 0; at < data.length; at++) sums[at % channels]! += data[at]! ** 2;
    norms.set(name, sums);
  });
  return norms;
}

/** Squared norms of the input channels of each layer, listened to while the model predicts. */
function measureNorms(
  model: LayersModel,
  targets: readonly { path: string; layer: Layer }[],
  calibration: Tensor | Tensor[],
): Norms {
  const tf = tensorflow();
  const norms: Norms = new Map();
  const heard = targets.filter(({ layer }) => ON_INPUT.has(layer.getClassName()));
  for (const { path, layer } of heard) {
    const call = layer.call.bind(layer);
    layer.call = (inputs, kwargs) => {
      const x = (Array.isArray(inputs) ? inputs[0] : inputs) as Tensor;
      const axes = x.shape.map((_, axis) => axis).slice(0, -1);
      const sums = tf.tidy(() => x.square().sum(axes).dataSync().slice() as Float32Array);
      const before = norms.get(path);
      norms.set(path, before ? sums.map((sum, i) => sum + before[i]!) : sums);
      return call(inputs, kwargs);
    };
  }
  try {
    tf.tidy(() => void model.predict(calibration));
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    const message = `calibration: the model cannot run it: ${(cause as Error).message}`;
    throw new EspalierError('INVALID_INPUT', message, { parameter: 'calibration' }, cause);
  } finally {
    for (const { layer } of heard) delete (layer as Partial<Layer>).call;
  }
  return norms;
}

function pruneNetwork(
  network: Network,
  sparsity: OneShotOptions['sparsity'],
  skip: readonly string[],
  norms: Norms,
): Network {
  const named = network.layers.filter(
    ({ kind, name }) => prunableWeightNames(kind)?.length && !skip.includes(name),
  );
  const sparsityOf = sparsities(
    sparsity,
    named.map(({ name }) => name),
  );
  const prune = (layer: NetworkLayer): NetworkLayer => {
    const own = named.includes(layer) ? sparsityOf(layer.name) : null;
    if (own === null) return layer;
    const weights = { ...layer.weights };
    for (const name of prunableWeightNames(layer.kind)!) {
      const tensor = weights[name];
      if (!tensor) continue;
      const weight = { layer: layer.name, name, shape: tensor.shape };
      const mask = maskFor(weight, tensor.data, own, norms.get(layer.name));
      weights[name] = {
        shape: tensor.shape,
        data: tensor.data.map((value, i) => (mask[i] === 0 ? 0 : value)),
      };
    }
    return { ...layer, weights };
  };
  return { ...network, layers: network.layers.map(prune) };
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
