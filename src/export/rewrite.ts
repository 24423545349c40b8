/**
 * Network → the same network in the layers that a target library has: activations that it cannot name become layers,
 * Normalization its affine map. What it cannot hold is refused by the layer's name.
 */
import type { Activation } from '../network/activations.js';
import { LINEAR, relu } from '../network/activations.js';
import { unsupported } from '../network/config.js';
import type { ConvTransposeSettings } from '../network/layers/conv-transpose.js';
import type { ConvSettings, WindowSettings } from '../network/layers/conv.js';
import type { EmbeddingSettings } from '../network/layers/embedding.js';
import { layerKind } from '../network/layers/registry.js';
import type { BatchNormalizationSettings, NormalizationSettings } from '../network/layers/normalization.js';
import { normalizationAffine } from '../network/layers/normalization.js';
import type { GlobalPoolingSettings } from '../network/layers/pooling.js';
import type { RecurrentSettings } from '../network/layers/recurrent.js';
import type { UpSamplingSettings } from '../network/layers/spatial.js';
import type { BidirectionalSettings, TimeDistributedSettings } from '../network/layers/wrappers.js';
import { resolveAxis } from '../network/shapes.js';
import type { Layer, Network, Node, Tensor, Value } from '../network/types.js';
import { activationName } from './activations.js';

/** Whose layers and meanings: TensorFlow.js 4, or Keras 2 (whose files Keras 3 reads too). */
export type Dialect = 'tfjs' | 'keras';

const LIBRARY: Readonly<Record<Dialect, string>> = { tfjs: 'TensorFlow.js', keras: 'Keras 2' };

/** Kinds of which tfjs has a layer that computes the same. */
export const TFJS_KINDS: ReadonlySet<string> = new Set([
  ...['Dense', 'Activation', 'ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Softmax', 'PReLU'],
  ...['Dropout', 'SpatialDropout1D', 'AlphaDropout', 'GaussianDropout', 'GaussianNoise'],
  ...[
    'Flatten',
    'Reshape',
    'Permute',
    'RepeatVector',
    'BatchNormalization',
    'LayerNormalization',
    'Rescaling',
  ],
  ...['Add', 'Multiply', 'Average', 'Maximum', 'Minimum', 'Concatenate', 'Dot', 'Embedding'],
  ...['Conv1D', 'Conv2D', 'Conv2DTranspose', 'DepthwiseConv2D', 'SeparableConv2D'],
  ...['MaxPooling1D', 'MaxPooling2D', 'AveragePooling1D', 'AveragePooling2D'],
  ...['GlobalMaxPooling1D', 'GlobalMaxPooling2D', 'GlobalAveragePooling1D', 'GlobalAveragePooling2D'],
  ...[
    'ZeroPadding2D',
    'Cropping2D',
    'UpSampling2D',
    'SimpleRNN',
    'LSTM',
    'GRU',
    'Bidirectional',
    'TimeDistributed',
  ],
]);

const MERGES = ['Add', 'Multiply', 'Average', 'Maximum', 'Minimum'];
/** What tfjs has no layer for and what does nothing but in training. */
const REPLACED: Readonly<Record<string, string>> = {
  SpatialDropout2D: 'Dropout',
  SpatialDropout3D: 'Dropout',
  Identity: 'Activation',
  ActivityRegularization: 'Activation',
};

function refuse(layer: Layer, dialect: Dialect, what: string, help: string): Error {
  return unsupported(`layer ${layer.name} (${layer.kind})`, `${what} in ${LIBRARY[dialect]}`, help);
}

