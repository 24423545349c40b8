/**
 * The rule of pruning during training, as tfmot 0.8.1 applies it. Each training step, before its forward pass:
 *
 *   step += 1
 *   if the schedule says so: mask = the largest magnitudes of the weights as the optimizer left them
 *   weights *= mask
 *
 * The optimizer then updates all weights, masked ones too, so that a weight may come back at the next update of the
 * masks. Masks live in TensorFlow as tensors and are applied there; only an update of the masks reads the weights.
 */
import type { Tensor, Variable } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../../errors.js';
import {
  hasNaN,
  keptCount,
  magnitudeMask,
  maskAtThreshold,
  mByNMask,
  unitsOf,
  type Mask,
} from '../mask/mask.js';
import type { ResolvedOptions } from './options.js';
import { kthLargestMagnitude } from '../mask/select.js';
import type { TargetWeight } from '../which/targets.js';
import { tensorflow, type TF } from '../../tensorflow/of-the-caller.js';

/** What `state()` tells of one weight. */
export interface WeightState {
  layer: string;
  name: string;
  /** 1 - mean(mask). */
  sparsity: number;
  threshold: number;
  /** 1 where kept, row-major, Keras layout. Do not write into it. */
  mask: Uint8Array;
}

export interface PruningState {
  /** Training steps taken. */
  step: number;
  weights: WeightState[];
}

export interface PrunedWeight extends TargetWeight {
  /** null: all ones. */
  mask: Uint8Array | null;
  kept: number;
  threshold: number;
  /** Weights or blocks that the last update was to keep; null before one. */
  asked: number | null;
  /** The sparsity that the last update was asked for. */
  askedSparsity: number;
  /** The mask as a float32 tensor; null: all ones, so nothing to do. */
  tensor: Tensor | null;
}

export class Pruner {
  readonly weights: PrunedWeight[];
  readonly #tf: TF = tensorflow();
  readonly #scope: 'layer' | 'global';
  step = 0;
  #raw: { weight: PrunedWeight; values: Tensor }[] | null = null;

  constructor(weights: readonly TargetWeight[], options: Pick<ResolvedOptions, 'scope' | 'keepZeros'>) {
    this.#scope = options.scope;
    this.weights = weights.map((weight) => ({
      ...weight,
      mask: null,
      kept: weight.size,
      threshold: 0,
      asked: null,
      askedSparsity: 0,
      tensor: null,
    }));
    if (options.keepZeros) {
      for (const weight of this.weights) {
        const mask = this.#read(weight).map((value) => (value === 0 ? 0 : 1));
        this.setMask(weight, Uint8Array.from(mask), 0);
      }
    }
  }

