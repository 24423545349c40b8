/**
 * Network → the same network in the layers that a target library has: activations that it cannot name become layers,
 * Normalization its affine map. What it cannot hold is refused by the layer's name.
 */
import { activationName } from '../keras/activations.js';
import { KERAS_CODECS } from '../keras/codecs.js';
import { LIBRARY, type Dialect } from '../keras/dialect.js';
import { mirrored } from '../keras/layers/recurrent.js';
import { LINEAR, relu, type Activation } from '../network/activations.js';
import { normalizationAffine } from '../network/layers/normalization.js';
import type { RecurrentName, RecurrentSettings } from '../network/layers/recurrent.js';
import {
  around,
  insideOf,
  mayRepeat,
  outputsOf,
  typed,
  type Kind,
  type Settings,
  type Typed,
} from '../network/layers/registry.js';
import { stepValue } from '../network/layers/time-distributed.js';
import { resolveAxis } from '../network/shapes.js';
import type { Layer, LayerBase, LayerOf, Network, Node, Tensor, Value } from '../network/types.js';
import { unsupported } from '../network/untrusted.js';

/** What tfjs has no layer for and what does nothing but in training. */
const AS_DROPOUT = new Set<string>(['SpatialDropout2D', 'SpatialDropout3D']);
const AS_LINEAR = new Set<string>(['Identity', 'ActivityRegularization']);

/** The layer with another kind and settings: its name, weights and entries of training stay. */
const turned = ({ name, weights, training }: LayerBase, into: Typed): Layer => ({
  name,
  ...into,
  weights,
  ...(training === undefined ? {} : { training }),
});

function refuse(layer: Layer, dialect: Dialect, what: string, help: string): Error {
  return unsupported(`layer ${layer.name} (${layer.kind})`, `${what} in ${LIBRARY[dialect]}`, help);
}

type ActivationKind = 'Activation' | 'ReLU' | 'LeakyReLU' | 'ELU' | 'ThresholdedReLU' | 'Softmax';

