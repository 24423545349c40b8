/** The one list of how layer kinds stand in Keras's files, from the records of the families. */
import type { StepKind, StepSettings } from '../../network/layers/list.js';
import type { KerasCodec } from '../codec.js';
import { activationCodecs } from './activation.js';
import { attentionCodecs } from './attention.js';
import { convCodecs } from './conv.js';
import { denseCodecs } from './dense.js';
import { dotCodecs } from './dot.js';
import { embeddingCodecs } from './embedding.js';
import { identityCodecs } from './identity.js';
import { layerNormCodecs } from './layer-norm.js';
import { mergeCodecs } from './merge.js';
import { normalizationCodecs } from './normalization.js';
import { poolingCodecs } from './pooling.js';
import { preluCodecs } from './prelu.js';
import { recurrentCodecs } from './recurrent.js';
import { reshapeCodecs } from './reshape.js';
import { spatialCodecs } from './spatial.js';

export const STEP_CODECS: { readonly [K in StepKind]: KerasCodec<StepSettings[K]> } = {
  ...denseCodecs,
  ...activationCodecs,
  ...preluCodecs,
  ...identityCodecs,
  ...reshapeCodecs,
  ...normalizationCodecs,
  ...layerNormCodecs,
  ...mergeCodecs,
  ...dotCodecs,
  ...convCodecs,
  ...poolingCodecs,
  ...spatialCodecs,
  ...embeddingCodecs,
  ...recurrentCodecs,
  ...attentionCodecs,
};
