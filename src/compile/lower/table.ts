/** Layer kinds the engine can run, and how each becomes operations. */
import { activation } from './activation.js';
import { dot, multiHeadAttention } from './attention.js';
import { batchNormalization, normalization, rescaling } from './affine.js';
import { dense } from './dense.js';
import { conv, convTranspose, depthwiseConv, separableConv } from './images.js';
import type { Lowering } from './lowering.js';
import { add, average, concatenate, subtract } from './merge.js';
import { groupNormalization, layerNormalization, unitNormalization } from './normalize.js';
import { combine, permute, prelu, repeatVector } from './pick.js';
import { globalPooling, pooling } from './pooling.js';
import { bidirectional, recurrent } from './recurrent.js';
import { cropping, upSampling, zeroPadding } from './resample.js';
import { embedding, masking, timeDistributed } from './sequences.js';

/** The same numbers in another shape, or nothing at all at inference: the value is shared. */
const same: Lowering = ({ inputs }) => inputs[0] as number;

export const LOWERINGS: Readonly<Record<string, Lowering>> = {
  Dense: dense,
  Activation: activation,
  ReLU: activation,
  LeakyReLU: activation,
  ELU: activation,
  ThresholdedReLU: activation,
  Softmax: activation,
  BatchNormalization: batchNormalization,
  Normalization: normalization,
  Rescaling: rescaling,
  Add: add,
  Subtract: subtract,
  Average: average,
  Concatenate: concatenate,
  Multiply: combine('product'),
  Maximum: combine('maximum'),
  Minimum: combine('minimum'),
  Permute: permute,
  RepeatVector: repeatVector,
  PReLU: prelu,
  Conv1D: conv,
  Conv2D: conv,
  Conv1DTranspose: convTranspose,
  Conv2DTranspose: convTranspose,
  DepthwiseConv1D: depthwiseConv,
  DepthwiseConv2D: depthwiseConv,
  SeparableConv1D: separableConv,
  SeparableConv2D: separableConv,
  MaxPooling1D: pooling(false),
  MaxPooling2D: pooling(false),
  AveragePooling1D: pooling(true),
  AveragePooling2D: pooling(true),
  GlobalMaxPooling1D: globalPooling(false),
  GlobalMaxPooling2D: globalPooling(false),
  GlobalAveragePooling1D: globalPooling(true),
  GlobalAveragePooling2D: globalPooling(true),
  ZeroPadding1D: zeroPadding,
  ZeroPadding2D: zeroPadding,
  Cropping1D: cropping,
  Cropping2D: cropping,
  UpSampling1D: upSampling,
  UpSampling2D: upSampling,
  LayerNormalization: layerNormalization,
  RMSNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  UnitNormalization: unitNormalization,
  SimpleRNN: recurrent,
  LSTM: recurrent,
  GRU: recurrent,
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
  Embedding: embedding,
  Masking: masking,
  MultiHeadAttention: multiHeadAttention,
  Dot: dot,
  Flatten: same,
  Reshape: same,
  InputLayer: same,
  Dropout: same,
  SpatialDropout1D: same,
  SpatialDropout2D: same,
  SpatialDropout3D: same,
  AlphaDropout: same,
  GaussianDropout: same,
  GaussianNoise: same,
  ActivityRegularization: same,
  Identity: same,
};
