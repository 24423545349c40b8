/** The one list of how each layer kind becomes operations, from the records of the families. */
import type { Kind, Settings } from '../../network/layers/registry.js';
import { activationLowerings } from './activation.js';
import { affineLowerings } from './affine.js';
import { attentionLowerings } from './attention.js';
import { denseLowerings } from './dense.js';
import { imageLowerings } from './images.js';
import type { Lowering } from './lowering.js';
import { mergeLowerings } from './merge.js';
import { normalizeLowerings } from './normalize.js';
import { pickLowerings } from './pick.js';
import { poolingLowerings } from './pooling.js';
import { recurrentLowerings } from './recurrent.js';
import { resampleLowerings } from './resample.js';
import { sequenceLowerings } from './sequences.js';

export const LOWERINGS: { readonly [K in Kind]: Lowering<Settings[K]> } = {
  ...denseLowerings,
  ...activationLowerings,
  ...affineLowerings,
  ...mergeLowerings,
  ...pickLowerings,
  ...imageLowerings,
  ...poolingLowerings,
  ...resampleLowerings,
  ...normalizeLowerings,
  ...recurrentLowerings,
  ...sequenceLowerings,
  ...attentionLowerings,
};
