/** MultiHeadAttention in Keras's files. */
import type { MultiHeadAttentionSettings } from '../../network/layers/attention.js';
import { unsupported, wrong } from '../../network/untrusted.js';
import type { KerasCodec } from '../codec.js';

const multiHeadAttention: KerasCodec<MultiHeadAttentionSettings> = {
  supports:
    'one attention axis, key and value of their own, use_causal_mask, masks of the inputs; no attention_mask',
  read: (config) => {
    const axes = config.raw('attention_axes');
    const one: unknown = Array.isArray(axes) && axes.length === 1 ? axes[0] : axes;
    if (one !== undefined && one !== 1)
      throw unsupported('attention_axes', 'other than [1]', 'attend over axis 1');
    const output = config.raw('output_shape');
    const width: unknown = Array.isArray(output) && output.length === 1 ? output[0] : output;
    if (width !== undefined && (typeof width !== 'number' || !Number.isSafeInteger(width) || width < 1)) {
      throw wrong('output_shape', 'one positive integer', output);
    }
    const keyDim = config.int('key_dim');
    return {
      heads: config.int('num_heads'),
      keyDim,
      valueDim: config.int('value_dim', keyDim),
      useBias: config.bool('use_bias', true),
      outputDim: typeof width === 'number' ? width : null,
      causal: false,
      returnScores: false,
      maskedQuery: false,
      maskedValue: false,
    };
  },
  write: (settings) => ({
    num_heads: settings.heads,
    key_dim: settings.keyDim,
    value_dim: settings.valueDim,
    use_bias: settings.useBias,
    output_shape: settings.outputDim === null ? null : [settings.outputDim],
    attention_axes: [1],
    dropout: 0,
  }),
  masking: () => 'take-and-pass',
  withMasks: (settings, [query, value]) => ({
    ...settings,
    maskedQuery: query === true,
    maskedValue: value === true,
  }),
  tensorArguments: ['query', 'value', 'key'],
  withArguments: (settings, args) => {
    const flag = (name: string): boolean => {
      const value = args.get(name) ?? false;
      if (typeof value !== 'boolean') throw unsupported(name, 'a tensor', 'call the layer without it');
      args.delete(name);
      return value;
    };
    return { ...settings, causal: flag('use_causal_mask'), returnScores: flag('return_attention_scores') };
  },
};

export const attentionCodecs = { MultiHeadAttention: multiHeadAttention };
