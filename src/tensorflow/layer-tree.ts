/**
 * The layers of a tfjs model as a tree, and its weights by layer and name. tfjs orders `getWeights()` by what is
 * trainable at the moment, so a place in that list says nothing of a weight; a path and a name do.
 */
import type { layers, LayersModel } from '@tensorflow/tfjs-node';
import type { LayerVariable } from './of-the-caller.js';

export type Layer = layers.Layer;
type Container = Layer & { layers: Layer[] };

export function isLayer(value: unknown): value is Layer {
  const layer = value as Layer | null;
  return (
    typeof layer?.getClassName === 'function' && typeof layer.getWeights === 'function' && 'name' in layer
  );
}

/** A Sequential or functional model, which is a layer too. */
export function isModel(value: unknown): value is Container {
  return isLayer(value) && Array.isArray((value as { layers?: unknown }).layers);
}

/** What a layer that is no model holds, each by a name of its own: what a wrapper wraps, the cells of an RNN. */
export function partsOf(layer: Layer): [string, Layer][] {
  const { forwardLayer, backwardLayer, layer: wrapped, cell } = layer as unknown as Record<string, unknown>;
  if (isLayer(forwardLayer) && isLayer(backwardLayer)) {
    return [
      ['forward', forwardLayer],
      ['backward', backwardLayer],
    ];
  }
  if (isLayer(wrapped)) return [['layer', wrapped]];
  if (!isLayer(cell)) return [];
  const cells = (cell as unknown as { cells?: Layer[] }).cells ?? [cell];
  return cells.map((one, i) => [cells.length === 1 ? 'cell' : `cell_${i}`, one]);
}

/** One way to a layer from the model that is trained. */
export interface Way {
  /** "outer/inner", as in `perLayer`; cells and what is wrapped have their part's name besides. */
  path: string;
  /** The models and wrappers around it, outermost first, and the layer itself. */
  chain: readonly Layer[];
}

/** A layer with every way to it: a shared one has several. */
export interface TreeLayer {
  layer: Layer;
  ways: Way[];
}

/** Each layer, model, wrapper and cell in a model once, outer ones first; the model itself comes first. */
export function layerTree(model: LayersModel | Layer): TreeLayer[] {
  const found = new Map<Layer, TreeLayer>();
  const visit = (layer: Layer, path: string, above: readonly Layer[]) => {
    const chain = [...above, layer];
    const known = found.get(layer);
    if (known) known.ways.push({ path, chain });
    else found.set(layer, { layer, ways: [{ path, chain }] });
    const inside = isModel(layer)
      ? layer.layers.map((inner): [string, Layer] => [inner.name, inner])
      : partsOf(layer);
    for (const [name, inner] of inside) visit(inner, path === '' ? name : `${path}/${name}`, chain);
  };
  visit(model, '', []);
  return [...found.values()];
}

export interface NamedVariable {
  /** "outer/inner/kernel", by its first way. */
  key: string;
  /** One for each way to it. */
  keys: string[];
  /** Of the layer that holds it: "outer/inner". */
  path: string;
  variable: LayerVariable;
  /** Mostly one layer; several may hold the same weight. */
  owners: TreeLayer[];
}

interface Weights {
  _trainableWeights?: LayerVariable[];
  _nonTrainableWeights?: LayerVariable[];
  weights: LayerVariable[];
}

/** Every weight of a model once. A layer that two models share is there once, with two keys. */
export function namedVariables(model: LayersModel | Layer): NamedVariable[] {
  const tree = layerTree(model);
  const found = new Map<LayerVariable, NamedVariable>();
  const take = (owner: TreeLayer, variables: readonly LayerVariable[]) => {
    const names = new Map<string, number>();
    for (const variable of variables) {
      const name = variable.originalName.split('/').at(-1)!;
      const before = names.get(name) ?? 0;
      names.set(name, before + 1);
      const unique = before === 0 ? name : `${name}_${before}`;
      const keys = owner.ways.map(({ path }) => (path === '' ? unique : `${path}/${unique}`));
      const known = found.get(variable);
      if (known) {
        known.keys.push(...keys);
        known.owners.push(owner);
      } else {
        found.set(variable, { key: keys[0]!, keys, path: owner.ways[0]!.path, variable, owners: [owner] });
      }
    }
  };
  // By the order in which a layer made them, which no flag changes.
  for (const owner of tree) {
    const { _trainableWeights: own = [], _nonTrainableWeights: fixed = [] } =
      owner.layer as unknown as Weights;
    take(owner, [...own, ...fixed]);
  }
  // A layer of the user's own may hold others in its own way: what its `weights` has besides.
  for (const owner of [...tree].reverse()) {
    const { weights = [] } = owner.layer as unknown as Partial<Weights>;
    take(
      owner,
      weights.filter((variable) => !found.has(variable)),
    );
  }
  return [...found.values()];
}

/**
 * Keras's notion of frozen: a layer is, if it or any model around it has `trainable` false, on any way to it; and so is
 * one whose weights were set so, as freezing a model does in tfjs to the layers right in it.
 */
export function isFrozen({ layer, ways }: TreeLayer): boolean {
  if (ways.some(({ chain }) => chain.some((one) => !one.trainable))) return true;
  const own = (layer as unknown as Weights)._trainableWeights ?? [];
  return own.length > 0 && own.every(({ trainable }) => !trainable);
}

/** The same of one weight. */
export function isFrozenVariable({ variable, owners }: Pick<NamedVariable, 'variable' | 'owners'>): boolean {
  return owners.some(({ layer, ways }) => {
    if (ways.some(({ chain }) => chain.some((one) => !one.trainable))) return true;
    const learned = (layer as unknown as Weights)._trainableWeights?.includes(variable);
    return learned === true && !variable.trainable;
  });
}

/** The model that tfjs trains: a Sequential trains in a functional model of its own. */
export function traineeOf(model: LayersModel): object {
  return (model as unknown as { model?: object }).model ?? model;
}
