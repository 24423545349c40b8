/**
 * The rule of pruning during training, as tfmot 0.8.1 applies it. Each training step, before its forward pass:
 *
 *   step += 1
 *   if the schedule says so: mask = the largest magnitudes of the weights as the optimizer left them
 *   weights *= mask
 *
 * The optimizer then updates all weights, masked ones too, so that a weight may come back at the next update of the
 * masks. Between steps the variables themselves hold masked weights, so whoever reads them, and however, sees the same;
 * what the optimizer made of masked weights is kept aside where the next step's update of the masks asks for it.
 * Masks live in TensorFlow as tensors and are applied there; only an update of the masks reads the weights.
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
import type { PruningSchedule } from '../schedule/schedule.js';
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
  /** What the optimizer left, masked weights too, while the variable shows masked ones; null: not needed. */
  raw: Tensor | null;
  /** The data that was in the variable when it was last masked or looked at: other data is a new update. */
  seen: object | null;
  /** Steps in which its masks were due while it was frozen. */
  missed: number;
}

export class Pruner {
  readonly weights: PrunedWeight[];
  readonly #tf: TF = tensorflow();
  readonly #options: Pick<ResolvedOptions, 'scope' | 'frozen' | 'onWarning'>;
  step = 0;
  #updated = false;

  constructor(
    weights: readonly TargetWeight[],
    options: Pick<ResolvedOptions, 'scope' | 'keepZeros' | 'frozen' | 'onWarning'>,
  ) {
    this.#options = options;
    this.weights = weights.map((weight) => ({
      ...weight,
      mask: null,
      kept: weight.size,
      threshold: 0,
      asked: null,
      askedSparsity: 0,
      tensor: null,
      raw: null,
      seen: null,
      missed: 0,
    }));
    if (options.keepZeros) {
      for (const weight of this.weights) {
        const mask = this.#read(weight).map((value) => (value === 0 ? 0 : 1));
        this.setMask(weight, Uint8Array.from(mask), 0);
      }
    }
  }

  /** Whether a weight is left as it is: frozen, and not to be pruned all the same. */
  left(weight: PrunedWeight): boolean {
    return this.#options.frozen !== 'prune' && weight.frozen();
  }

  /** One training step begins: masks are made anew if the schedule says so, then applied. */
  beginStep(): void {
    for (const weight of this.weights) this.#showRaw(weight);
    this.step += 1;
    this.#tellOfThawed();
    if (this.#options.scope === 'global') this.#updateGlobal();
    else for (const weight of this.weights) this.#update(weight);
    this.applyMasks();
    this.#updated = false;
  }

  /** weights *= mask, in TensorFlow, for good. A frozen layer keeps its weights. */
  applyMasks(): void {
    for (const weight of this.weights) {
      weight.raw?.dispose();
      weight.raw = null;
      this.#mask(weight);
    }
  }

  /**
   * After the optimizer: the variables hold masked weights from here on. What it made of them is kept where the next
   * step makes masks anew. Does nothing where nothing has changed.
   */
  show(): void {
    for (const weight of this.weights) {
      if (dataOf(weight) === weight.seen) continue;
      this.#updated = true;
      weight.raw?.dispose();
      const keep = weight.tensor !== null && !this.left(weight) && this.#dueNext(weight);
      weight.raw = keep ? this.#tf.keep(this.#tf.clone(weight.variable.read())) : null;
      this.#mask(weight);
    }
  }

  /** Whether any weight was written to since the last step began. */
  get updated(): boolean {
    return this.#updated || this.weights.some((weight) => dataOf(weight) !== weight.seen);
  }

  /** Changes weights as the optimizer left them, such as by weight decay; masked weights are shown before and after. */
  whileRaw(change: () => void): void {
    for (const weight of this.weights) this.#showRaw(weight);
    change();
    this.show();
  }

  /** A weight as the optimizer left it: what a run that goes on needs. */
  rawOf(weight: PrunedWeight): Tensor {
    return weight.raw !== null && dataOf(weight) === weight.seen ? weight.raw : weight.variable.read();
  }

  /** Shows what the optimizer left, unless somebody wrote to the variable since. */
  #showRaw(weight: PrunedWeight): void {
    const { raw, variable } = weight;
    if (raw === null) return;
    if (dataOf(weight) === weight.seen) {
      (variable.read() as Variable).assign(raw);
      weight.seen = null;
    }
    raw.dispose();
    weight.raw = null;
  }

