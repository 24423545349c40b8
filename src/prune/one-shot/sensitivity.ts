/** How much each layer minds being pruned, and what sparsities follow from that under a budget. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { invalid, requireKeys } from '../../errors.js';
import { magnitudeMask } from '../mask/mask.js';
import { resolveFrozen, resolveOptions } from '../loop/options.js';
import { isModel } from '../../tensorflow/layer-tree.js';
import { findTargets, layerPaths, weightsOf } from '../which/targets.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface Sensitivity {
  layer: string;
  /** Weights of the layer that can be pruned. */
  size: number;
  /** The error with this layer alone pruned. */
  errors: { sparsity: number; error: number }[];
}

export interface SensitivityReport {
  /** The error of the model as it is. */
  dense: number;
  layers: Sensitivity[];
  /** Sparsity by layer within the budget; null without one. */
  proposal: Record<string, number> | null;
}

/** One of these. */
export interface Budget {
  /** Sparsity of all pruned weights together that must be reached. */
  sparsity?: number;
  /** Bytes that the pruned weights of all layers together may take in an `.esp` file (see `storedBytes`). */
  size?: number;
  /** Largest error that may be expected, the increases of all layers added up. */
  error?: number;
  /** Nanoseconds that all layers together may take by `cost`. */
  latency?: number;
  /** For latency: nanoseconds of a layer at a sparsity, as `PruneForLatency.cost` tells. */
  cost?: (layer: string, sparsity: number) => number;
}

export interface ScanOptions {
  /** The error of the model with the weights it has at the time: lower is better. Must not train. */
  evaluate: (model: LayersModel) => number | Promise<number>;
  /** Sparsities to try; default 0.3, 0.5, 0.7, 0.8, 0.9, 0.95. */
  sparsities?: readonly number[];
  /** Layers to try; default all that can be pruned. */
  layers?: readonly string[];
  budget?: Budget;
  /** 'keep' leaves frozen layers out, as a run with it would; 'prune' tries them too. Default 'prune'. */
  frozen?: 'prune' | 'keep';
}

/**
 * Prunes one layer after the other by magnitude, evaluates, and puts the weights back.
 * @throws EspalierError INVALID_ARGUMENT; and whatever `evaluate` throws, the weights being back
 */
export async function sensitivityScan(model: LayersModel, options: ScanOptions): Promise<SensitivityReport> {
  if (!isModel(model)) throw invalid('INVALID_ARGUMENT', 'model', 'a LayersModel', model);
  requireKeys('options', options, ['evaluate', 'sparsities', 'layers', 'budget', 'frozen']);
  const { evaluate, budget } = options;
  const keep = resolveFrozen(options.frozen) === 'keep';
  const sparsities: readonly number[] = options.sparsities ?? [0.3, 0.5, 0.7, 0.8, 0.9, 0.95];
  if (typeof evaluate !== 'function') throw invalid('INVALID_ARGUMENT', 'evaluate', 'a function', evaluate);
  const listed: unknown = sparsities; // Array.isArray would make it any[]
  if (!Array.isArray(listed) || !sparsities.every((s) => typeof s === 'number' && s >= 0 && s < 1)) {
    throw invalid('INVALID_ARGUMENT', 'sparsities', 'numbers in [0, 1)', sparsities);
  }
  const tf = tensorflow();
  const all = layerPaths(model).flatMap(([path, layer]) =>
    layer.getClassName() === 'InputLayer' ? [] : [path],
  );
  const strange = options.layers?.find((name) => !all.includes(name));
  if (strange !== undefined)
    throw invalid('INVALID_ARGUMENT', 'layers', `names among ${all.join(', ')}`, strange);
  const left = options.layers ? all.filter((path) => !options.layers!.includes(path)) : [];
  const perLayer = Object.fromEntries(left.map((path) => [path, false as const]));
  const found = weightsOf(findTargets(model, resolveOptions({ perLayer })), model);
  const weights = found.filter((weight) => !(keep && weight.frozen()));
  const wanted = [...new Set(weights.map(({ layer }) => layer))];
  const measure = async () => {
    const error: unknown = await evaluate(model);
    if (typeof error !== 'number' || Number.isNaN(error)) {
      throw invalid('INVALID_ARGUMENT', 'evaluate', 'a function that returns a number', error);
    }
    return error;
  };
  const dense = await measure();
  const layers: Sensitivity[] = [];
  for (const layer of wanted) {
    const own = weights.filter((weight) => weight.layer === layer);
    const before = own.map(({ variable }) => variable.read().dataSync().slice() as Float32Array);
    const write = (values: readonly Float32Array[]) =>
      tf.tidy(() => own.forEach(({ variable, shape }, i) => variable.write(tf.tensor(values[i]!, shape))));
    const errors: Sensitivity['errors'] = [];
    try {
      for (const sparsity of [...sparsities].sort((a, b) => a - b)) {
        write(
          before.map((values, i) => {
            const { mask } = magnitudeMask(values, own[i]!.shape, sparsity, { exact: true });
            return values.map((value, j) => (mask[j] === 0 ? 0 : value));
          }),
        );
        errors.push({ sparsity, error: await measure() });
      }
    } finally {
      write(before);
    }
    layers.push({ layer, size: own.reduce((sum, { size }) => sum + size, 0), errors });
  }
  return { dense, layers, proposal: budget ? proposeSparsities(dense, layers, budget) : null };
}

