/** Settings of layers → the configs that Keras 2 and tfjs read: the inverse of each kind's `parse`. */
import type { Activation } from '../network/activations.js';
import type { MultiHeadAttentionSettings } from '../network/layers/attention.js';
import type { ConvTransposeSettings } from '../network/layers/conv-transpose.js';
import type { ConvSettings, SeparableConvSettings, WindowSettings } from '../network/layers/conv.js';
import type { DotSettings } from '../network/layers/dot.js';
import type { EmbeddingSettings, MaskingSettings } from '../network/layers/embedding.js';
import type { GroupNormalizationSettings, LayerNormalizationSettings } from '../network/layers/layer-norm.js';
import type {
  BatchNormalizationSettings,
  NormalizationSettings,
  RescalingSettings,
} from '../network/layers/normalization.js';
import type { GlobalPoolingSettings, PoolingSettings } from '../network/layers/pooling.js';
import type { PReLUSettings } from '../network/layers/prelu.js';
import type { RecurrentSettings } from '../network/layers/recurrent.js';
import type { BorderSettings, UpSamplingSettings } from '../network/layers/spatial.js';
import type { BidirectionalSettings, TimeDistributedSettings } from '../network/layers/wrappers.js';
import type { Layer } from '../network/types.js';
import { activationName } from './activations.js';
import type { Dialect } from './rewrite.js';

type Config = Record<string, unknown>;
type Writer = (settings: never, dialect: Dialect, name: string) => Config;

/** A network is in the dialect's layers by now: every activation has a name, or its layer parameters. */
const named = (activation: Activation, dialect: Dialect, inner = false): string =>
  activationName(activation, dialect, inner) ?? 'linear';

function windows(
  { kernelSize, strides, dilation, padding, useBias, activation }: WindowSettings,
  dialect: Dialect,
): Config {
  return {
    kernel_size: kernelSize,
    strides,
    padding,
    data_format: 'channels_last',
    dilation_rate: dilation,
    activation: named(activation, dialect),
    use_bias: useBias,
  };
}

const conv: Writer = (settings: ConvSettings, dialect) => ({
  filters: settings.filters,
  ...windows(settings, dialect),
  ...(dialect === 'tfjs' ? {} : { groups: settings.groups }),
});
const separable: Writer = (settings: SeparableConvSettings, dialect) => ({
  ...(settings.filters === undefined ? {} : { filters: settings.filters }),
  ...windows(settings, dialect),
  depth_multiplier: settings.depthMultiplier,
});
const transpose: Writer = (settings: ConvTransposeSettings, dialect) => ({
  filters: settings.filters,
  ...windows(settings, dialect),
  output_padding: settings.outputPadding,
});
const pooling: Writer = ({ poolSize, strides, padding }: PoolingSettings) => ({
  pool_size: poolSize,
  strides,
  padding,
  data_format: 'channels_last',
});
const globalPooling: Writer = ({ keepDims }: GlobalPoolingSettings, dialect) => ({
  data_format: 'channels_last',
  ...(dialect === 'tfjs' ? {} : { keepdims: keepDims }),
});
const border =
  (key: 'padding' | 'cropping'): Writer =>
  ({ amounts }: BorderSettings) =>
    amounts.length === 1 ? { [key]: amounts[0] } : { [key]: amounts, data_format: 'channels_last' };
const upSampling: Writer = ({ size, interpolation }: UpSamplingSettings) =>
  size.length === 1 ? { size: size[0] } : { size, interpolation, data_format: 'channels_last' };
