/** The one list of layer kinds. */
import { activationKinds } from './activation.js';
import { multiHeadAttention } from './attention.js';
import {
  conv1d,
  conv2d,
  depthwiseConv1d,
  depthwiseConv2d,
  separableConv1d,
  separableConv2d,
} from './conv.js';
import { conv1dTranspose, conv2dTranspose } from './conv-transpose.js';
import { dense } from './dense.js';
import { dot } from './dot.js';
import { embedding, masking } from './embedding.js';
import { identityKinds } from './identity.js';
import type { LayerKind } from './kind.js';
import { groupNormalization, layerNormalization, rmsNormalization, unitNormalization } from './layer-norm.js';
import { concatenate, mergeKinds } from './merge.js';
import { batchNormalization, normalization, rescaling } from './normalization.js';
import { globalPoolingKinds, poolingKinds } from './pooling.js';
import { prelu } from './prelu.js';
import { recurrentKinds } from './recurrent.js';
import { flatten, permute, repeatVector, reshape } from './reshape.js';
import { borderKinds, upSamplingKinds } from './spatial.js';
import { bidirectional, timeDistributed } from './wrappers.js';

// Settings flow from a kind's own parse to its own functions only, so their type may be forgotten here.
type AnyKind = LayerKind<unknown>;

export const layerKinds: readonly AnyKind[] = [
  dense,
  ...activationKinds,
  prelu,
  ...identityKinds,
  flatten,
  reshape,
  permute,
  repeatVector,
  batchNormalization,
  layerNormalization,
  rmsNormalization,
  groupNormalization,
  unitNormalization,
  normalization,
  rescaling,
  ...mergeKinds,
  concatenate,
  dot,
  conv1d,
  conv2d,
  conv1dTranspose,
  conv2dTranspose,
  depthwiseConv1d,
  depthwiseConv2d,
  separableConv1d,
  separableConv2d,
  ...poolingKinds,
  ...globalPoolingKinds,
  ...borderKinds,
  ...upSamplingKinds,
  embedding,
  masking,
  ...recurrentKinds,
  bidirectional,
  timeDistributed,
  multiHeadAttention,
];

const byName = new Map(layerKinds.flatMap((kind) => kind.names.map((name) => [name, kind] as const)));

/** The kind of a Keras class name, or undefined. */
export function layerKind(className: string): AnyKind | undefined {
  return byName.get(className);
}
