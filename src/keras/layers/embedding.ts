/** Embedding and Masking in Keras's files. */
import type { EmbeddingSettings, MaskingSettings } from '../../network/layers/embedding.js';
import type { KerasCodec } from '../codec.js';

const embedding: KerasCodec<EmbeddingSettings> = {
  supports: 'indices of any shape, mask_zero',
  tfjs: true,
  read: (config) => ({
    inputDim: config.int('input_dim'),
    outputDim: config.int('output_dim'),
    maskZero: config.bool('mask_zero', false),
  }),
  write: ({ inputDim, outputDim, maskZero }) => ({
    input_dim: inputDim,
    output_dim: outputDim,
    mask_zero: maskZero,
  }),
  masking: ({ maskZero }) => (maskZero ? 'make' : 'drop'),
};

const masking: KerasCodec<MaskingSettings> = {
  supports: 'mask_value',
  read: (config) => ({ maskValue: config.number('mask_value', 0) }),
  write: ({ maskValue }) => ({ mask_value: maskValue }),
  masking: () => 'make',
};

export const embeddingCodecs = { Embedding: embedding, Masking: masking };