const recurrent: Writer = (settings: RecurrentSettings, dialect) => ({
  units: settings.units,
  activation: named(settings.activation, dialect, true),
  ...(settings.cell === 'SimpleRNN'
    ? {}
    : { recurrent_activation: named(settings.recurrentActivation, dialect, true) }),
  use_bias: settings.useBias,
  return_sequences: settings.returnSequences,
  return_state: settings.returnState,
  go_backwards: settings.goBackwards,
  ...(settings.cell === 'GRU' ? { reset_after: settings.resetAfter } : {}),
  ...(settings.zeroOutputForMask ? { zero_output_for_mask: true } : {}),
  stateful: false,
  unroll: false,
});
const one = (values: readonly number[]): number | readonly number[] =>
  values.length === 1 ? values[0]! : values;
const none: Writer = () => ({});
const activation: Writer = (settings: { activation: Activation }, dialect) => ({
  activation: named(settings.activation, dialect),
});
const parameters: Writer = ({ activation: given }: { activation: Activation }) => {
  switch (given.kind) {
    case 'relu':
      return { alpha: given.negativeSlope };
    case 'elu':
      return { alpha: given.alpha };
    case 'thresholded_relu':
      return { theta: given.theta };
    case 'softmax':
      return { axis: given.axis };
    default:
      return {};
  }
};
const rate: Writer = () => ({ rate: 0 });

function direction(settings: RecurrentSettings, dialect: Dialect, name: string): Config {
  const config = (recurrent as (s: RecurrentSettings, d: Dialect) => Config)(settings, dialect);
  return { class_name: settings.cell, config: { name, trainable: true, dtype: 'float32', ...config } };
}