/** The layers that make up an activation; the first takes `name`. */
function activationLayers(layer: Layer, name: string, activation: Activation, dialect: Dialect): Layer[] {
  const one = (kind: string, own: string, value: Activation): Layer => ({
    name: own,
    kind,
    settings: { activation: value },
    weights: {},
  });
  if (activationName(activation, dialect) !== null) return [one('Activation', name, activation)];
  switch (activation.kind) {
    case 'relu':
      if (activation.maxValue === null && activation.threshold === 0)
        return [one('LeakyReLU', name, activation)];
      if (dialect === 'keras' || (activation.negativeSlope === 0 && activation.threshold === 0))
        return [one('ReLU', name, activation)];
      break;
    case 'elu':
      if (dialect === 'keras') return [one('ELU', name, activation)];
      break;
    case 'thresholded_relu':
      return [one('ThresholdedReLU', name, activation)];
    case 'softmax':
      if (dialect === 'keras') return [one('Softmax', name, activation)];
      break;
    case 'hard_sigmoid': {
      // Keras 2 and 3 mean different lines by the one name: written out, every reader computes the same.
      const settings = { scale: [activation.alpha], offset: [activation.beta] };
      return [{ name, kind: 'Rescaling', settings, weights: {} }, one('ReLU', `${name}_clip`, relu(0, 1))];
    }
    default:
  }
  const help = 'use an activation that it has, such as relu, elu, sigmoid, tanh or swish';
  throw refuse(layer, dialect, `the activation ${activation.kind} with its parameters`, help);
}

function checkInner(
  layer: Layer,
  dialect: Dialect,
  { activation, recurrentActivation, cell, ...rest }: RecurrentSettings,
): void {
  for (const value of cell === 'SimpleRNN' ? [activation] : [activation, recurrentActivation]) {
    const named = activationName(value, dialect, true);
    if (named === null)
      throw refuse(layer, dialect, `the activation ${value.kind}`, 'use tanh, sigmoid or relu');
  }
  if (dialect === 'tfjs' && rest.resetAfter)
    throw refuse(layer, dialect, 'reset_after=True', 'build the GRU with reset_after=False, or use an LSTM');
  if (dialect === 'tfjs' && rest.masked)
    throw refuse(layer, dialect, 'a mask', 'train it without masks, or in Keras');
}

/** What tfjs reads and computes otherwise, or fails at when it is called. */
function checkTfjs(layer: Layer, inputs: readonly Value[]): void {
  const { kind, settings } = layer;
  const no = (what: string, help: string): Error => refuse(layer, 'tfjs', what, help);
  if (!TFJS_KINDS.has(kind))
    throw no('this layer', 'convert the network instead of training it, or replace the layer');
  const windows = settings as WindowSettings;
  const some = (values: readonly number[] | undefined): boolean =>
    values?.some((value) => value > 1) ?? false;
  switch (kind) {
    case 'Conv1D':
    case 'Conv2D':
      if ((settings as ConvSettings).groups > 1) throw no('groups', 'split the convolution into several');
      if (windows.padding === 'causal') throw no('causal padding', 'pad before a valid convolution');
      if (some(windows.strides) && some(windows.dilation))
        throw no('strides with dilation', 'use one of them');
      break;
    case 'DepthwiseConv2D':
    case 'SeparableConv2D':
      if (some(windows.dilation)) throw no('dilation_rate', 'use a larger kernel');
      if (windows.strides[0] !== windows.strides[1]) throw no('strides that differ', 'use equal strides');
      break;
    case 'Conv2DTranspose':
      if (some(windows.dilation)) throw no('dilation_rate', 'use a larger kernel');
      if ((settings as ConvTransposeSettings).outputPadding !== null)
        throw no('output_padding', 'leave it to the padding');
      break;
    case 'UpSampling2D': {
      const { interpolation, halfPixelCenters } = settings as UpSamplingSettings;
      if (interpolation === 'bilinear' && halfPixelCenters)
        throw no('bilinear interpolation as Keras has it', 'use nearest, or Conv2DTranspose');
      break;
    }
    case 'Embedding':
      if ((settings as EmbeddingSettings).maskZero)
        throw no('mask_zero', 'train it without masks, or in Keras');
      break;
    case 'SimpleRNN':
    case 'LSTM':
    case 'GRU':
    case 'Bidirectional':
      if (inputs.length > 1) throw no('an initial state', 'train it without one, or in Keras');
      break;
    case 'GlobalAveragePooling1D':
      if (inputs.length > 1) throw no('a mask', 'train it without masks, or in Keras');
      break;
    default:
      if (MERGES.includes(kind) && inputs.some(({ shape }) => shape.length !== inputs[0]!.shape.length))
        throw no('inputs of different ranks', 'reshape them to one rank first');
  }
}

