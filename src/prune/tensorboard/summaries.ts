/** Pruning in TensorBoard: tfmot's `PruningSummaries`, and what it lacks. */
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError, invalid, requireKeys } from '../../errors.js';
import type { Pruned } from '../loop/pruned.js';
import { prunedOf } from '../loop/taken.js';
import { writeScalar, type SummaryWriter } from './scalar-summary.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface SummariesOptions {
  /** Folder for the event files; made if it is missing. `tensorboard --logdir` reads it. */
  logDir: string;
  /** 'epoch', or N: the loss and each layer's sparsity every N steps too ('batch': 1). Default 'epoch'. */
  updateFreq?: 'epoch' | 'batch' | number;
  /** Histograms of the pruned weights at the end of each epoch. Default true. */
  histograms?: boolean;
}

type Logs = Record<string, unknown> | null | undefined;

/**
 * A callback for `p.fit` and `p.fitDataset` that writes
 * - `metrics/`, as tfmot: at the beginning of each epoch, with the optimizer's iterations for step,
 *   `prune_low_magnitude_LAYER/mask:0/sparsity` and `prune_low_magnitude_LAYER/threshold:0/threshold`
 *   (a layer with several pruned weights shows its last, as there);
 * - `metrics/`, ours: at the end of each epoch, so of the last one too, `sparsity/LAYER/WEIGHT`, `sparsity/model` (of
 *   all pruned weights together) and histograms `weights/LAYER/WEIGHT`;
 * - `train/` and `validation/`, as Keras: `epoch_loss` and the other metrics, `evaluation_loss_vs_iterations`.
 * All as tensors with the plugin "scalars" (or "histograms"), as TensorFlow 2 writes them.
 */
export class PruningSummaries {
  readonly options: Required<SummariesOptions>;
  #pruned: Pruned | null = null;
  #writers: Record<'metrics' | 'train' | 'validation', SummaryWriter | null> = {
    metrics: null,
    train: null,
    validation: null,
  };
  #batches = 0;

  /** @throws EspalierError INVALID_ARGUMENT; TENSORFLOW_MISSING without tfjs-node, which has the writer */
  constructor(options: SummariesOptions | string, more: Omit<SummariesOptions, 'logDir'> = {}) {
    const given = typeof options === 'object' && options !== null ? options : { logDir: options, ...more };
    requireKeys('options', given, ['logDir', 'updateFreq', 'histograms']);
    const { logDir, updateFreq = 'epoch', histograms = true } = given;
    if (typeof logDir !== 'string' || logDir === '') {
      throw invalid('INVALID_ARGUMENT', 'logDir', 'a non-empty string', logDir);
    }
    const every =
      updateFreq === 'epoch' ||
      updateFreq === 'batch' ||
      (Number.isSafeInteger(updateFreq) && updateFreq > 0);
    if (!every)
      throw invalid('INVALID_ARGUMENT', 'updateFreq', "'epoch', 'batch' or an integer > 0", updateFreq);
    if (typeof histograms !== 'boolean')
      throw invalid('INVALID_ARGUMENT', 'histograms', 'true or false', histograms);
    this.options = { logDir, updateFreq, histograms };
    if (!(tensorflow() as Partial<ReturnType<typeof tensorflow>>).node) {
      throw new EspalierError('TENSORFLOW_MISSING', 'event files are written by @tensorflow/tfjs-node only');
    }
  }

  setModel(model: unknown): void {
    this.#pruned = prunedOf(model as LayersModel) as Pruned | null;
    if (!this.#pruned)
      throw invalid('INVALID_ARGUMENT', 'model', 'a model given to pruneLowMagnitude', model);
  }

  setParams(): void {}

  async onTrainBegin(): Promise<void> {}
  async onBatchBegin(): Promise<void> {}

  async onEpochBegin(): Promise<void> {
    const pruned = this.#of();
    const tags = new Map<string, number>();
    for (const { layer, sparsity, threshold } of pruned.state().weights) {
      const name = `prune_low_magnitude_${layer.split('/').at(-1)}`;
      tags.set(`${name}/mask:0/sparsity`, sparsity);
      tags.set(`${name}/threshold:0/threshold`, threshold);
    }
    for (const [tag, value] of tags) this.#write('metrics', tag, value, this.#iterations());
    this.#writers.metrics?.flush();
  }

  async onBatchEnd(_batch: number, logs?: Logs): Promise<void> {
    const { updateFreq } = this.options;
    this.#batches++;
    if (updateFreq === 'epoch' || this.#batches % (updateFreq === 'batch' ? 1 : updateFreq) !== 0) return;
    const step = this.#iterations();
    for (const [name, value] of Object.entries(logs ?? {})) {
      if (name !== 'batch' && name !== 'size')
        this.#write('train', `batch_${name}`, await numeric(value), step);
    }
    this.#writeSparsity(step);
  }

  async onEpochEnd(epoch: number, logs?: Logs): Promise<void> {
    const step = this.#iterations();
    for (const [name, logged] of Object.entries(logs ?? {})) {
      const value = await numeric(logged);
      if (name.startsWith('val_')) {
        const metric = name.slice('val_'.length);
        this.#write('validation', `evaluation_${metric}_vs_iterations`, value, step);
        this.#write('validation', `epoch_${metric}`, value, epoch);
      } else {
        this.#write('train', `epoch_${name}`, value, epoch);
      }
    }
    this.#writeSparsity(step);
    if (this.options.histograms) {
      for (const { layer, name, variable } of this.#of().pruner.weights) {
        this.#writer('metrics').histogram(`weights/${layer}/${name}`, variable.read(), step);
      }
    }
    for (const writer of Object.values(this.#writers)) writer?.flush();
  }

  async onTrainEnd(): Promise<void> {
    for (const writer of Object.values(this.#writers)) writer?.flush();
  }

  #writeSparsity(step: number): void {
    let kept = 0;
    let size = 0;
    for (const weight of this.#of().pruner.weights) {
      kept += weight.kept;
      size += weight.size;
      this.#write('metrics', `sparsity/${weight.layer}/${weight.name}`, 1 - weight.kept / weight.size, step);
    }
    if (size > 0) this.#write('metrics', 'sparsity/model', 1 - kept / size, step);
  }

  #of(): Pruned {
    if (!this.#pruned) throw invalid('INVALID_ARGUMENT', 'model', 'setModel before the first epoch', null);
    return this.#pruned;
  }

  #iterations(): number {
    return this.#of().model.optimizer.iterations;
  }

  #writer(folder: 'metrics' | 'train' | 'validation'): SummaryWriter {
    return (this.#writers[folder] ??= tensorflow().node.summaryFileWriter(join(this.options.logDir, folder)));
  }

  #write(folder: 'metrics' | 'train' | 'validation', tag: string, value: number, step: number): void {
    writeScalar(this.#writer(folder), tag, value, step);
  }
}

/** tfjs gives logs as numbers or as scalars that are not yet read. */
async function numeric(value: unknown): Promise<number> {
  if (typeof value === 'number') return value;
  const { data } = value as { data?: () => Promise<ArrayLike<number>> };
  return data ? (await data.call(value))[0]! : NaN;
}
