/**
 * The training loop of `train` and `prune`: seeded batches, a learning rate a step, validation, best epoch, early
 * stopping and a checkpoint an epoch. What an epoch does depends on (settings, epoch) and the state at its begin only,
 * so that a run that goes on from a checkpoint equals an unbroken one.
 */
import { performance } from 'node:perf_hooks';
import type { LayersModel, Optimizer, Tensor2D, Variable } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../errors.js';
import { readCheckpoint, writeCheckpoint, type StoredTensor } from './checkpoint.js';
import { requireSameContent, type Content } from './content.js';
import type { Dataset } from '../table/dataset.js';
import { PartTensors } from './part-tensors.js';
import { learningRateAt, type Decay } from './learning-rate.js';
import type { Progress } from '../progress.js';
import { mix, shuffled } from '../random.js';
import { restoreOptimizer, restoreWeights, snapshotOptimizer, snapshotWeights } from './snapshot.js';
import type { TF } from '../tensorflow/load.js';
import { notFinite } from '../tensorflow/probe.js';

export interface FitSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  decay: Decay;
  /** Decoupled weight decay (AdamW): kernels shrink by learningRate × weightDecay a step. */
  weightDecay: number;
  seed: number;
  /** Epochs without a better one after which the run ends; undefined: never. */
  patience?: number;
}

export interface EpochRecord {
  epoch: number;
  loss: number;
  validationRmse: number;
  learningRate: number;
  sparsity?: number;
  /** Whether it may be the best: in pruning, only after the schedule's end. */
  counts: boolean;
}

export interface FitState {
  /** Tells runs apart: a checkpoint of other settings is refused. */
  run: Record<string, unknown>;
  epochsDone: number;
  best: { epoch: number; validationRmse: number } | null;
  history: EpochRecord[];
  stopped: boolean;
  /** What the pruner keeps: its step. */
  extra: Record<string, unknown>;
  /** Digests of what the run is of; checkpoints of before December 2026 have none. */
  content?: Content;
}

export interface FitParts {
  tf: TF;
  model: LayersModel;
  optimizer: Optimizer;
  dataset: Dataset;
  settings: FitSettings;
  /** Trains on a batch and answers its loss. */
  trainOnBatch: (inputs: Tensor2D, targets: Tensor2D) => Promise<number>;
  /** Weight decay changes the weights as the optimizer left them, which pruning does not show. Default: at once. */
  whileRaw?: (change: () => void) => void;
  /** Before each step, its number in the run, from 0. */
  beforeStep?: (step: number) => void;
  /** After each step. */
  afterStep?: (step: number, loss: number, learningRate: number) => void;
  /** After each epoch's validation, before its checkpoint. */
  afterEpoch?: (record: EpochRecord) => void;
  /** Before an epoch is validated, as weights may have to be brought to what will be saved. */
  beforeValidation?: () => void;
  sparsity?: () => number;
  /** Whether an epoch may be the best and counts for early stopping. Default: every one. */
  counts?: () => boolean;
  /** More to keep in a checkpoint, and to take from it. */
  extra?: {
    save: () => { state: Record<string, unknown>; tensors: Map<string, StoredTensor> };
    restore: (state: Record<string, unknown>, tensors: ReadonlyMap<string, StoredTensor>) => void;
  };
  checkpoint: string;
  resume: boolean;
  run: Record<string, unknown>;
  /** What the run is of: it goes on with the same only. */
  content: Content;
  progress: Progress;
  signal?: AbortSignal;
}

export const CHECKPOINT_FILE = 'checkpoint.safetensors';

const VALIDATION_BATCH = 8192;
/** The event loop gets a turn this often, for Ctrl-C and progress bars. */
const TURN_MS = 50;

export function checkFitSettings(settings: FitSettings): void {
  const { epochs, batchSize, learningRate, weightDecay, seed, patience } = settings;
  const whole = (name: string, value: number, least: number) => {
    if (!Number.isSafeInteger(value) || value < least) {
      throw invalid('INVALID_ARGUMENT', name, `a whole number from ${least}`, value);
    }
  };
  whole('epochs', epochs, 1);
  whole('batch-size', batchSize, 1);
  whole('seed', seed, 0);
  if (patience !== undefined) whole('patience', patience, 1);
  if (!(learningRate > 0 && Number.isFinite(learningRate))) {
    throw invalid('INVALID_ARGUMENT', 'learning-rate', 'a number above 0', learningRate);
  }
  if (!(weightDecay >= 0 && weightDecay * learningRate < 1)) {
    throw invalid(
      'INVALID_ARGUMENT',
      'weight-decay',
      'a number from 0, below 1 / learning-rate',
      weightDecay,
    );
  }
}