/** The layers that do in the dialect what one layer does, one after the other. */
function stages(layer: Layer, inputs: readonly Value[], dialect: Dialect): Layer[] {
  const { kind, settings, name } = layer;
  if (dialect === 'tfjs' && Object.hasOwn(REPLACED, kind)) {
    const replaced = REPLACED[kind]!;
    return [{ ...layer, kind: replaced, settings: replaced === 'Activation' ? { activation: LINEAR } : {} }];
  }
  if (kind === 'Normalization') return normalized(layer, inputs, dialect);
  if (kind === 'RMSNormalization') throw refuse(layer, dialect, 'this layer', 'use LayerNormalization');
  if (kind === 'TimeDistributed') {
    const { inner, settings: own } = settings as TimeDistributedSettings;
    const step = { shape: [null, ...inputs[0]!.shape.slice(2)], dtype: inputs[0]!.dtype };
    const alone = stages({ ...layer, kind: inner.names[0], settings: own }, [step], dialect);
    if (alone.length > 1)
      throw refuse(layer, dialect, 'the activation of the layer inside', 'give it a layer of its own');
    return [{ ...layer, settings: { inner: layerKind(alone[0]!.kind)!, settings: alone[0]!.settings } }];
  }
  if (dialect === 'tfjs') checkTfjs(layer, inputs);
  if (kind === 'SimpleRNN' || kind === 'LSTM' || kind === 'GRU')
    checkInner(layer, dialect, settings as RecurrentSettings);
  if (kind === 'Bidirectional') {
    const { forward, backward } = settings as BidirectionalSettings;
    for (const direction of [forward, backward]) checkInner(layer, dialect, direction);
    const same = JSON.stringify({ ...forward, goBackwards: true }) === JSON.stringify(backward);
    if (dialect === 'tfjs' && !same)
      throw refuse(layer, dialect, 'a backward_layer of its own', 'leave it out');
  }
  if (dialect === 'tfjs' && kind === 'BatchNormalization') return [withGammaAndBeta(layer)];
  if (dialect === 'tfjs' && kind.startsWith('Global') && (settings as GlobalPoolingSettings).keepDims) {
    const { shape } = inputs[0]!;
    const channels = shape[shape.length - 1];
    if (channels == null) throw refuse(layer, dialect, 'keepdims', 'give the channels a fixed number');
    const targetShape = [...Array<number>(shape.length - 2).fill(1), channels];
    return [
      { ...layer, settings: { keepDims: false } },
      { name: `${name}_keepdims`, kind: 'Reshape', settings: { targetShape }, weights: {} },
    ];
  }
  const { activation } = settings as { activation?: Activation };
  if (activation === undefined || Object.hasOwn(settings as object, 'cell')) return [layer];
  const last = (inputs[0]?.shape.length ?? 1) - 1;
  const axis = activation.kind === 'softmax' || activation.kind === 'log_softmax' ? activation.axis : null;
  // Only a last axis has the name; it is written as -1 then.
  const plain: Activation =
    axis !== null && resolveAxis(axis, last + 1) === last
      ? ({ ...activation, axis: -1 } as Activation)
      : activation;
  if (!('useBias' in (settings as object))) {
    const [first, ...rest] = activationLayers(layer, name, plain, dialect);
    return [{ ...first!, ...(layer.training === undefined ? {} : { training: layer.training }) }, ...rest];
  }
  if (activationName(plain, dialect) !== null)
    return [{ ...layer, settings: { ...(settings as object), activation: plain } }];
  return [
    { ...layer, settings: { ...(settings as object), activation: LINEAR } },
    ...activationLayers(layer, `${name}_activation`, plain, dialect),
  ];
}

