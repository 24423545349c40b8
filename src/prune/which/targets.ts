/** Finding what is pruned: the layers of a model, nested and shared ones once each, and their weights. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { invalid } from '../../errors.js';
import {
  requireMaskable,
  resolveLayer,
  type ResolvedLayerOptions,
  type ResolvedOptions,
} from '../loop/options.js';
import {
  isFrozenVariable,
  isLayer,
  isModel,
  namedVariables,
  type Layer,
} from '../../tensorflow/layer-tree.js';
import { prunableWeights, requireSupported } from './registry.js';
import type { LayerVariable } from '../../tensorflow/of-the-caller.js';

/** A layer that is pruned. */
export interface Target {
  /** Unique: "outer/inner" in nested models. */
  path: string;
  layer: Layer;
  options: ResolvedLayerOptions;
}

export interface TargetWeight {
  layer: string;
  name: string;
  variable: LayerVariable;
  shape: number[];
  size: number;
  options: ResolvedLayerOptions;
  /** Whether it is frozen now. */
  frozen: () => boolean;
}

/** The layers to prune among these; throws UNSUPPORTED_LAYER with the name of one that cannot be pruned. */
export function findTargets(toPrune: Layer | Layer[], options: ResolvedOptions): Target[] {
  const wanted = options.policy && isModel(toPrune) ? new Set(options.policy.select(toPrune)) : null;
  const seen = new Set<Layer>();
  const names = new Set<string>();
  const targets: Target[] = [];
  const visit = (layer: Layer, prefix: string, asked: boolean) => {
    if (!isLayer(layer)) throw invalid('INVALID_ARGUMENT', 'layers', 'an array of layers', layer);
    const path = prefix + layer.name;
    if (isModel(layer)) {
      if (seen.has(layer)) return;
      seen.add(layer);
      for (const inner of layer.layers) visit(inner, `${path}/`, false);
      return;
    }
    if (seen.has(layer) || layer.getClassName() === 'InputLayer') return;
    seen.add(layer);
    names.add(path);
    const own = Object.hasOwn(options.perLayer, path) ? options.perLayer[path]! : {};
    if (own === false || (wanted && !wanted.has(path))) return;
    requireSupported(layer, path, asked);
    targets.push({ path, layer, options: resolveLayer(own, options, `perLayer.${path}`) });
  };
  if (isModel(toPrune)) for (const layer of toPrune.layers) visit(layer, '', false);
  else for (const layer of Array.isArray(toPrune) ? toPrune : [toPrune]) visit(layer, '', true);

  for (const name of [...Object.keys(options.perLayer), ...(wanted ?? [])]) {
    if (!names.has(name)) {
      const parameter = wanted?.has(name) ? 'policy' : 'perLayer';
      throw invalid('INVALID_ARGUMENT', parameter, `layers among ${[...names].join(', ')}`, name);
    }
  }
  return targets;
}

/**
 * The weights of built targets. A weight that two layers share is pruned once.
 * @param model that is trained, by which a weight is known to be frozen
 */
export function weightsOf(targets: readonly Target[], model: LayersModel): TargetWeight[] {
  const known = new Map(namedVariables(model).map((named) => [named.variable, named]));
  const seen = new Set<LayerVariable>();
  const weights: TargetWeight[] = [];
  for (const { path, layer, options } of targets) {
    for (const { name, variable } of prunableWeights(layer, path)) {
      if (seen.has(variable)) continue;
      seen.add(variable);
      const shape = variable.shape.map((extent) => extent!);
      requireMaskable(path, shape, options);
      const named = known.get(variable);
      const frozen = () => (named ? isFrozenVariable(named) : !layer.trainable);
      weights.push({ layer: path, name, variable, shape, size: variable.read().size, options, frozen });
    }
  }
  return weights;
}

/** All layers that hold no others, by path. */
export function layerPaths({ layers }: { layers: Layer[] }, prefix = ''): [string, Layer][] {
  return layers.flatMap((layer) =>
    isModel(layer)
      ? layerPaths(layer, `${prefix}${layer.name}/`)
      : ([[prefix + layer.name, layer]] as [string, Layer][]),
  );
}
