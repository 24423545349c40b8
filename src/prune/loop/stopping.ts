/** Early stopping and best-model keeping that know the schedule. */
import type { LayersModel, Tensor, Variable } from '@tensorflow/tfjs-node';
import { invalid, requireKeys } from '../../errors.js';
import { directionOf } from './directions.js';
import type { PrunedWeight, Pruner } from './pruner.js';
import { namedVariables } from '../../tensorflow/layer-tree.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface EarlyStoppingOptions {
  /** The number to watch, by its name in the logs. Default 'val_loss'. */
  monitor?: string;
  /** Epochs without improvement, counted once the target sparsity is reached. Infinity: keep the best, never stop. Default 5. */
  patience?: number;
  /** An improvement is at least this large. Default 0. */
  minDelta?: number;
  /** Which way is better. Default: what is known of the metric by its name; needed where nothing is. */
  mode?: 'min' | 'max';
  /** At the end the weights of the best epoch come back. Default true. */
  restoreBest?: boolean;
}

/** The step in which a weight's masks are made for the last time, or at least once where that never ends. */
function finalStep({ options }: PrunedWeight): number {
  const { schedule, sparsityMByN, exact } = options;
  if (sparsityMByN) return 1;
  if (exact && schedule.endStep !== -1) return schedule.endStep;
  return Number.isFinite(schedule.lastUpdateStep) ? schedule.lastUpdateStep : Math.max(1, schedule.beginStep);
}

/** Whether every weight has had the last update of its masks. */
export function targetReached(pruner: Pruner): boolean {
  const { step, weights } = pruner;
  return weights.every((weight) => {
    if (pruner.left(weight)) return true;
    const endless = weight.options.schedule.lastUpdateStep === Infinity && !weight.options.sparsityMByN;
    return endless ? weight.asked !== null : step >= finalStep(weight);
  });
}

/**
 * A callback for `fit`. Never stops before the target sparsity is reached, nor keeps as best an epoch from before it.
 * Made by `p.earlyStopping()`.
 */
export class SparsityEarlyStopping {
  readonly #pruner: () => Pruner;
  readonly #model: () => LayersModel;
  readonly #options: Required<EarlyStoppingOptions>;
  #best: { value: number; epoch: number; weights: [Variable, Tensor][] } | null = null;
  #waited = 0;
  #trainee: { stopTraining: boolean } | null = null;
  /** The epoch in which training was stopped, or null. */
  stoppedEpoch: number | null = null;

  /** @internal */
  constructor(model: () => LayersModel, pruner: () => Pruner, options: EarlyStoppingOptions = {}) {
    requireKeys('options', options, ['monitor', 'patience', 'minDelta', 'mode', 'restoreBest']);
    const { monitor = 'val_loss', patience = 5, minDelta = 0, restoreBest = true } = options;
    if (typeof monitor !== 'string') {
      throw invalid('INVALID_ARGUMENT', 'monitor', 'the name of a number in the logs', monitor);
    }
    const { mode = directionOf(monitor) } = options;
    if (mode === null) {
      const expected = `'min' or 'max', as it is not known whether a greater "${monitor}" is better`;
      throw invalid('INVALID_ARGUMENT', 'mode', expected, options.mode);
    }
    if (typeof patience !== 'number' || !(patience >= 0)) {
      throw invalid('INVALID_ARGUMENT', 'patience', 'a number >= 0', patience);
    }
    if (typeof minDelta !== 'number' || !(minDelta >= 0)) {
      throw invalid('INVALID_ARGUMENT', 'minDelta', 'a number >= 0', minDelta);
    }
    if (mode !== 'min' && mode !== 'max') throw invalid('INVALID_ARGUMENT', 'mode', "'min' or 'max'", mode);
    this.#model = model;
    this.#pruner = pruner;
    this.#options = { monitor, patience, minDelta, mode, restoreBest };
  }

  /** The best epoch since the target was reached, and its value. */
  get best(): { epoch: number; value: number } | null {
    return this.#best && { epoch: this.#best.epoch, value: this.#best.value };
  }

  setModel(model: unknown): void {
    this.#trainee = model as { stopTraining: boolean };
  }
  setParams(): void {}
  async onTrainBegin(): Promise<void> {}
  async onBatchBegin(): Promise<void> {}
  async onBatchEnd(): Promise<void> {}
  async onEpochBegin(): Promise<void> {}

  async onEpochEnd(epoch: number, logs: Record<string, unknown> = {}): Promise<void> {
    const { monitor, minDelta, mode, patience, restoreBest } = this.#options;
    const logged = logs[monitor] as number | { data(): Promise<ArrayLike<number>> } | undefined;
    if (logged === undefined) {
      throw invalid('INVALID_ARGUMENT', 'monitor', `a name among ${Object.keys(logs).join(', ')}`, monitor);
    }
    if (!targetReached(this.#pruner())) return;
    const value = typeof logged === 'number' ? logged : (await logged.data())[0]!;
    const gain =
      this.#best === null ? Infinity : mode === 'min' ? this.#best.value - value : value - this.#best.value;
    if (gain > minDelta && !Number.isNaN(value)) {
      const tf = tensorflow();
      this.#forget();
      // By variable: the order of getWeights changes where layers are frozen in between.
      const weights = (restoreBest ? namedVariables(this.#model()) : []).map(
        ({ variable }): [Variable, Tensor] => {
          const now = variable.read() as Variable;
          return [now, tf.keep(tf.clone(now))];
        },
      );
      this.#best = { value, epoch, weights };
      this.#waited = 0;
    } else if (++this.#waited > patience) {
      this.stoppedEpoch = epoch;
      if (this.#trainee) this.#trainee.stopTraining = true;
    }
  }

  async onTrainEnd(): Promise<void> {
    for (const [variable, best] of this.#best?.weights ?? []) variable.assign(best);
    this.#forget();
  }

  #forget(): void {
    for (const [, weights] of this.#best?.weights.splice(0) ?? []) weights.dispose();
  }
}
