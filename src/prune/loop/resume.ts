/** Going on with pruning that was saved. */
import { join } from 'node:path';
import type { LayersModel, Optimizer, Variable } from '@tensorflow/tfjs-node';
import type { z } from 'zod';
import { EspalierError, invalid, requireKeys } from '../../errors.js';
import { readCheckpoint } from '../../train/checkpoint.js';
import { compiledFrom, FILE, requireDir, stateSchema, type layerOptions, type State } from './checkpoint.js';
import { makeOptimizer, writeOptimizer, type OptimizerState } from './optimizer.js';
import { resolveOptions, type LayerOptions, type PruneOptions } from './options.js';
import { Pruned } from './pruned.js';
import { setTrainable, setWeightFlags, tie } from '../../tensorflow/copy.js';
import { isModel, namedVariables, traineeOf, type Layer } from '../../tensorflow/layer-tree.js';
import type { PruningSchedule } from '../schedule/schedule.js';
import { scheduleFromConfig } from '../schedule/schedules.js';
import { layerPaths } from '../which/targets.js';
import { tensorflow, type LayerVariable } from '../../tensorflow/of-the-caller.js';

export interface ResumeOptions {
  /** Needed where the loss was a function, which no file can hold. */
  loss?: Parameters<LayersModel['compile']>[0]['loss'];
  metrics?: Parameters<LayersModel['compile']>[0]['metrics'];
  /** An optimizer of the class that was saved, made by you; its slots are filled in. */
  optimizer?: Optimizer;
  /** Your own schedule classes by name. */
  schedules?: Readonly<Record<string, new (config: never) => PruningSchedule>>;
  onWarning?: PruneOptions['onWarning'];
}

/**
 * Pruning goes on where `p.save(dir)` left it, to the same numbers as a run that was never broken off.
 * Layers of your own must be registered with `tf.serialization.registerClass`.
 * @throws EspalierError NOT_FOUND, INVALID_DATA (a damaged folder), INVALID_ARGUMENT
 */
