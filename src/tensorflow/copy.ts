/** A tfjs model made anew from another: its weights by name, what is shared and what is frozen as in the source. */
import type { layers, LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';
import { holdFrozenStatistics } from './batch-norm.js';
import { isModel, layerTree, namedVariables, traineeOf, type Layer } from './layer-tree.js';
import { tensorflow, type LayerVariable } from './of-the-caller.js';

/** Whether layers and weights learn, by path and by key. */
export interface TrainableState {
  /** Models, wrappers and layers by path; the model itself is ''. */
  layers: Record<string, boolean>;
  /** Weights by key that are set otherwise than their layer made them. */
  weights: Record<string, boolean>;
}

export function trainableState(model: LayersModel): TrainableState {
  const flags: TrainableState = { layers: {}, weights: {} };
  for (const { layer, ways } of layerTree(model)) {
    for (const { path } of ways) flags.layers[path] = layer.trainable;
  }
  for (const { keys, variable } of namedVariables(model)) {
    for (const key of keys) flags.weights[key] = variable.trainable;
  }
  return flags;
}

/** Outer ones first: setting a model's flag in tfjs sets those of its layers' weights. */
export function setTrainable(model: LayersModel, flags: TrainableState): void {
  for (const { layer, ways } of layerTree(model)) {
    const value = flags.layers[ways[0]!.path];
    if (value !== undefined && layer.trainable !== value) layer.trainable = value;
  }
  setWeightFlags(model, flags);
}

/** Compiling a Sequential sets the flags of its layers' weights again. */
export function setWeightFlags(model: LayersModel, { weights }: TrainableState): void {
  for (const { key, variable } of namedVariables(model)) {
    const value = weights[key];
    if (value !== undefined && variable.trainable !== value) variable.trainable = value;
  }
}

/** Keys of weights that are one, as their layer is shared by several models; tfjs's config does not tell. */
export function tiesOf(model: LayersModel): string[][] {
  return namedVariables(model).flatMap(({ keys }) => (keys.length > 1 ? [keys] : []));
}

/** Makes one weight of each group of keys. */
export function tie(model: LayersModel, ties: readonly (readonly string[])[]): void {
  for (const keys of ties) {
    const all = namedVariables(model).filter((one) => one.keys.some((key) => keys.includes(key)));
    const [first, ...others] = all;
    for (const { variable, owners } of others) {
      for (const { layer } of owners) replaceVariable(layer, variable, first!.variable);
      variable.dispose();
    }
    if (others.length > 0) disposeOnce(first!.variable);
  }
}

function replaceVariable(layer: Layer, from: LayerVariable, to: LayerVariable): void {
  const open = layer as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(open)) {
    if (value === from) open[name] = to;
    else if (Array.isArray(value) && value.includes(from)) {
      open[name] = (value as unknown[]).map((one) => (one === from ? to : one));
    }
  }
}

/** A weight of several layers is disposed with the first of them. */
function disposeOnce(variable: LayerVariable): void {
  const dispose = variable.dispose.bind(variable);
  variable.dispose = () => {
    if (!(variable as unknown as { val: Tensor }).val.isDisposed) dispose();
  };
}

/**
 * A model of the same layers, with weights of its own that are bit for bit those of `model`, frozen as it is, and
 * compiled as it is with an optimizer that starts anew.
 * @throws EspalierError INVALID_MODEL where the copy has other weights than the source
 */
export function copyModel(model: LayersModel): LayersModel {
  const tf = tensorflow();
  registerLayers(model);
  completeConfigs(model);
  const className = (model as unknown as Layer).getClassName();
  const config = (model as unknown as Layer).getConfig();
  const Class = (className === 'Sequential' ? tf.Sequential : tf.LayersModel) as unknown as {
    fromConfig(cls: unknown, config: unknown): LayersModel;
  };
  const copy = Class.fromConfig(Class, config);
  try {
    tie(copy, tiesOf(model));
    const values = new Map(
      namedVariables(model).flatMap(({ keys, variable }) => keys.map((key) => [key, variable] as const)),
    );
    writeWeights(copy, (key) => values.get(key)?.read());
    const flags = trainableState(model);
    setTrainable(copy, flags);
    compileLike(model, copy);
    setWeightFlags(copy, flags);
    holdFrozenStatistics(copy);
    return copy;
  } catch (error) {
    copy.dispose();
    throw error;
  }
}

/** Fills a model's weights by key. @throws EspalierError INVALID_MODEL for one that is missing or of another shape */
function writeWeights(
  model: LayersModel,
  valueOf: (key: string) => { shape: readonly number[] } | undefined,
): void {
  for (const { key, variable } of namedVariables(model)) {
    const value = valueOf(key);
    if (value?.shape.join() !== variable.shape.join()) {
      throw new EspalierError(
        'INVALID_MODEL',
        `weight ${key}: expected one of shape [${variable.shape.join(', ')}], received ${value ? `[${value.shape.join(', ')}]` : 'none'}`,
        { parameter: key },
      );
    }
    // Not by `write`, which would apply a constraint to what is to be the same.
    (variable.read() as unknown as { assign(value: unknown): void }).assign(value);
  }
}

/** SeparableConv2D of tfjs leaves its depth multiplier out of its config, and what is made or saved by it lacks it. */
export function completeConfigs(model: LayersModel): void {
  for (const { layer } of layerTree(model)) {
    const { depthMultiplier } = layer as { depthMultiplier?: number };
    if (layer.getClassName() !== 'SeparableConv2D' || depthMultiplier === undefined) continue;
    if (Object.hasOwn(layer, 'getConfig')) continue;
    const getConfig = layer.getConfig.bind(layer);
    layer.getConfig = () => ({ ...getConfig(), depthMultiplier });
  }
}

interface Compiled {
  loss?: unknown;
  metrics?: unknown;
  optimizer?: { getClassName(): string; getConfig(): Record<string, unknown>; constructor: unknown };
}

function compileLike(model: LayersModel, copy: LayersModel): void {
  const from = traineeOf(model) as Compiled;
  const { optimizer, loss } = from;
  if (!optimizer || loss === undefined) return;
  const metrics = (model as unknown as Compiled).metrics ?? from.metrics;
  const Optimizer = optimizer.constructor as { fromConfig(cls: unknown, config: unknown): never };
  copy.compile({
    optimizer: Optimizer.fromConfig(Optimizer, optimizer.getConfig()),
    loss: loss as string,
    ...(metrics ? { metrics: metrics as string[] } : {}),
  });
  // Nobody else has this optimizer: it goes with the copy.
  for (const owner of [copy, traineeOf(copy)])
    (owner as { isOptimizerOwned?: boolean }).isOptimizerOwned = true;
}

/** Layers of the user's own are known to tfjs by their class from now on, so that copies can be made. */
function registerLayers(model: LayersModel): void {
  const { serialization } = tensorflow();
  const known = serialization.SerializationMap.getMap().classNameMap;
  for (const { layer } of layerTree(model)) {
    if (isModel(layer)) continue;
    const Class = layer.constructor as new () => layers.Layer;
    const name = layer.getClassName();
    if (known[name] === undefined && (Class as unknown as { className?: string }).className === name) {
      serialization.registerClass(Class as never);
    }
  }
}