export function stepsPerEpoch(rows: number, batchSize: number): number {
  return Math.ceil(rows / batchSize);
}

/** Predictions for one part in the target's own units, by the model as it trains (its output is standardised). */
export function predictPart(tf: TF, model: LayersModel, part: PartTensors, dataset: Dataset): Float64Array {
  const { mean, deviation } = dataset.preprocessing.scale;
  const predicted = new Float64Array(part.length);
  for (let from = 0; from < part.length; from += VALIDATION_BATCH) {
    const to = Math.min(part.length, from + VALIDATION_BATCH);
    const values = tf.tidy(() => {
      const inputs = part.slice(from, to);
      return (model.predictOnBatch(inputs) as Tensor2D).dataSync();
    });
    for (let i = from; i < to; i += 1) predicted[i] = values[i - from]! * deviation + mean;
  }
  return predicted;
}

function rmseOf(predicted: Float64Array, dataset: Dataset, part: PartTensors): number {
  let squares = 0;
  for (let i = 0; i < predicted.length; i += 1)
    squares += (predicted[i]! - dataset.target[part.rows[i]!]!) ** 2;
  return Math.sqrt(squares / predicted.length);
}

function checkRun(stored: FitState, run: Record<string, unknown>, path: string): void {
  // As JSON would have it: what is undefined is not there.
  const wanted = JSON.parse(JSON.stringify(run)) as Record<string, unknown>;
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(stored.run)])) {
    const [now, then] = [wanted[name], stored.run[name]].map((value) => JSON.stringify(value));
    if (now !== then) {
      throw new EspalierError(
        'INVALID_ARGUMENT',
        `resume: the checkpoint ${path} is of a run with ${name} ${then ?? 'not set'}, this one has ${now ?? 'it not set'}`,
        { parameter: name, expected: then, received: now },
      );
    }
  }
}

/** Holds a run's state, and the weights of its best epoch. */
class Run {
  state: FitState;
  best: Map<string, StoredTensor> | undefined;

  constructor(private readonly parts: FitParts) {
    const { run, content } = parts;
    this.state = { run, epochsDone: 0, best: null, history: [], stopped: false, extra: {}, content };
  }

  async restore(): Promise<void> {
    const { tf, model, optimizer, checkpoint, extra, run, content, progress } = this.parts;
    const found = await readCheckpoint<FitState>(checkpoint);
    if (found === undefined) return;
    for (const thing of requireSameContent(found.state.content ?? {}, content, checkpoint)) {
      progress.warn?.(
        `the checkpoint is of an older espalier: that the ${thing} is still the same cannot be checked`,
      );
    }
    checkRun(found.state, run, checkpoint);
    restoreWeights(tf, model, found.tensors, 'weights/');
    await restoreOptimizer(tf, optimizer, found.tensors, 'optimizer/');
    extra?.restore(found.state.extra, found.tensors);
    this.state = { ...found.state, content };
    if (found.state.best !== null) {
      this.best = new Map([...found.tensors].filter(([name]) => name.startsWith('best/')));
    }
  }

  async save(): Promise<void> {
    const { model, optimizer, checkpoint, extra } = this.parts;
    const more = extra?.save();
    this.state.extra = more?.state ?? {};
    const tensors = new Map([
      ...snapshotWeights(model, 'weights/'),
      ...(await snapshotOptimizer(optimizer, 'optimizer/')),
      ...(this.best ?? []),
      ...(more?.tensors ?? []),
    ]);
    await writeCheckpoint(checkpoint, { state: this.state, tensors });
  }

  /** Takes an epoch in; true if it is the best of those that count. */
  take(record: EpochRecord): boolean {
    const { state, parts } = this;
    state.history.push(record);
    state.epochsDone = record.epoch;
    if (!record.counts) return false;
    const { validationRmse } = record;
    const better =
      Number.isFinite(validationRmse) && (state.best === null || validationRmse < state.best.validationRmse);
    if (better) {
      state.best = { epoch: record.epoch, validationRmse };
      this.best = snapshotWeights(parts.model, 'best/');
    }
    const { patience } = parts.settings;
    if (patience !== undefined && state.best !== null && record.epoch - state.best.epoch >= patience) {
      state.stopped = true;
    }
    return better;
  }
}

function interrupted(state: FitState): EspalierError {
  return new EspalierError(
    'INTERRUPTED',
    `interrupted; the checkpoint of epoch ${state.epochsDone} is whole: go on from it with --resume`,
    { parameter: 'signal', epochsDone: state.epochsDone },
  );
}