const WRITERS: Readonly<Record<string, Writer>> = {
  Dense: (settings: { units: number; useBias: boolean; activation: Activation }, dialect) => ({
    units: settings.units,
    activation: named(settings.activation, dialect),
    use_bias: settings.useBias,
  }),
  Activation: activation,
  ReLU: ({ activation: given }: { activation: Activation }, dialect) => {
    const { maxValue, negativeSlope, threshold } = given as Extract<Activation, { kind: 'relu' }>;
    return {
      max_value: maxValue,
      ...(dialect === 'tfjs' ? {} : { negative_slope: negativeSlope, threshold }),
    };
  },
  LeakyReLU: parameters,
  ELU: parameters,
  ThresholdedReLU: parameters,
  Softmax: parameters,
  PReLU: ({ sharedAxes }: PReLUSettings) => ({ shared_axes: sharedAxes.length === 0 ? null : sharedAxes }),
  Dropout: rate,
  SpatialDropout1D: rate,
  SpatialDropout2D: rate,
  SpatialDropout3D: rate,
  AlphaDropout: rate,
  GaussianDropout: rate,
  GaussianNoise: () => ({ stddev: 0 }),
  ActivityRegularization: none,
  Identity: none,
  Flatten: () => ({ data_format: 'channels_last' }),
  Reshape: ({ targetShape }: { targetShape: readonly number[] }) => ({ target_shape: targetShape }),
  Permute: ({ dims }: { dims: readonly number[] }) => ({ dims }),
  RepeatVector: ({ n }: { n: number }) => ({ n }),
  BatchNormalization: ({ axis, epsilon, center, scale }: BatchNormalizationSettings) => ({
    axis,
    momentum: 0.99,
    epsilon,
    center,
    scale,
  }),
  LayerNormalization: ({ axes, epsilon, center, scale }: LayerNormalizationSettings) => ({
    axis: axes,
    epsilon,
    center,
    scale,
  }),
  GroupNormalization: ({ groups, axis, epsilon, center, scale }: GroupNormalizationSettings) => ({
    groups,
    axis,
    epsilon,
    center,
    scale,
  }),
  UnitNormalization: ({ axes }: { axes: readonly number[] }) => ({ axis: axes }),
  Normalization: ({ axis, invert, mean, variance }: NormalizationSettings) => ({
    axis: axis === null ? null : [axis],
    invert,
    mean: mean === null ? null : one(mean),
    variance: variance === null ? null : one(variance),
  }),
  Rescaling: ({ scale, offset }: RescalingSettings) => ({ scale: one(scale), offset: one(offset) }),
  Add: none,
  Subtract: none,
  Multiply: none,
  Average: none,
  Maximum: none,
  Minimum: none,
  Concatenate: ({ axis }: { axis: number }) => ({ axis }),
  Dot: ({ axes, normalize }: DotSettings) => ({ axes, normalize }),
  Conv1D: conv,
  Conv2D: conv,
  Conv1DTranspose: transpose,
  Conv2DTranspose: transpose,
  DepthwiseConv1D: separable,
  DepthwiseConv2D: separable,
  SeparableConv1D: separable,
  SeparableConv2D: separable,
  MaxPooling1D: pooling,
  MaxPooling2D: pooling,
  AveragePooling1D: pooling,
  AveragePooling2D: pooling,
  GlobalMaxPooling1D: globalPooling,
  GlobalMaxPooling2D: globalPooling,
  GlobalAveragePooling1D: globalPooling,
  GlobalAveragePooling2D: globalPooling,
  ZeroPadding1D: border('padding'),
  ZeroPadding2D: border('padding'),
  Cropping1D: border('cropping'),
  Cropping2D: border('cropping'),
  UpSampling1D: upSampling,
  UpSampling2D: upSampling,
  Embedding: ({ inputDim, outputDim, maskZero }: EmbeddingSettings) => ({
    input_dim: inputDim,
    output_dim: outputDim,
    mask_zero: maskZero,
  }),
  Masking: ({ maskValue }: MaskingSettings) => ({ mask_value: maskValue }),
  SimpleRNN: recurrent,
  LSTM: recurrent,
  GRU: recurrent,
  Bidirectional: ({ forward, backward, mergeMode }: BidirectionalSettings, dialect, name) => {
    const same = JSON.stringify({ ...forward, goBackwards: true }) === JSON.stringify(backward);
    const inner = forward.cell.toLowerCase();
    return {
      layer: direction(forward, dialect, inner),
      ...(same ? {} : { backward_layer: direction(backward, dialect, `${name}_backward_${inner}`) }),
      merge_mode: mergeMode,
    };
  },
  TimeDistributed: ({ inner, settings }: TimeDistributedSettings, dialect, name) => ({
    layer: {
      class_name: inner.names[0],
      config: {
        name: `${name}_step`,
        trainable: true,
        dtype: 'float32',
        ...settingsConfig(inner.names[0], settings, dialect, name),
      },
    },
  }),
  MultiHeadAttention: (settings: MultiHeadAttentionSettings) => ({
    num_heads: settings.heads,
    key_dim: settings.keyDim,
    value_dim: settings.valueDim,
    use_bias: settings.useBias,
    output_shape: settings.outputDim === null ? null : [settings.outputDim],
    attention_axes: [1],
    dropout: 0,
  }),
};

function settingsConfig(kind: string, settings: unknown, dialect: Dialect, name: string): Config {
  const write = WRITERS[kind];
  if (write === undefined) throw new TypeError(`no writer of ${kind}`);
  return write(settings as never, dialect, name);
}

/** The kinds that can be written, for the test that none is forgotten. */
export const WRITTEN_KINDS: readonly string[] = Object.keys(WRITERS);

/** Entries for training that a library's layer of that class does not take. */
const NOT_TAKEN = new Set([
  'ReLU',
  'LeakyReLU',
  'ELU',
  'Softmax',
  'ThresholdedReLU',
  'Activation',
  'Rescaling',
]);

/** The config of a layer under the name that it gets. */
export function layerConfig(layer: Layer, name: string, dialect: Dialect): Config {
  const { trainable = true, ...training } = layer.training ?? {};
  const inner =
    layer.kind === 'TimeDistributed' || layer.kind === 'Bidirectional' || NOT_TAKEN.has(layer.kind);
  return {
    name,
    trainable,
    dtype: 'float32',
    ...settingsConfig(layer.kind, layer.settings, dialect, name),
    ...(inner ? {} : training),
  };
}
