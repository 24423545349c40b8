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
import { readOptimizer, type OptimizerState } from './optimizer.js';
import type { ResolvedLayerOptions, ResolvedOptions } from './options.js';
import type { Pruner } from './pruner.js';
import { tiesOf, trainableState } from '../../tensorflow/copy.js';
import { namedVariables, traineeOf } from '../../tensorflow/layer-tree.js';
import { tensorflow, type LayerVariable } from '../../tensorflow/of-the-caller.js';

export const FILE = 'pruning.safetensors';
/** Of what is written. Version 1 had weights by their place in `getWeights()`. */
const VERSION = 2;

/** A loss or metrics as compile takes them: a name, names, or either by output. */
const someNames = z.union([z.string(), z.array(z.string())]);
const compiled = z.union([someNames, z.record(z.string(), someNames)]);
const ints = z.array(z.number().int().nonnegative());
export const layerOptions = z.strictObject({
  schedule: z.object({ className: z.string(), config: z.record(z.string(), z.unknown()) }),
  blockSize: z.tuple([z.number(), z.number()]),
  blockPooling: z.enum(['AVG', 'MAX']),
  exact: z.boolean(),
  sparsityMByN: z.tuple([z.number(), z.number()]).nullable(),
});
export const stateSchema = z.object({
  pruning: z.union([z.literal(1), z.literal(VERSION)]),
  step: z.number().int().nonnegative(),
  topology: z.record(z.string(), z.unknown()),
  /** As they were given to compile, by tfjs's names; null where a function has none. */
  loss: compiled.nullable(),
  metrics: compiled.nullable(),
  /** Layers, and from version 2 on models and wrappers too, by path. */
  trainable: z.record(z.string(), z.boolean()),
  /** By key, from version 2 on. */
  trainableWeights: z.record(z.string(), z.boolean()).optional(),
  /** Keys of weights that are one, as their layer is in several models. */
  ties: z.array(z.array(z.string())).optional(),
  /** Keys of what the optimizer trains, in its order, in which its slots are too. */
  trained: z.array(z.string()).optional(),
  options: z.object({
    scope: z.enum(['layer', 'global']),
    frozen: z.enum(['prune', 'keep']).nullable().default(null),
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

/** What is saved of a p. */
export interface Saveable {
  model: LayersModel;
  pruner: Pruner;
  options: ResolvedOptions;
  targetOptions: [string, ResolvedLayerOptions][];
}

/** What `p.save(dir)` does. Each file appears whole or not at all; the pruning file is the last. */
export async function savePruning(p: Saveable, dir: string): Promise<void> {
  requireDir(dir);
  const { model, pruner } = p;
  const tf = tensorflow();
  pruner.show();
  const optimizer = (model.optimizer as Optimizer | undefined) ? await readOptimizer(model.optimizer) : null;
  const tensors = tensorsOf(p);
  optimizer?.slots.forEach(({ data, shape }, i) => {
    tensors.set(`slot/${i}`, { shape, values: Float32Array.from(data) });
  });
  const state = stateOf(p, optimizer);
  await saveLayersModel({ tf, package: 'tfjs-node', version: tf.version['tfjs-core'] }, model, dir);
  await writeCheckpoint(join(dir, FILE), { state, tensors });
}

/** Weights as the optimizer left them, and masks. */
function tensorsOf({ model, pruner }: Saveable): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  const raw = new Map(pruner.weights.map((weight) => [weight.variable, pruner.rawOf(weight)]));
  for (const { key, variable } of namedVariables(model)) {
    const tensor = raw.get(variable) ?? variable.read();
    const values = tensor.dataSync().slice() as Float32Array;
    tensors.set(`model/${key}`, { shape: [...tensor.shape], values });
  }
  for (const { mask, layer, name, shape } of pruner.weights) {
    if (mask) tensors.set(`mask/${layer}/${name}`, { shape: [...shape], values: Float32Array.from(mask) });
  }
  return tensors;
}

function stateOf(
  { model, pruner, options, targetOptions }: Saveable,
  optimizer: OptimizerState | null,
): State {
  const { loss, metrics } = compiledWith(model);
  const { layers: trainable, weights: trainableWeights } = trainableState(model);
  const { collectedTrainableWeights: trained } = traineeOf(model) as {
    collectedTrainableWeights?: LayerVariable[];
  };
  const keys = new Map(namedVariables(model).map(({ key, variable }) => [variable, key]));
  return {
    pruning: VERSION,
    step: pruner.step,
    topology: (model as unknown as { toJSON(unused: null, asText: false): Record<string, unknown> }).toJSON(
      null,
      false,
    ),
    loss: namesOf(loss) ?? null,
    metrics: metrics === undefined || metrics === null ? [] : (namesOf(metrics) ?? null),
    trainable,
    trainableWeights,
    ties: tiesOf(model),
    trained: trained?.map((variable) => keys.get(variable)!),
    options: {
      scope: options.scope,
      frozen: options.frozen,
      onUnreachedEnd: options.onUnreachedEnd,
      totalSteps: options.totalSteps,
      kerasEpsilon: options.kerasEpsilon,
    },
    layers: Object.fromEntries(targetOptions.map(([path, own]) => [path, stored(own)])),
    weights: pruner.weights.map(({ layer, name, threshold, asked, askedSparsity }) => ({
      ...{ layer, name, threshold, asked, askedSparsity },
    })),
    optimizer: optimizer && {
      ...optimizer,
      slots: optimizer.slots.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    },
  };
}

/** Names in place of functions, in the form that was given; undefined where a function has none. */
function namesOf(given: unknown): z.infer<typeof compiled> | undefined {
  if (typeof given === 'string') return given;
  if (typeof given === 'function') return nameOf(given);
  const all = <T>(values: (T | undefined)[]): values is T[] => values.every((value) => value !== undefined);
  if (Array.isArray(given)) {
    const names = given.map((one) => namesOf(one));
    return all(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  }
  if (typeof given !== 'object' || given === null) return undefined;
  const entries = Object.entries(given).map(([output, own]) => [output, namesOf(own)] as const);
  const known = entries.every(([, own]) => typeof own === 'string' || Array.isArray(own));
  return known ? (Object.fromEntries(entries) as Record<string, string | string[]>) : undefined;
}

/** tfjs's own functions have a name for us: "tf.metrics.meanAbsoluteError". */
function nameOf(given: unknown): string | undefined {
  const { metrics, losses } = tensorflow();
  for (const [room, functions] of Object.entries({ metrics, losses })) {
    for (const [name, one] of Object.entries(functions)) if (one === given) return `tf.${room}.${name}`;
  }
  return undefined;
}

/** What `namesOf` stored, as compile takes it. @throws EspalierError INVALID_DATA for a function that tfjs lacks */
export function compiledFrom(stored: unknown): unknown {
  if (typeof stored === 'string') {
    const [, room, name] = /^tf\.(metrics|losses)\.(\w+)$/.exec(stored) ?? [];
    if (room === undefined) return stored;
    const functions = tensorflow()[room as 'metrics' | 'losses'] as unknown as Record<string, unknown>;
    if (Object.hasOwn(functions, name!)) return functions[name!];
    throw invalid('INVALID_DATA', stored, 'a function of tfjs', undefined);
  }
  if (Array.isArray(stored)) return stored.map(compiledFrom);
  if (typeof stored !== 'object' || stored === null) return stored;
  return Object.fromEntries(Object.entries(stored).map(([output, own]) => [output, compiledFrom(own)]));
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
  const inner = traineeOf(model) as { loss?: unknown; metrics?: unknown };
  const outer = model as unknown as { loss?: unknown; metrics?: unknown };
  return { loss: inner.loss ?? outer.loss, metrics: inner.metrics ?? outer.metrics };
}

export function requireDir(dir: unknown): asserts dir is string {
  if (typeof dir !== 'string' || dir === '')
    throw invalid('INVALID_ARGUMENT', 'dir', 'the path of a folder', dir);
}