  /** One training step begins: masks are made anew if the schedule says so, then applied. */
  beginStep(): void {
    this.step += 1;
    if (this.#scope === 'global') this.#updateGlobal();
    else for (const weight of this.weights) this.#update(weight);
    this.applyMasks();
  }

  /** weights *= mask, in TensorFlow. A frozen layer keeps its weights. */
  applyMasks(): void {
    const tf = this.#tf;
    for (const { variable, tensor, frozen } of this.weights) {
      if (tensor === null || frozen()) continue;
      const weights = variable.read() as Variable;
      tf.tidy(() => weights.assign(tf.mul(weights, tensor)));
    }
  }

  /** Runs with masked weights and then puts back what the optimizer made of them: looking changes nothing. */
  whileMasked<T>(look: () => T): T {
    if (this.#raw !== null) return look();
    const tf = this.#tf;
    this.#raw = this.weights
      .filter(({ tensor, frozen }) => tensor !== null && !frozen())
      .map((weight) => ({ weight, values: tf.keep(tf.clone(weight.variable.read())) }));
    const restore = () => {
      for (const { weight, values } of this.#raw ?? []) {
        (weight.variable.read() as Variable).assign(values);
        values.dispose();
      }
      this.#raw = null;
    };
    let result: T;
    try {
      this.applyMasks();
      result = look();
    } catch (error) {
      restore();
      throw error;
    }
    if (result instanceof Promise) return result.finally(restore) as T;
    restore();
    return result;
  }

  state(): PruningState {
    return {
      step: this.step,
      weights: this.weights.map((weight) => ({
        layer: weight.layer,
        name: weight.name,
        sparsity: 1 - weight.kept / weight.size,
        threshold: weight.threshold,
        mask: weight.mask ?? new Uint8Array(weight.size).fill(1),
      })),
    };
  }

  /** Throws INVALID_DATA unless the mask has the weight's length and nothing but 0 and 1. */
  setMask(weight: PrunedWeight, mask: Uint8Array, threshold: number): void {
    if (mask.length !== weight.size) {
      throw invalid('INVALID_DATA', `mask of ${weight.layer}/${weight.name}`, `${weight.size} bytes`, mask);
    }
    let kept = 0;
    for (const bit of mask) {
      if (bit > 1) throw invalid('INVALID_DATA', `mask of ${weight.layer}/${weight.name}`, '0 and 1', bit);
      kept += bit;
    }
    this.#assign(weight, { mask, threshold, kept });
  }

  dispose(): void {
    for (const weight of this.weights) {
      weight.tensor?.dispose();
      weight.tensor = null;
    }
  }

  #update(weight: PrunedWeight): void {
    const { schedule, sparsityMByN, blockSize, exact } = weight.options;
    if (weight.frozen()) return;
    if (sparsityMByN) {
      if (this.step !== 1) return;
      const [m, n] = sparsityMByN;
      this.#assign(weight, mByNMask(this.#read(weight), weight.shape, m, n));
      weight.asked = weight.kept;
      weight.askedSparsity = m / n;
      return;
    }
    const sparsity = this.#due(schedule, exact);
    if (sparsity === null) return;
    this.#assign(weight, magnitudeMask(this.#read(weight), weight.shape, sparsity, weight.options));
    weight.asked = keptCount(unitsOf(weight.shape, blockSize), sparsity);
    weight.askedSparsity = sparsity;
  }

  /** One threshold for all weights together; each keeps its largest at least, so that no layer dies. */
  #updateGlobal(): void {
    const weights = this.weights.filter(({ frozen }) => !frozen());
    const options = weights[0]?.options;
    const sparsity = options ? this.#due(options.schedule, options.exact) : null;
    if (!options || sparsity === null) return;
    const total = weights.reduce((sum, { size }) => sum + size, 0);
    const all = new Float32Array(total);
    let at = 0;
    for (const weight of weights) {
      all.set(this.#read(weight), at);
      at += weight.size;
    }
    const k = keptCount(total, sparsity);
    const threshold = kthLargestMagnitude(all, k);
    const { mask } = maskAtThreshold(all, threshold, options.exact ? k : null);
    at = 0;
    for (const weight of weights) {
      const own = mask.slice(at, at + weight.size);
      if (!own.includes(1)) own[indexOfLargest(all.subarray(at, at + weight.size))] = 1;
      this.setMask(weight, own, threshold);
      weight.asked = weight.kept;
      weight.askedSparsity = sparsity;
      at += weight.size;
    }
  }

  /** The sparsity of this step's update, or null without one. Exact pruning updates at the first and last step too. */
  #due(schedule: TargetWeight['options']['schedule'], exact: boolean): number | null {
    const { shouldPrune, sparsity } = schedule.at(this.step);
    const { beginStep, endStep } = schedule;
    const edge = exact && endStep !== -1 && (this.step === beginStep || this.step === endStep) && endStep > 0;
    if (!shouldPrune && !(edge && schedule.lastUpdateStep > 0)) return null;
    if (!(sparsity >= 0 && sparsity <= 1)) {
      const expected = `a sparsity in [0, 1] in step ${this.step}`;
      throw invalid('INVALID_ARGUMENT', 'schedule', expected, sparsity);
    }
    return sparsity;
  }

  #read(weight: PrunedWeight): Float32Array {
    const values = weight.variable.read().dataSync() as Float32Array;
    if (hasNaN(values)) {
      throw new EspalierError(
        'TRAINING_FAILED',
        `layer "${weight.layer}": its ${weight.name} has become NaN before step ${this.step}: lower the learning rate`,
        { parameter: weight.layer, step: this.step },
      );
    }
    return values;
  }

  #assign(weight: PrunedWeight, { mask, threshold, kept }: Mask): void {
    const tf = this.#tf;
    weight.tensor?.dispose();
    const ones = kept === weight.size;
    weight.tensor = ones ? null : tf.keep(tf.tensor(new Float32Array(mask), weight.shape, 'float32'));
    weight.mask = ones ? null : mask;
    weight.kept = kept;
    weight.threshold = threshold;
  }
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (Math.abs(values[i]!) > Math.abs(values[best]!)) best = i;
  return best;
}
