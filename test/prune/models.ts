/** Small networks of the reference runs. */
import type { Sequential } from '@tensorflow/tfjs-node';
import * as tf from '@tensorflow/tfjs-node';
import { scheduleFromConfig } from '../../src/prune.js';
import { golden } from './golden.js';

export interface GoldenStep {
  pruning_step: number;
  batch_loss: number;
  layers: Record<string, { weights: number[]; mask: string; threshold: number }>;
  biases: Record<string, number[]>;
}

export interface GoldenRun {
  name: string;
  model: 'mlp' | 'cnn';
  layers: { name: string; cls: string; activation: string | null }[];
  data: string;
  optimizer: {
    cls: string;
    learning_rate: number;
    momentum?: number;
    beta_1?: number;
    beta_2?: number;
    epsilon?: number;
  };
  loss: string;
  schedule: { class_name: string; config: Record<string, number> };
  block_size: [number, number];
  block_pooling_type: 'AVG' | 'MAX';
  sparsity_m_by_n: [number, number] | null;
  epochs: number;
  fits: number;
  batch_size: number;
  steps: GoldenStep[];
  epochs_log: {
    loss: number;
    masked_weights: Record<string, number[][]>;
    mask_sparsity: Record<string, number>;
  }[];
  final_prediction_first8: number[];
}

export const training = golden<{
  data: Record<
    string,
    { x?: number[]; x_shape?: number[]; y: number[]; y_shape: number[]; x_same_as?: string }
  >;
  initial_weights: Record<string, Record<string, number[]> & { shapes: number[][] }>;
  cases: GoldenRun[];
}>('training');

export function goldenModel(run: GoldenRun): Sequential {
  const { shapes, ...values } = training.initial_weights[run.model]!;
  const model = tf.sequential();
  run.layers.forEach(({ name, cls, activation }, i) => {
    const input = run.model === 'mlp' ? [8] : [6, 6, 2];
    const args = { name, ...(i === 0 ? { inputShape: input } : {}) };
    const units = cls === 'Dense' ? shapes[2 * (run.model === 'cnn' ? 1 : i)]![1]! : 0;
    const act = activation as 'relu';
    if (cls === 'Dense') model.add(tf.layers.dense({ ...args, units, activation: act }));
    else if (cls === 'Flatten') model.add(tf.layers.flatten(args));
    else model.add(tf.layers.conv2d({ ...args, filters: shapes[0]![3]!, kernelSize: 3, activation: act }));
  });
  const tensors = Object.values(values).map((v, i) => tf.tensor(v, shapes[i]));
  model.setWeights(tensors);
  const { cls, learning_rate: rate, momentum, beta_1: b1, beta_2: b2, epsilon } = run.optimizer;
  const optimizer =
    cls === 'Adam'
      ? tf.train.adam(rate, b1, b2, epsilon)
      : momentum
        ? tf.train.momentum(rate, momentum)
        : tf.train.sgd(rate);
  model.compile({ optimizer, loss: run.loss === 'mse' ? 'meanSquaredError' : run.loss });
  return model;
}

export function goldenData(run: GoldenRun) {
  const set = training.data[run.data]!;
  const from = set.x_same_as ? training.data[set.x_same_as]! : set;
  return { x: tf.tensor(from.x!, from.x_shape), y: tf.tensor(set.y, set.y_shape) };
}

export function goldenOptions(run: GoldenRun) {
  const total = run.steps.length;
  return {
    schedule: scheduleFromConfig(run.schedule),
    blockSize: run.block_size,
    blockPooling: run.block_pooling_type,
    ...(run.sparsity_m_by_n ? { sparsityMByN: run.sparsity_m_by_n } : {}),
    ...(run.schedule.config['end_step']! > total
      ? { onUnreachedEnd: 'warn' as const }
      : { totalSteps: total }),
    onWarning: () => undefined,
  };
}

export const kernelOf = (model: { getLayer(name: string): unknown }, layer: string): Float32Array =>
  (model.getLayer(layer) as { getWeights(): tf.Tensor[] }).getWeights()[0]!.dataSync() as Float32Array;

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}

/** y depends on few of x's columns: a network for it can be pruned hard. */
export function toyData(samples = 64, features = 8, seed = 1) {
  const x = tf.randomNormal([samples, features], 0, 1, 'float32', seed);
  const y = tf.tidy(() => x.slice([0, 0], [-1, 2]).sum(1, true).tanh());
  return { x, y };
}

export function toyModel({ features = 8, hidden = 16, rate = 0.01 } = {}) {
  const init = (seed: number) => tf.initializers.glorotUniform({ seed });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        name: 'd1',
        units: hidden,
        inputShape: [features],
        activation: 'relu',
        kernelInitializer: init(1),
      }),
      tf.layers.dense({ name: 'd2', units: 1, kernelInitializer: init(2) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(rate), loss: 'meanSquaredError' });
  return model;
}