export async function resumePruning(dir: string, options: ResumeOptions = {}): Promise<Pruned> {
  requireDir(dir);
  requireKeys('options', options, ['loss', 'metrics', 'optimizer', 'schedules', 'onWarning']);
  const path = join(dir, FILE);
  const { state, take, has } = await readState(path, dir);
  const model = await modelOf(state.topology, path);
  try {
    fillModel(model, state, take, path);
    await compileAgain(model, state, options, take);
    const p = new Pruned(model, resolveOptions(optionsOf(model, state, options)));
    restorePruner(p, state, take, has, path);
    return p;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

type Take = (name: string, shape: readonly number[]) => Float32Array;

async function readState(path: string, dir: string) {
  const checkpoint = await readCheckpoint<unknown>(path);
  if (!checkpoint) throw new EspalierError('NOT_FOUND', `${path}: no such file`, { parameter: dir });
  const parsed = stateSchema.safeParse(checkpoint.state);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const expected = `a pruning state (${issue?.path.join('.')}: ${issue?.message})`;
    throw invalid('INVALID_DATA', path, expected, 'another');
  }
  const take: Take = (name, shape) => {
    const tensor = checkpoint.tensors.get(name);
    if (tensor?.shape.join() !== shape.join()) {
      const expected = `a tensor of shape [${shape.join(', ')}]`;
      throw invalid('INVALID_DATA', `${path}: ${name}`, expected, tensor?.shape);
    }
    return tensor.values;
  };
  return { state: parsed.data, take, has: (name: string) => checkpoint.tensors.has(name) };
}

/** Weights, ties and what is frozen. Nested models keep their own `trainable`, which no config of tfjs tells. */
function fillModel(model: LayersModel, state: State, take: Take, path: string): void {
  const tf = tensorflow();
  tie(model, state.ties ?? []);
  setTrainable(model, { layers: state.trainable, weights: {} });
  if (state.pruning === 1) {
    requireFlat(model, path);
    const values = model
      .getWeights()
      .map((weight, i) => tf.tensor(take(`model/${i}`, weight.shape), weight.shape));
    model.setWeights(values);
    tf.dispose(values);
    return;
  }
  for (const { key, variable } of namedVariables(model)) {
    const shape = variable.shape as number[];
    const values = take(`model/${key}`, shape);
    tf.tidy(() => (variable.read() as Variable).assign(tf.tensor(values, shape)));
  }
}

/** Places in `getWeights()`, by which version 1 stored weights, are not those of another model that has others inside. */
function requireFlat(model: LayersModel, path: string): void {
  const nested = (model as unknown as { layers: Layer[] }).layers.find((layer) => isModel(layer));
  if (!nested) return;
  throw new EspalierError(
    'INVALID_DATA',
    `${path}: written by an earlier version, which stored the weights of nested models ("${nested.name}") by their ` +
      'place, and it cannot be told which are whose: begin from model.json in that folder, whose weights have names',
    { parameter: path },
  );
}

/** What pruneLowMagnitude was given, as far as a file can hold it. */
function optionsOf(model: LayersModel, state: State, options: ResumeOptions): PruneOptions {
  const own = Object.fromEntries(
    // Inputs are layers too, which nothing is said of.
    layerPaths(model as unknown as { layers: Layer[] }).flatMap(([name, layer]) => {
      if (layer.getClassName() === 'InputLayer') return [];
      const saved = Object.hasOwn(state.layers, name) ? state.layers[name]! : null;
      return [[name, saved && restored(saved, options.schedules)] as const];
    }),
  );
  const first = Object.values(own).find((layer) => layer !== null);
  const global = state.options.scope === 'global';
  const perLayer: Record<string, LayerOptions | false> = {};
  for (const [name, layer] of Object.entries(own)) {
    if (layer === null || !global) perLayer[name] = layer ?? false;
  }
  const { totalSteps, frozen, ...rest } = state.options;
  return {
    ...(global ? first : {}),
    ...rest,
    ...(totalSteps === null ? {} : { totalSteps }),
    // What is frozen was said or needed no saying when it was saved: the run that goes on asks again as it trains.
    ...(frozen === null ? {} : { frozen }),
    perLayer,
    ...(options.onWarning ? { onWarning: options.onWarning } : {}),
  };
}

function restorePruner(p: Pruned, state: State, take: Take, has: (name: string) => boolean, path: string) {
  const { pruner } = p;
  const expected = pruner.weights.map(({ layer, name }) => `${layer}/${name}`).join(', ');
  const received = state.weights.map(({ layer, name }) => `${layer}/${name}`).join(', ');
  if (expected !== received) throw invalid('INVALID_DATA', path, `the pruned weights ${expected}`, received);
  pruner.step = state.step;
  pruner.weights.forEach((weight, i) => {
    const { threshold, asked, askedSparsity } = state.weights[i]!;
    const name = `mask/${state.pruning === 1 ? i : `${weight.layer}/${weight.name}`}`;
    if (has(name)) pruner.setMask(weight, Uint8Array.from(take(name, weight.shape)), threshold);
    Object.assign(weight, { threshold, asked, askedSparsity });
  });
  pruner.show();
}

async function modelOf(topology: Record<string, unknown>, path: string): Promise<LayersModel> {
  try {
    return await tensorflow().models.modelFromJSON(topology as never);
  } catch (cause) {
    throw new EspalierError(
      'INVALID_DATA',
      `${path}: tfjs cannot make the model: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
}

async function compileAgain(
  model: LayersModel,
  state: State,
  options: ResumeOptions,
  take: (name: string, shape: readonly number[]) => Float32Array,
): Promise<void> {
  const loss = options.loss ?? compiledFrom(state.loss);
  if (!state.optimizer) return;
  if (loss === null) {
    throw invalid(
      'INVALID_ARGUMENT',
      'loss',
      'the loss function, as it was not one of tfjs by name',
      undefined,
    );
  }
  const metrics = options.metrics ?? compiledFrom(state.metrics);
  if (metrics === null) {
    const expected = 'the metrics, as they were not ones of tfjs by name; [] for none';
    throw invalid('INVALID_ARGUMENT', 'metrics', expected, undefined);
  }
  const { className, config, scalars, slots } = state.optimizer;
  const optimizer = options.optimizer ?? makeOptimizer(className, config);
  model.compile({ optimizer, loss, metrics } as Parameters<LayersModel['compile']>[0]);
  setWeightFlags(model, { layers: {}, weights: state.trainableWeights ?? {} });
  trainTheSame(model, state);
  const saved: OptimizerState = {
    className,
    config,
    scalars,
    slots: slots.map(({ name, shape, dtype }, i) => {
      const data = take(`slot/${i}`, shape);
      return { name, shape, dtype, data: dtype === 'int32' ? Int32Array.from(data) : data };
    }),
  };
  await writeOptimizer(optimizer, saved);
}

/** What was compiled to be trained, in the order in which the optimizer has its slots. */
function trainTheSame(model: LayersModel, { trained }: State): void {
  if (!trained) return;
  const variables = new Map(
    namedVariables(model).flatMap(({ keys, variable }) => keys.map((key) => [key, variable] as const)),
  );
  const trainee = traineeOf(model) as { collectedTrainableWeights?: LayerVariable[] };
  trainee.collectedTrainableWeights = trained.flatMap((key) => variables.get(key) ?? []);
}

function restored(saved: z.infer<typeof layerOptions>, schedules: ResumeOptions['schedules']): LayerOptions {
  const { schedule, sparsityMByN, ...rest } = saved;
  return {
    ...rest,
    schedule: scheduleFromConfig(schedule, schedules),
    ...(sparsityMByN ? { sparsityMByN } : {}),
  };
}