/** The layers that make up an activation; the first takes `name`. */
function activationLayers(layer: Layer, name: string, activation: Activation, dialect: Dialect): Layer[] {
  const one = (kind: ActivationKind, own: string, value: Activation): Layer => ({
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
  const no = (what: string, help: string): Error => refuse(layer, 'tfjs', what, help);
  if (KERAS_CODECS[layer.kind].tfjs !== true)
    throw no('this layer', 'convert the network instead of training it, or replace the layer');
  const some = (values: readonly number[]): boolean => values.some((value) => value > 1);
  switch (layer.kind) {
    case 'Conv1D':
    case 'Conv2D': {
      const { groups, padding, strides, dilation } = layer.settings;
      if (groups > 1) throw no('groups', 'split the convolution into several');
      if (padding === 'causal') throw no('causal padding', 'pad before a valid convolution');
      if (some(strides) && some(dilation)) throw no('strides with dilation', 'use one of them');
      break;
    }
    case 'DepthwiseConv2D':
    case 'SeparableConv2D': {
      const { strides, dilation } = layer.settings;
      if (some(dilation)) throw no('dilation_rate', 'use a larger kernel');
      if (strides[0] !== strides[1]) throw no('strides that differ', 'use equal strides');
      break;
    }
    case 'Conv2DTranspose':
      if (some(layer.settings.dilation)) throw no('dilation_rate', 'use a larger kernel');
      if (layer.settings.outputPadding !== null) throw no('output_padding', 'leave it to the padding');
      break;
    case 'UpSampling2D': {
      const { interpolation, halfPixelCenters } = layer.settings;
      if (interpolation === 'bilinear' && halfPixelCenters)
        throw no('bilinear interpolation as Keras has it', 'use nearest, or Conv2DTranspose');
      break;
    }
    case 'Embedding':
      if (layer.settings.maskZero) throw no('mask_zero', 'train it without masks, or in Keras');
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
    case 'Add':
    case 'Multiply':
    case 'Average':
    case 'Maximum':
    case 'Minimum':
      if (inputs.some(({ shape }) => shape.length !== inputs[0]!.shape.length))
        throw no('inputs of different ranks', 'reshape them to one rank first');
      break;
    default:
  }
}

/** The layers that do in the dialect what one layer does, one after the other. */
function stages(layer: Layer, inputs: readonly Value[], dialect: Dialect): Layer[] {
  if (dialect === 'tfjs' && AS_DROPOUT.has(layer.kind))
    return [turned(layer, { kind: 'Dropout', settings: {} })];
  if (dialect === 'tfjs' && AS_LINEAR.has(layer.kind))
    return [turned(layer, { kind: 'Activation', settings: { activation: LINEAR } })];
  if (layer.kind === 'Normalization') return normalized(layer, inputs, dialect);
  const codec = KERAS_CODECS[layer.kind];
  if (codec.write === undefined)
    throw refuse(layer, dialect, 'this layer', codec.instead ?? 'replace the layer');
  if (layer.kind === 'TimeDistributed') return [repeated(layer, inputs, dialect)];
  if (dialect === 'tfjs') checkTfjs(layer, inputs);
  switch (layer.kind) {
    case 'SimpleRNN':
    case 'LSTM':
    case 'GRU':
      checkInner(layer, dialect, layer.settings);
      return [layer];
    case 'Bidirectional': {
      const { settings } = layer;
      for (const direction of [settings.forward, settings.backward]) checkInner(layer, dialect, direction);
      if (dialect === 'tfjs' && !mirrored(settings))
        throw refuse(layer, dialect, 'a backward_layer of its own', 'leave it out');
      return [layer];
    }
    case 'BatchNormalization':
      return [dialect === 'tfjs' ? withGammaAndBeta(layer) : layer];
    case 'GlobalMaxPooling1D':
    case 'GlobalMaxPooling2D':
    case 'GlobalAveragePooling1D':
    case 'GlobalAveragePooling2D': {
      if (dialect !== 'tfjs' || !layer.settings.keepDims) return [layer];
      const { shape } = inputs[0]!;
      const channels = shape[shape.length - 1];
      if (channels == null) throw refuse(layer, dialect, 'keepdims', 'give the channels a fixed number');
      const targetShape = [...Array<number>(shape.length - 2).fill(1), channels];
      return [
        { ...layer, settings: { keepDims: false } },
        { name: `${layer.name}_keepdims`, kind: 'Reshape', settings: { targetShape }, weights: {} },
      ];
    }
    case 'Activation':
    case 'ReLU':
    case 'LeakyReLU':
    case 'ELU':
    case 'ThresholdedReLU':
    case 'Softmax': {
      const plain = byLastAxis(layer.settings.activation, inputs);
      const [first, ...rest] = activationLayers(layer, layer.name, plain, dialect);
      return [{ ...first!, ...(layer.training === undefined ? {} : { training: layer.training }) }, ...rest];
    }
    default: {
      if (!endsInActivation(layer)) return [layer];
      const plain = byLastAxis(layer.settings.activation, inputs);
      if (activationName(plain, dialect) !== null) return [turned(layer, withActivation(layer, plain))];
      return [
        turned(layer, withActivation(layer, LINEAR)),
        ...activationLayers(layer, `${layer.name}_activation`, plain, dialect),
      ];
    }
  }
}

/** Only a last axis has the name; it is written as -1 then. */
function byLastAxis(activation: Activation, inputs: readonly Value[]): Activation {
  if (activation.kind !== 'softmax' && activation.kind !== 'log_softmax') return activation;
  const rank = inputs[0]?.shape.length ?? 1;
  return resolveAxis(activation.axis, rank) === rank - 1 ? { ...activation, axis: -1 } : activation;
}

/** Kinds that compute something and then an activation; recurrent ones have theirs inside. */
type Activated = Exclude<
  {
    [K in Kind]: Settings[K] extends { readonly useBias: boolean; readonly activation: Activation }
      ? K
      : never;
  }[Kind],
  RecurrentName
>;

function endsInActivation(layer: Layer): layer is Extract<Layer, { kind: Activated }> {
  return 'useBias' in layer.settings && 'activation' in layer.settings && !('cell' in layer.settings);
}

function withActivation<K extends Activated>({ kind, settings }: Typed<K>, activation: Activation): Typed<K> {
  return typed(kind, { ...settings, activation });
}

/** TimeDistributed around what the layer inside becomes. */
function repeated(layer: LayerOf<'TimeDistributed'>, inputs: readonly Value[], dialect: Dialect): Layer {
  const alone = stages(turned(layer, insideOf(layer.settings)), [stepValue(inputs[0]!)], dialect);
  const inner = alone[0]!;
  if (alone.length > 1 || !mayRepeat(inner))
    throw refuse(layer, dialect, 'the activation of the layer inside', 'give it a layer of its own');
  return { ...layer, settings: around(inner) };
}

/** Normalization has no trainable weights: numbers in its config (Keras), or in that of Rescaling (tfjs). */
function normalized(layer: LayerOf<'Normalization'>, inputs: readonly Value[], dialect: Dialect): Layer[] {
  const { settings } = layer;
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
  const rescaling = { kind: 'Rescaling', settings: { scale: [...scale], offset: [...offset] } } as const;
  return [turned({ ...layer, weights: {} }, rescaling)];
}

/** tfjs cannot train a BatchNormalization without gamma or beta: it gets ones and zeros. */
function withGammaAndBeta(layer: LayerOf<'BatchNormalization'>): Layer {
  const { settings } = layer;
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
    const shapes = outputsOf(
      layers[layer]!,
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
