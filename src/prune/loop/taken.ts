/** Models and layers that are being pruned, and by what. */
const PRUNED = new WeakMap<object, object>();

/** What prunes this model or layer, or null. */
export function prunedOf(modelOrLayer: object): object | null {
  return PRUNED.get(modelOrLayer) ?? null;
}

export function markPruned(things: readonly object[], by: object): void {
  for (const thing of things) PRUNED.set(thing, by);
}

export function unmarkPruned(things: readonly object[]): void {
  for (const thing of things) PRUNED.delete(thing);
}
