/** Going on with pruning that was saved. */
import { join } from 'node:path';
import type { LayersModel, Optimizer } from '@tensorflow/tfjs-node';
import type { z } from 'zod';
import { EspalierError, invalid } from '../../errors.js';
import { readCheckpoint } from '../../train/checkpoint.js';
import { FILE, requireDir, stateSchema, type layerOptions, type State } from './checkpoint.js';
import { makeOptimizer, writeOptimizer, type OptimizerState } from './optimizer.js';
import { resolveOptions, type LayerOptions, type PruneOptions } from './options.js';
import { Pruned } from './pruned.js';
import type { Layer } from '../which/registry.js';
import type { PruningSchedule } from '../schedule/schedule.js';
import { scheduleFromConfig } from '../schedule/schedules.js';
import { layerPaths } from '../which/targets.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

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
  const path = join(dir, FILE);
  const checkpoint = await readCheckpoint<unknown>(path);
  if (!checkpoint) throw new EspalierError('NOT_FOUND', `${path}: no such file`, { parameter: dir });
  const parsed = stateSchema.safeParse(checkpoint.state);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(
      'INVALID_DATA',
      path,
      `a pruning state (${issue?.path.join('.')}: ${issue?.message})`,
      'another',
    );
  }
  const { data: state } = parsed;
  const take = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = checkpoint.tensors.get(name);
    if (
      !tensor ||
      tensor.shape.length !== shape.length ||
      tensor.shape.some((extent, i) => extent !== shape[i])
    ) {
      throw invalid(
        'INVALID_DATA',
        `${path}: ${name}`,
        `a tensor of shape [${shape.join(', ')}]`,
        tensor?.shape,
      );
    }
    return tensor.values;
  };

  const tf = tensorflow();
  const model = await modelOf(state.topology, path);
  const layers = model as unknown as { layers: Layer[] };
  const paths = layerPaths(layers);
  for (const [name, layer] of paths) layer.trainable = state.trainable[name] ?? layer.trainable;
  const values = model
    .getWeights()
    .map((weight, i) => tf.tensor(take(`model/${i}`, weight.shape), weight.shape));
  model.setWeights(values);
  tf.dispose(values);
  await compileAgain(model, state, options, take);

  const own = Object.fromEntries(
    // Inputs are layers too, which nothing is said of.
    paths.flatMap(([name, layer]) => {
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
  const { totalSteps, ...rest } = state.options;
  const p = new Pruned(
    model,
    resolveOptions({
      ...(global ? first : {}),
      ...rest,
      ...(totalSteps === null ? {} : { totalSteps }),
      perLayer,
      ...(options.onWarning ? { onWarning: options.onWarning } : {}),
    }),
  );
  const { pruner } = p;
  if (state.weights.length !== pruner.weights.length) {
    throw invalid('INVALID_DATA', path, `${pruner.weights.length} pruned weights`, state.weights.length);
  }
  pruner.step = state.step;
  pruner.weights.forEach((weight, i) => {
    const { threshold, asked, askedSparsity } = state.weights[i]!;
    if (checkpoint.tensors.has(`mask/${i}`)) {
      pruner.setMask(weight, Uint8Array.from(take(`mask/${i}`, weight.shape)), threshold);
    }
    Object.assign(weight, { threshold, asked, askedSparsity });
  });
  return p;
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
  const loss = options.loss ?? state.loss;
  if (!state.optimizer) return;
  if (loss === null) {
    throw invalid(
      'INVALID_ARGUMENT',
      'loss',
      'the loss function, as it was not one of tfjs by name',
      undefined,
    );
  }
  const { className, config, scalars, slots } = state.optimizer;
  const optimizer = options.optimizer ?? makeOptimizer(className, config);
  const metrics = options.metrics ?? state.metrics;
  model.compile({ optimizer, loss: loss, metrics: metrics });
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

function restored(saved: z.infer<typeof layerOptions>, schedules: ResumeOptions['schedules']): LayerOptions {
  const { schedule, sparsityMByN, ...rest } = saved;
  return {
    ...rest,
    schedule: scheduleFromConfig(schedule, schedules),
    ...(sparsityMByN ? { sparsityMByN } : {}),
  };
}
