/**
 * A frozen BatchNormalization, as Keras has it: it computes with its stored mean and variance in training too, and keeps
 * them. tfjs's own normalises by the batch and goes on learning its statistics, frozen or not.
 */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { isFrozen, layerTree, type Layer } from './layer-tree.js';

type Call = (inputs: Tensor | Tensor[], kwargs: Record<string, unknown>) => Tensor | Tensor[];

/** By layer: every model in which it was seen tells whether it is frozen there. */
const HELD = new WeakMap<Layer, { tests: Set<() => boolean>; restore: () => void }>();

/**
 * Frozen is asked at every call, so a layer may be frozen and unfrozen between steps.
 * @returns what undoes it
 */
export function holdFrozenStatistics(model: LayersModel): () => void {
  const undo: (() => void)[] = [];
  for (const entry of layerTree(model)) {
    const { layer } = entry;
    if (layer.getClassName() !== 'BatchNormalization') continue;
    const frozen = () => isFrozen(entry);
    const held = HELD.get(layer) ?? hold(layer);
    held.tests.add(frozen);
    undo.push(() => {
      held.tests.delete(frozen);
      if (held.tests.size === 0) held.restore();
    });
  }
  return () => undo.forEach((one) => one());
}

function hold(layer: Layer) {
  const open = layer as { call?: Call };
  const before = Object.hasOwn(layer, 'call') ? open.call : undefined;
  const own: Call = layer.call.bind(layer);
  const tests = new Set<() => boolean>();
  open.call = (inputs, kwargs) =>
    own(inputs, [...tests].some((test) => test()) ? { ...kwargs, training: false } : kwargs);
  const restore = () => {
    HELD.delete(layer);
    if (before) open.call = before;
    else delete open.call;
  };
  const held = { tests, restore };
  HELD.set(layer, held);
  return held;
}