async function runEpoch(parts: FitParts, train: PartTensors, epoch: number, run: Run): Promise<number> {
  const { tf, settings, optimizer, model, progress, signal } = parts;
  const { batchSize, seed, decay, epochs, weightDecay } = settings;
  const perEpoch = stepsPerEpoch(train.length, batchSize);
  const steps = perEpoch * epochs;
  const order = shuffled(Uint32Array.from(train.rows.keys()), mix(seed, 0xba7c, epoch));
  const kernels = weightDecay === 0 ? [] : decayed(model);
  let sum = 0;
  let turn = performance.now();
  for (let batch = 0; batch < perEpoch; batch += 1) {
    if (signal?.aborted === true) throw interrupted(run.state);
    const step = (epoch - 1) * perEpoch + batch;
    const places = order.subarray(batch * batchSize, Math.min(order.length, (batch + 1) * batchSize));
    const learningRate = learningRateAt(decay, settings.learningRate, step, steps);
    (optimizer as unknown as { learningRate: number }).learningRate = learningRate;
    parts.beforeStep?.(step);
    const { inputs, targets } = train.take(places);
    const loss = await parts.trainOnBatch(inputs, targets);
    tf.dispose([inputs, targets]);
    if (!Number.isFinite(loss)) {
      throw new EspalierError(
        'TRAINING_FAILED',
        `the loss is ${loss} in epoch ${epoch}, step ${batch + 1}: a lower --learning-rate may help`,
        { parameter: 'learning-rate', received: loss },
      );
    }
    const shrink = () => {
      for (const kernel of kernels) tf.tidy(() => kernel.assign(kernel.mul(1 - learningRate * weightDecay)));
    };
    if (kernels.length > 0) (parts.whileRaw ?? ((change: () => void) => change()))(shrink);
    parts.afterStep?.(step, loss, learningRate);
    sum += loss * places.length;
    progress.step?.({ epoch, epochs, step: step + 1, steps, loss, sparsity: parts.sparsity?.() });
    if (performance.now() - turn > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
  }
  return sum / train.length;
}

/** The last step of an epoch may have made what no loss has told of yet. */
function requireFiniteWeights(model: LayersModel, epoch: number): void {
  const [bad] = notFinite(model);
  if (!bad) return;
  throw new EspalierError(
    'TRAINING_FAILED',
    `weights are NaN or infinite after epoch ${epoch}: ${bad.key} (${bad.count} of ${bad.size}): a lower --learning-rate may help`,
    { parameter: 'learning-rate', received: bad.key, epoch },
  );
}

/** What weight decay shrinks: matrices, neither biases nor scales. */
function decayed(model: LayersModel): Variable[] {
  return model.trainableWeights
    .filter(({ shape }) => shape.length >= 2)
    .map((weight) => weight.read() as unknown as Variable);
}

/**
 * Runs the epochs that are left. At the end the model has the weights of its best epoch. Throws TRAINING_FAILED for a
 * loss that is not finite, INTERRUPTED after the signal, INVALID_ARGUMENT for a checkpoint of another run.
 */
export async function fit(parts: FitParts): Promise<FitState> {
  const { tf, model, dataset, settings, progress, optimizer } = parts;
  const run = new Run(parts);
  if (parts.resume) {
    await run.restore();
    if (run.state.epochsDone > 0)
      progress.say?.(`going on after epoch ${run.state.epochsDone} of ${settings.epochs}`);
  }
  const train = new PartTensors(tf, dataset, 'train');
  const validation = new PartTensors(tf, dataset, 'validation');
  try {
    while (run.state.epochsDone < settings.epochs && !run.state.stopped) {
      const epoch = run.state.epochsDone + 1;
      const begun = performance.now();
      const loss = await runEpoch(parts, train, epoch, run);
      parts.beforeValidation?.();
      requireFiniteWeights(model, epoch);
      const validationRmse = rmseOf(predictPart(tf, model, validation, dataset), dataset, validation);
      const { learningRate } = optimizer as unknown as { learningRate: number };
      const record: EpochRecord = {
        epoch,
        loss,
        validationRmse,
        learningRate,
        sparsity: parts.sparsity?.(),
        counts: parts.counts?.() ?? true,
      };
      const best = run.take(record);
      parts.afterEpoch?.(record);
      await run.save();
      const seconds = (performance.now() - begun) / 1000;
      progress.epoch?.({ ...record, epochs: settings.epochs, best, seconds });
    }
  } finally {
    train.dispose();
    validation.dispose();
  }
  if (run.best !== undefined) restoreWeights(tf, model, run.best, 'best/');
  return run.state;
}