/** Normalization has no trainable weights: numbers in its config (Keras), or in that of Rescaling (tfjs). */
function normalized(layer: Layer, inputs: readonly Value[], dialect: Dialect): Layer[] {
  const settings = layer.settings as NormalizationSettings;
  const { mean, variance } = layer.weights;
  if (dialect === 'keras') {
    const given = {
      mean: settings.mean ?? [...mean!.data],
      variance: settings.variance ?? [...variance!.data],
    };
    return [{ ...layer, settings: { ...settings, ...given }, weights: {} }];
  }
  const rank = inputs[0]!.shape.length;
  if (settings.axis !== null && resolveAxis(settings.axis, rank) !== rank - 1)
    throw refuse(layer, dialect, 'another axis than the last', 'permute the axes before it');
  const { scale, offset } = normalizationAffine(settings, layer.weights);
  return [{ ...layer, kind: 'Rescaling', settings: { scale: [...scale], offset: [...offset] }, weights: {} }];
}

/** tfjs cannot train a BatchNormalization without gamma or beta: it gets ones and zeros. */
function withGammaAndBeta(layer: Layer): Layer {
  const settings = layer.settings as BatchNormalizationSettings;
  const { shape } = layer.weights.moving_mean!;
  const filled = (value: number): Tensor => ({ shape, data: new Float32Array(shape[0]!).fill(value) });
  if (settings.center && settings.scale) return layer;
  return {
    ...layer,
    settings: { ...settings, center: true, scale: true },
    weights: { gamma: filled(1), beta: filled(0), ...layer.weights },
  };
}

/**
 * The network in the layers of a dialect.
 * @throws UNSUPPORTED_LAYER, with the layer's name and what would help.
 */
export function rewrite(network: Network, dialect: Dialect): Network {
  const layers: Layer[] = [];
  const values: Value[] = [];
  const nodes: Node[] = [];
  const map: number[] = [];
  const add = (value: Value): number => values.push(value) - 1;
  const call = (layer: number, inputs: readonly number[]): number[] => {
    const { kind, settings } = layers[layer]!;
    const shapes = layerKind(kind)!.outputs(
      settings,
      inputs.map((input) => values[input]!),
    );
    const outputs = shapes.map(add);
    nodes.push({ layer, inputs, outputs });
    return outputs;
  };
  const inputs = network.inputs.map(({ name, value }) => ({
    name,
    value: (map[value] ??= add(network.values[value]!)),
  }));
  const chains = new Map<number, number[]>();
  const weights = new Map<object, Record<string, Tensor>>();
  for (const node of network.nodes) {
    const old = network.layers[node.layer]!;
    const chain = stages(
      old,
      node.inputs.map((input) => network.values[input]!),
      dialect,
    );
    if (!chains.has(node.layer)) {
      // Variants of one layer (called with other arguments) keep sharing its weights.
      const [first, ...rest] = chain as [Layer, ...Layer[]];
      const shared = weights.get(old.weights) ?? first.weights;
      weights.set(old.weights, shared);
      const added = [{ ...first, weights: shared }, ...rest];
      chains.set(
        node.layer,
        added.map((layer) => layers.push(layer) - 1),
      );
    }
    const [first, ...rest] = chains.get(node.layer)!;
    const outputs = [
      ...call(
        first!,
        node.inputs.map((input) => map[input]!),
      ),
    ];
    for (const next of rest) outputs.splice(0, 1, call(next, [outputs[0]!])[0]!);
    node.outputs.forEach((output, i) => (map[output] = outputs[i]!));
  }
  // Libraries answer one tensor for an output that is named twice, and none for an input that is one.
  const used = new Set(inputs.map(({ value }) => value));
  const outputs = network.outputs.map(({ name, value }) => {
    let own = map[value]!;
    if (used.has(own)) {
      const layer: Layer = {
        name: `${name}_output`,
        kind: 'Activation',
        settings: { activation: LINEAR },
        weights: {},
      };
      own = call(layers.push(layer) - 1, [own])[0]!;
    }
    used.add(own);
    return { name, value: own };
  });
  return { name: network.name, layers, values, nodes, inputs, outputs };
}
