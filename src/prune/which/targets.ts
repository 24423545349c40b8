/** Finding what is pruned: the layers of a model, nested and shared ones once each, and their weights. */
import { invalid } from '../../errors.js';
import {
  requireMaskable,
  resolveLayer,
  type ResolvedLayerOptions,
  type ResolvedOptions,
} from '../loop/options.js';
import { isLayer, isModel, prunableWeights, requireSupported, type Layer } from './registry.js';
import type { LayerVariable } from '../../tensorflow/of-the-caller.js';

/** A layer that is pruned, and the models around it. */
export interface Target {
  /** Unique: "outer/inner" in nested models. */
  path: string;
  layer: Layer;
  /** Models that hold the layer, outermost first: freezing one freezes the layer. */
  owners: Layer[];
  options: ResolvedLayerOptions;
}

export interface TargetWeight {
  layer: string;
  name: string;
  variable: LayerVariable;
  shape: number[];
  size: number;
  options: ResolvedLayerOptions;
  frozen: () => boolean;
}

/** The layers to prune among these; throws UNSUPPORTED_LAYER with the name of one that cannot be pruned. */
export function findTargets(toPrune: Layer | Layer[], options: ResolvedOptions): Target[] {
  const wanted = options.policy && isModel(toPrune) ? new Set(options.policy.select(toPrune)) : null;
  const seen = new Set<Layer>();
  const names = new Set<string>();
  const targets: Target[] = [];
  const visit = (layer: Layer, prefix: string, owners: Layer[]) => {
    if (!isLayer(layer)) throw invalid('INVALID_ARGUMENT', 'layers', 'an array of layers', layer);
    const path = prefix + layer.name;
    if (isModel(layer)) {
      if (seen.has(layer)) return;
      seen.add(layer);
      for (const inner of layer.layers) visit(inner, `${path}/`, [...owners, layer]);
      return;
    }
    if (seen.has(layer) || layer.getClassName() === 'InputLayer') return;
    seen.add(layer);
    names.add(path);
    const own = Object.hasOwn(options.perLayer, path) ? options.perLayer[path]! : {};
    if (own === false || (wanted && !wanted.has(path))) return;
    requireSupported(layer, path);
    targets.push({ path, layer, owners, options: resolveLayer(own, options, `perLayer.${path}`) });
  };
  if (isModel(toPrune)) for (const layer of toPrune.layers) visit(layer, '', [toPrune]);
  else for (const layer of Array.isArray(toPrune) ? toPrune : [toPrune]) visit(layer, '', []);

  for (const name of [...Object.keys(options.perLayer), ...(wanted ?? [])]) {
    if (!names.has(name)) {
      const parameter = wanted?.has(name) ? 'policy' : 'perLayer';
      throw invalid('INVALID_ARGUMENT', parameter, `layers among ${[...names].join(', ')}`, name);
    }
  }
  return targets;
}

/** The weights of built targets. A weight that two layers share is pruned once. */
export function weightsOf(targets: readonly Target[]): TargetWeight[] {
  const seen = new Set<LayerVariable>();
  const weights: TargetWeight[] = [];
  for (const { path, layer, owners, options } of targets) {
    for (const { name, variable } of prunableWeights(layer, path)) {
      if (seen.has(variable)) continue;
      seen.add(variable);
      const shape = variable.shape.map((extent) => extent!);
      requireMaskable(path, shape, options);
      const frozen = () => !layer.trainable || owners.some((owner) => !owner.trainable);
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
