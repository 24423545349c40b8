/** Strip: a plain model with masked weights, after its sparsity was verified. */
import type { LayersModel, layers } from '@tensorflow/tfjs-node';
import { EspalierError } from '../../errors.js';
import type { Pruner, PrunedWeight } from './pruner.js';
import type { ResolvedOptions } from './options.js';
import { isModel, type Layer } from '../which/registry.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

/** A weight that has more non-zeros than its schedule allows. */
interface Miss {
  layer: string;
  name: string;
  expected: number;
  received: number;
  why: string;
}

/** Weights that miss the declared sparsity, with the reason; call while masked. */
export function findMisses({ weights, step }: Pruner): Miss[] {
  const misses: Miss[] = [];
  for (const weight of weights) {
    if (weight.frozen()) continue;
    const received = sparsityOf(weight);
    const why = reason(weight, step, received);
    const expected = declared(weight, step);
    if (why !== null) misses.push({ layer: weight.layer, name: weight.name, expected, received, why });
  }
  return misses;
}

/** The sparsity that should be there once training is over. */
function declared({ options }: PrunedWeight, step: number): number {
  const { schedule, sparsityMByN, exact } = options;
  if (sparsityMByN) return sparsityMByN[0] / sparsityMByN[1];
  const last = exact && schedule.endStep !== -1 ? schedule.endStep : schedule.lastUpdateStep;
  return schedule.at(Number.isFinite(last) ? last : Math.max(step, schedule.beginStep)).sparsity;
}

function reason(weight: PrunedWeight, step: number, received: number): string | null {
  const { schedule, sparsityMByN, exact } = weight.options;
  const target = declared(weight, step);
  // The zeros that are there count, wherever they come from; half a weight is rounding.
  if (received >= target - 0.5 / weight.size - 1e-7) return null;
  if (weight.asked === null) {
    return weight.mask ? null : `its masks have not been made in ${step} steps of training`;
  }
  const last = exact && schedule.endStep !== -1 ? schedule.endStep : schedule.lastUpdateStep;
  if (!sparsityMByN && Number.isFinite(last) && step < last) {
    return `training ended in step ${step}, the schedule ends in step ${last}`;
  }
  if (sparsityMByN || weight.kept <= weight.asked) return null;
  const blocks = weight.options.blockSize.some((extent) => extent !== 1);
  return blocks ? null : 'magnitudes equal to the threshold are kept: exact: true breaks such ties';
}

/** Zeros of the weight as it is now. */
export function sparsityOf(weight: PrunedWeight): number {
  const values = weight.variable.read().dataSync();
  let zeros = 0;
  for (const value of values) if (value === 0) zeros++;
  return zeros / values.length;
}

/** Throws SPARSITY_NOT_REACHED by layer, or warns with onUnreachedEnd 'warn'. */
export function verifySparsity(pruner: Pruner, options: ResolvedOptions): void {
  const misses = findMisses(pruner);
  if (misses.length === 0) return;
  const lines = misses.map(
    ({ layer, name, expected, received, why }) =>
      `layer "${layer}" (${name}) is ${percent(received)} sparse instead of ${percent(expected)}: ${why}`,
  );
  const message = lines.join('; ');
  if (options.onUnreachedEnd === 'warn') return options.onWarning(message);
  const [first] = misses;
  const { layer, expected, received } = first!;
  throw new EspalierError('SPARSITY_NOT_REACHED', message, { parameter: layer, expected, received, misses });
}

const percent = (fraction: number) => `${+(100 * fraction).toFixed(2)} %`;

/** A copy of the model with weights of its own; compiled as the model is, with an optimizer that starts anew. */
export function copyModel(model: LayersModel): LayersModel {
  const tf = tensorflow();
  registerLayers(model);
  const className = (model as unknown as Layer).getClassName();
  const config = (model as unknown as Layer).getConfig();
  const Class = (className === 'Sequential' ? tf.Sequential : tf.LayersModel) as unknown as {
    fromConfig(cls: unknown, config: unknown): LayersModel;
  };
  const copy = Class.fromConfig(Class, config);
  copy.setWeights(model.getWeights());
  const trainable = (model as unknown as { layers: Layer[] }).layers;
  copyTrainable(trainable, (copy as unknown as { layers: Layer[] }).layers);
  compileLike(model, copy);
  return copy;
}

function copyTrainable(from: Layer[], to: Layer[]): void {
  from.forEach((layer, i) => {
    const other = to[i];
    if (!other) return;
    if (isModel(layer) && isModel(other)) copyTrainable(layer.layers, other.layers);
    other.trainable = layer.trainable;
  });
}

interface Compiled {
  loss?: unknown;
  metrics?: unknown;
  optimizer?: { getClassName(): string; getConfig(): Record<string, unknown>; constructor: unknown };
}

function compileLike(model: LayersModel, copy: LayersModel): void {
  const from = ((model as unknown as { model?: unknown }).model ?? model) as Compiled;
  const { optimizer, loss } = from;
  if (!optimizer || loss === undefined) return;
  const metrics = (model as unknown as Compiled).metrics ?? from.metrics;
  const Optimizer = optimizer.constructor as { fromConfig(cls: unknown, config: unknown): never };
  copy.compile({
    optimizer: Optimizer.fromConfig(Optimizer, optimizer.getConfig()),
    loss: loss as string,
    ...(metrics ? { metrics: metrics as string[] } : {}),
  });
}

/** Layers of the user's own are known to tfjs by their class from now on, so that copies can be made. */
function registerLayers({ layers: all }: { layers: Layer[] }): void {
  const { serialization } = tensorflow();
  const known = serialization.SerializationMap.getMap().classNameMap;
  for (const layer of all) {
    if (isModel(layer)) registerLayers(layer);
    const Class = layer.constructor as new () => layers.Layer;
    const name = layer.getClassName();
    if (known[name] === undefined && (Class as unknown as { className?: string }).className === name) {
      serialization.registerClass(Class as never);
    }
  }
}