  #mask(weight: PrunedWeight): void {
    const { variable, tensor } = weight;
    if (tensor !== null && !this.left(weight) && dataOf(weight) !== weight.seen) {
      const tf = this.#tf;
      const weights = variable.read() as Variable;
      tf.tidy(() => weights.assign(tf.mul(weights, tensor)));
    }
    weight.seen = dataOf(weight);
  }

  /** Whether the next step makes this weight's masks anew. */
  #dueNext({ options: { schedule, sparsityMByN, exact } }: PrunedWeight): boolean {
    return sparsityMByN === null && this.#isDue(schedule, exact, this.step + 1);
  }

  /** A layer that was frozen while its masks were due, and is trained from here on. */
  #tellOfThawed(): void {
    const thawed = this.weights.filter((weight) => weight.missed > 0 && !this.left(weight));
    if (thawed.length === 0) return;
    for (const weight of thawed) weight.missed = 0;
    const names = [...new Set(thawed.map(({ layer }) => layer))].join(', ');
    const over = thawed.some((weight) => this.#lastUpdate(weight) < this.step);
    this.#options.onWarning(
      `step ${this.step}: ${names} ${over ? "was frozen while the schedule ran and is trained now: its masks are made no more, so it stays as dense as it is. Prune with a schedule that begins after it is unfrozen, or with frozen: 'prune'" : 'was frozen while masks were due and is pruned from now on: the sparsity of the schedule comes at once'}`,
    );
  }

  #lastUpdate({ options: { schedule, sparsityMByN, exact } }: PrunedWeight): number {
    if (sparsityMByN) return 1;
    return exact && schedule.endStep !== -1
      ? Math.max(schedule.endStep, schedule.lastUpdateStep)
      : schedule.lastUpdateStep;
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
      weight.raw?.dispose();
      weight.raw = null;
    }
  }

  #update(weight: PrunedWeight): void {
    const { schedule, sparsityMByN, blockSize, exact } = weight.options;
    if (sparsityMByN ? this.step !== 1 : !this.#isDue(schedule, exact, this.step)) return;
    if (this.left(weight)) {
      weight.missed += 1;
      return;
    }
    if (sparsityMByN) {
      const [m, n] = sparsityMByN;
      this.#assign(weight, mByNMask(this.#read(weight), weight.shape, m, n));
      weight.asked = weight.kept;
      weight.askedSparsity = m / n;
      return;
    }
    const sparsity = this.#sparsity(schedule);
    this.#assign(weight, magnitudeMask(this.#read(weight), weight.shape, sparsity, weight.options));
    weight.asked = keptCount(unitsOf(weight.shape, blockSize), sparsity);
    weight.askedSparsity = sparsity;
  }

  /** One threshold for all weights together; each keeps its largest at least, so that no layer dies. */
  #updateGlobal(): void {
    const options = this.weights[0]?.options;
    if (!options || !this.#isDue(options.schedule, options.exact, this.step)) return;
    const weights = this.weights.filter((weight) => !this.left(weight));
    for (const weight of this.weights) if (this.left(weight)) weight.missed += 1;
    if (weights.length === 0) return;
    const sparsity = this.#sparsity(options.schedule);
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

  /** Whether masks are made in a step. Exact pruning makes them at the first and last step of the schedule too. */
  #isDue(schedule: PruningSchedule, exact: boolean, step: number): boolean {
    const { beginStep, endStep } = schedule;
    const edge = exact && endStep !== -1 && (step === beginStep || step === endStep) && endStep > 0;
    return schedule.at(step).shouldPrune || (edge && schedule.lastUpdateStep > 0);
  }

  #sparsity(schedule: PruningSchedule): number {
    const { sparsity } = schedule.at(this.step);
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
    // Whatever the variable holds was masked by another mask.
    weight.seen = null;
  }
}

/** What tfjs knows a variable's values by; each update gives it others. */
function dataOf({ variable }: PrunedWeight): object {
  return variable.read().dataId;
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (Math.abs(values[i]!) > Math.abs(values[best]!)) best = i;
  return best;
}
