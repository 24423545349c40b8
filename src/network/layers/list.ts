/**
 * The one list of layer kinds, from the records of the families: a kind is one entry in the record of its family. What
 * stands inside TimeDistributed is one of these; the registry adds TimeDistributed itself.
 */
import { activationKinds } from './activation.js';
import { attentionKinds } from './attention.js';
import { bidirectionalKinds } from './bidirectional.js';
import { convTransposeKinds } from './conv-transpose.js';
import { convKinds } from './conv.js';
import { denseKinds } from './dense.js';
import { dotKinds } from './dot.js';
import { embeddingKinds } from './embedding.js';
import { identityKinds } from './identity.js';
import type { LayerKind } from './kind.js';
import { layerNormKinds } from './layer-norm.js';
import { mergeKinds } from './merge.js';
import { normalizationKinds } from './normalization.js';
import { poolingKinds } from './pooling.js';
import { preluKinds } from './prelu.js';
import { recurrentKinds } from './recurrent.js';
import { reshapeKinds } from './reshape.js';
import { spatialKinds } from './spatial.js';

const KINDS = {
  ...denseKinds,
  ...activationKinds,
  ...preluKinds,
  ...identityKinds,
  ...reshapeKinds,
  ...normalizationKinds,
  ...layerNormKinds,
  ...mergeKinds,
  ...dotKinds,
  ...convKinds,
  ...convTransposeKinds,
  ...poolingKinds,
  ...spatialKinds,
  ...embeddingKinds,
  ...recurrentKinds,
  ...bidirectionalKinds,
  ...attentionKinds,
};

type SettingsOf<T> = T extends LayerKind<infer S> ? S : never;

/** Every kind but TimeDistributed. */
export type StepKind = keyof typeof KINDS;
export type StepSettings = { readonly [K in StepKind]: SettingsOf<(typeof KINDS)[K]> };

export const STEP_KINDS: { readonly [K in StepKind]: LayerKind<StepSettings[K]> } = KINDS;
