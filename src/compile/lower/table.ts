/** Layer kinds the engine can run, and how each becomes operations. */
import { activation } from './activation.js';
import { batchNormalization, normalization, rescaling } from './affine.js';
import { dense } from './dense.js';
import type { Lowering } from './lowering.js';
import { add, average, concatenate, subtract } from './merge.js';

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
