/** The two calls that begin pruning. */
import { invalid, requireKeys } from '../../errors.js';
import { resolveOptions, type PruneOptions } from './options.js';
import { Pruned } from './pruned.js';
import { prunedOf } from './taken.js';
import { isLayer, isModel, type Layer } from '../../tensorflow/layer-tree.js';
import { HeldMasks } from '../schedule/schedules.js';

/**
 * Prunes a model's layers while it trains, by magnitude, as tfmot's `prune_low_magnitude` does.
 *
 * The model given is the one that is trained (`p.model`); nothing is wrapped and no layer renamed. Its own `fit`,
 * `fitDataset` and `trainOnBatch` prune from now on, until `p.release()`. It may be compiled before or after. A model
 * that is being pruned already stays as it is, as in tfmot: without options the same `p` is returned.
 *
 * @param toPrune a Sequential or functional model (nested models and shared layers included), a layer, or layers
 * @throws EspalierError INVALID_ARGUMENT, INVALID_MODEL, UNSUPPORTED_LAYER (by name), UNREACHED_END (with totalSteps)
 */
export function pruneLowMagnitude(toPrune: unknown, options: PruneOptions = {}): Pruned {
  const layers = Array.isArray(toPrune) ? (toPrune as unknown[]) : [toPrune];
  if (layers.length === 0 || !layers.every(isLayer)) {
    const expected = 'a Sequential or functional model, a layer, or an array of layers';
    throw invalid(
      'INVALID_ARGUMENT',
      'toPrune',
      expected,
      layers.find((layer) => !isLayer(layer)) ?? toPrune,
    );
  }
  const existing = isModel(toPrune) ? prunedOf(toPrune) : null;
  if (existing && Object.keys(options ?? {}).length === 0) return existing as Pruned;
  return new Pruned(toPrune as Layer | Layer[], resolveOptions(options));
}

/**
 * For fine-tuning what is sparse already: the zeros that the weights have stay zero.
 * Options as of `pruneLowMagnitude`, without those of masks.
 */
export function holdMasks(
  model: unknown,
  options: Pick<PruneOptions, 'policy' | 'perLayer' | 'kerasEpsilon' | 'onWarning'> = {},
): Pruned {
  requireKeys('options', options, ['policy', 'perLayer', 'kerasEpsilon', 'onWarning']);
  return pruneLowMagnitude(model, { ...options, schedule: new HeldMasks(), keepZeros: true });
}
