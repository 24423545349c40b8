/** The one list of layer kinds. */
import { activationKinds } from './activation.js';
import { dense } from './dense.js';
import { identityKinds } from './identity.js';
import type { LayerKind } from './kind.js';
import { concatenate, mergeKinds } from './merge.js';
import { batchNormalization, normalization, rescaling } from './normalization.js';
import { flatten, reshape } from './reshape.js';

// Settings flow from a kind's own parse to its own functions only, so their type may be forgotten here.
type AnyKind = LayerKind<unknown>;

export const layerKinds: readonly AnyKind[] = [
  dense,
  ...activationKinds,
  ...identityKinds,
  flatten,
  reshape,
  batchNormalization,
  normalization,
  rescaling,
  ...mergeKinds,
  concatenate,
];

const byName = new Map(layerKinds.flatMap((kind) => kind.names.map((name) => [name, kind] as const)));

/** The kind of a Keras class name, or undefined. */
export function layerKind(className: string): AnyKind | undefined {
  return byName.get(className);
}