/**
 * Bytes that `size` weights take in an `.esp` file at a sparsity, without header and row pointers: four for each weight
 * that is left and whichever is smallest of 16-bit column indices, 8-bit deltas and a bit mask; at most dense.
 */
function storedBytes(size: number, sparsity: number): number {
  const left = size * (1 - sparsity);
  // A delta above 255 takes an escape byte; that is so often where fewer than one weight in 256 is left.
  const deltas = Math.max(left, size / 256);
  return Math.min(4 * size, 4 * left + Math.min(2 * left, deltas, size / 8));
}

/**
 * Greedy: layer by layer, always the next step that costs the least error for what it gains (weights, or nanoseconds
 * where latency is the budget), until the budget is met, or as long as the error stays within it.
 * @throws EspalierError INVALID_ARGUMENT where no tried sparsity meets the budget
 */
export function proposeSparsities(
  dense: number,
  layers: readonly Sensitivity[],
  budget: Budget,
): Record<string, number> {
  requireKeys('budget', budget, ['sparsity', 'size', 'error', 'latency', 'cost']);
  const { sparsity, size: bytes, error, latency, cost } = budget;
  if ([sparsity, bytes, error, latency].filter((given) => given !== undefined).length !== 1) {
    throw invalid('INVALID_ARGUMENT', 'budget', 'one of sparsity, size, error, latency', budget);
  }
  if (latency !== undefined && typeof cost !== 'function') {
    throw invalid('INVALID_ARGUMENT', 'budget.cost', 'a function (PruneForLatency.cost) with latency', cost);
  }
  const at = new Map(layers.map(({ layer }) => [layer, -1]));
  const level = ({ errors }: Sensitivity, i: number) => (i < 0 ? { sparsity: 0, error: dense } : errors[i]!);
  const spent = ({ size, layer }: Sensitivity, s: number) => {
    if (latency !== undefined) return cost!(layer, s);
    return bytes === undefined ? size * (1 - s) : storedBytes(size, s);
  };
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  // Sums of fractions are rounded: a part in a million more is met.
  const goal =
    latency ?? bytes ?? (sparsity === undefined ? -Infinity : total * (1 - sparsity) + total * 1e-6);
  let now = layers.reduce((sum, layer) => sum + spent(layer, 0), 0);
  let expected = dense;
  while (now > goal) {
    let best: { layer: Sensitivity; to: number; gain: number; loss: number } | null = null;
    for (const layer of layers) {
      const from = at.get(layer.layer)!;
      for (let to = from + 1; to < layer.errors.length; to++) {
        const gain = spent(layer, level(layer, from).sparsity) - spent(layer, level(layer, to).sparsity);
        const loss = Math.max(0, level(layer, to).error - level(layer, from).error);
        if (gain <= 0 || (error !== undefined && expected + loss > error)) continue;
        if (!best || loss * best.gain < best.loss * gain || (loss === best.loss && gain > best.gain)) {
          best = { layer, to, gain, loss };
        }
      }
    }
    if (!best) break;
    at.set(best.layer.layer, best.to);
    now -= best.gain;
    expected += best.loss;
  }
  if (now > goal && error === undefined) {
    const left =
      sparsity === undefined
        ? `${now.toFixed(0)} ${latency === undefined ? 'bytes' : 'ns'}`
        : `a sparsity of ${(1 - now / total).toFixed(3)}`;
    throw invalid('INVALID_ARGUMENT', 'budget', 'what the tried sparsities can reach', `at best ${left}`);
  }
  return Object.fromEntries(
    layers.map((layer) => [layer.layer, level(layer, at.get(layer.layer)!).sparsity]),
  );
}
