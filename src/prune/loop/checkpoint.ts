/**
 * Pruning in progress on disk: `model.json` with masked weights, which anything reads, and `pruning.safetensors`, one
 * file with all that is needed to go on (weights as the optimizer left them, optimizer slots, masks, step).
 */
import { join } from 'node:path';
import type { LayersModel, Optimizer } from '@tensorflow/tfjs-node';
import { z } from 'zod';
import { invalid } from '../../errors.js';
import { writeCheckpoint, type StoredTensor } from '../../train/checkpoint.js';
import { saveLayersModel } from '../../train/model-files.js';
import { readOptimizer } from './optimizer.js';
import type { ResolvedLayerOptions } from './options.js';
import type { Pruned } from './pruned.js';
import { layerPaths } from '../which/targets.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';
import type { Layer } from '../which/registry.js';

export const FILE = 'pruning.safetensors';
const VERSION = 1;

const ints = z.array(z.number().int().nonnegative());
export const layerOptions = z.strictObject({
  schedule: z.object({ className: z.string(), config: z.record(z.string(), z.unknown()) }),
  blockSize: z.tuple([z.number(), z.number()]),
  blockPooling: z.enum(['AVG', 'MAX']),
  exact: z.boolean(),
  sparsityMByN: z.tuple([z.number(), z.number()]).nullable(),
});
export const stateSchema = z.object({
  pruning: z.literal(VERSION),
  step: z.number().int().nonnegative(),
  topology: z.record(z.string(), z.unknown()),
  loss: z.union([z.string(), z.array(z.string())]).nullable(),
  metrics: z.array(z.string()),
  trainable: z.record(z.string(), z.boolean()),
  options: z.object({
    scope: z.enum(['layer', 'global']),
    onUnreachedEnd: z.enum(['error', 'warn']),
    totalSteps: z.number().int().positive().nullable(),
    kerasEpsilon: z.boolean(),
  }),
  layers: z.record(z.string(), layerOptions),
  weights: z.array(
    z.object({
      layer: z.string(),
      name: z.string(),
      threshold: z.number(),
      asked: z.number().nullable(),
      askedSparsity: z.number(),
    }),
  ),
  optimizer: z
    .object({
      className: z.string(),
      config: z.record(z.string(), z.unknown()),
      scalars: z.record(z.string(), z.number()),
      slots: z.array(z.object({ name: z.string(), shape: ints, dtype: z.enum(['float32', 'int32']) })),
    })
    .nullable(),
});
export type State = z.infer<typeof stateSchema>;

/** What `p.save(dir)` does. Each file appears whole or not at all; the pruning file is the last. */
export async function savePruning(p: Pruned, dir: string): Promise<void> {
  requireDir(dir);
  const { model, pruner, options } = p;
  const tf = tensorflow();
  const tensors = new Map<string, StoredTensor>();
  const layers = model as unknown as {
    layers: Layer[];
    toJSON(unused: null, asText: false): Record<string, unknown>;
  };
  model.getWeights().forEach((weight, i) => {
    tensors.set(`model/${i}`, {
      shape: [...weight.shape],
      values: weight.dataSync().slice() as Float32Array,
    });
  });
  pruner.weights.forEach(({ mask, shape }, i) => {
    if (mask) tensors.set(`mask/${i}`, { shape: [...shape], values: Float32Array.from(mask) });
  });
  const optimizer = (model.optimizer as Optimizer | undefined) ? await readOptimizer(model.optimizer) : null;
  optimizer?.slots.forEach(({ data, shape }, i) => {
    tensors.set(`slot/${i}`, { shape, values: Float32Array.from(data) });
  });
  const { loss, metrics } = compiledWith(model);
  const state: State = {
    pruning: VERSION,
    step: pruner.step,
    topology: layers.toJSON(null, false),
    loss: typeof loss === 'string' || isStrings(loss) ? loss : null,
    metrics: isStrings(metrics) ? metrics : typeof metrics === 'string' ? [metrics] : [],
    trainable: Object.fromEntries(layerPaths(layers).map(([path, layer]) => [path, layer.trainable])),
    options: {
      scope: options.scope,
      onUnreachedEnd: options.onUnreachedEnd,
      totalSteps: options.totalSteps,
      kerasEpsilon: options.kerasEpsilon,
    },
    layers: Object.fromEntries(p.targetOptions.map(([path, own]) => [path, stored(own)])),
    weights: pruner.weights.map(({ layer, name, threshold, asked, askedSparsity }) => ({
      ...{ layer, name, threshold, asked, askedSparsity },
    })),
    optimizer: optimizer && {
      ...optimizer,
      slots: optimizer.slots.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    },
  };
  await saveLayersModel({ tf, package: 'tfjs-node', version: tf.version['tfjs-core'] }, model, dir);
  await writeCheckpoint(join(dir, FILE), { state, tensors });
}

function stored({ schedule, blockSize, blockPooling, exact, sparsityMByN }: ResolvedLayerOptions) {
  const [height, width] = blockSize;
  return {
    schedule: schedule.getConfig(),
    blockSize: [height, width] as [number, number],
    blockPooling,
    exact,
    sparsityMByN: sparsityMByN && ([...sparsityMByN] as [number, number]),
  };
}

function compiledWith(model: LayersModel): { loss: unknown; metrics: unknown } {
  const inner = (model as unknown as { model?: { loss?: unknown; metrics?: unknown } }).model;
  const outer = model as unknown as { loss?: unknown; metrics?: unknown };
  return { loss: inner?.loss ?? outer.loss, metrics: inner?.metrics ?? outer.metrics };
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

export function requireDir(dir: unknown): asserts dir is string {
  if (typeof dir !== 'string' || dir === '')
    throw invalid('INVALID_ARGUMENT', 'dir', 'the path of a folder', dir);
}
