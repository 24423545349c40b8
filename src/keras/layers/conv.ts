/** Convolutions, transposed ones too, in Keras's files. */
import type { Padding } from '../../network/geometry.js';
import type { ConvTransposeSettings } from '../../network/layers/conv-transpose.js';
import type {
  ConvSettings,
  DepthwiseConvSettings,
  SeparableConvSettings,
  WindowSettings,
} from '../../network/layers/conv.js';
import { wrong } from '../../network/untrusted.js';
import { readActivation, writtenName } from '../activations.js';
import type { KerasCodec, WrittenConfig } from '../codec.js';
import { requireChannelsLast, type Config } from '../config.js';
import type { Dialect } from '../dialect.js';
import { activationLayer } from './activation.js';

function readWindows(config: Config, rank: 1 | 2): WindowSettings {
  requireChannelsLast(config);
  return {
    kernelSize: config.ints('kernel_size', rank),
    strides: config.ints('strides', rank, 1),
    dilation: config.ints('dilation_rate', rank, 1),
    padding: config.oneOf<Padding>(
      'padding',
      rank === 1 ? ['valid', 'same', 'causal'] : ['valid', 'same'],
      'valid',
    ),
    useBias: config.bool('use_bias', true),
    activation: readActivation(config, 'activation', 'linear', activationLayer),
  };
}

function writeWindows(
  { kernelSize, strides, dilation, padding, useBias, activation }: WindowSettings,
  dialect: Dialect,
): WrittenConfig {
  return {
    kernel_size: kernelSize,
    strides,
    padding,
    data_format: 'channels_last',
    dilation_rate: dilation,
    activation: writtenName(activation, dialect),
    use_bias: useBias,
  };
}

function conv(rank: 1 | 2): KerasCodec<ConvSettings> {
  return {
    aliases: [`Convolution${rank}D`],
    supports: `strides, dilation, groups, ${rank === 1 ? 'valid, same and causal' : 'valid and same'} padding; channels_last`,
    tfjs: true,
    read: (config) => ({
      ...readWindows(config, rank),
      filters: config.int('filters'),
      groups: config.int('groups', 1),
    }),
    write: (settings, { dialect }) => ({
      filters: settings.filters,
      ...writeWindows(settings, dialect),
      ...(dialect === 'tfjs' ? {} : { groups: settings.groups }),
    }),
  };
}

function depthwise(rank: 1 | 2): KerasCodec<DepthwiseConvSettings> {
  return {
    supports: 'depth_multiplier, strides, dilation, valid and same padding; channels_last',
    ...(rank === 2 ? { tfjs: true } : {}),
    read: (config) => ({
      ...readWindows(config, rank),
      depthMultiplier: config.int('depth_multiplier', 1),
    }),
    write: (settings, { dialect }) => ({
      ...writeWindows(settings, dialect),
      depth_multiplier: settings.depthMultiplier,
    }),
  };
}

function separable(rank: 1 | 2): KerasCodec<SeparableConvSettings> {
  return {
    aliases: [`SeparableConvolution${rank}D`],
    supports: 'depth_multiplier, strides, dilation, padding as in Conv; channels_last',
    ...(rank === 2 ? { tfjs: true } : {}),
    read: (config) => ({
      ...readWindows(config, rank),
      depthMultiplier: config.int('depth_multiplier', 1),
      filters: config.int('filters'),
    }),
    write: (settings, { dialect }) => ({
      filters: settings.filters,
      ...writeWindows(settings, dialect),
      depth_multiplier: settings.depthMultiplier,
    }),
  };
}

function transpose(rank: 1 | 2): KerasCodec<ConvTransposeSettings> {
  return {
    ...(rank === 2 ? { aliases: ['Deconvolution2D'], tfjs: true } : {}),
    supports: 'strides, dilation, valid and same padding, output_padding; channels_last',
    read: (config) => {
      const windows = readWindows(config, rank);
      if (windows.padding === 'causal') throw wrong('padding', 'valid or same', windows.padding);
      const outputPadding = config.has('output_padding')
        ? config.ints('output_padding', rank, 0, { min: 0 })
        : null;
      outputPadding?.forEach((extra, i) => {
        if (extra >= windows.strides[i]!) throw wrong('output_padding', 'less than the stride', extra);
      });
      return { ...windows, filters: config.int('filters'), outputPadding };
    },
    write: (settings, { dialect }) => ({
      filters: settings.filters,
      ...writeWindows(settings, dialect),
      output_padding: settings.outputPadding,
    }),
  };
}

export const convCodecs = {
  Conv1D: conv(1),
  Conv2D: conv(2),
  Conv1DTranspose: transpose(1),
  Conv2DTranspose: transpose(2),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
};
