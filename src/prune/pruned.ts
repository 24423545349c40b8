/** What pruneLowMagnitude returns: model, step callback and strip in one, so that none can be forgotten. */
import type {
  CustomCallbackArgs,
  LayersModel,
  ModelFitArgs,
  ModelFitDatasetArgs,
  Tensor,
} from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../errors.js';
import { savePruning } from './checkpoint.js';
import { batchesOf, Distiller, type Distillation } from './distill.js';
import { KerasEpsilon } from './epsilon.js';
import {
  resolveOptions,
  type PruneOptions,
  type ResolvedLayerOptions,
  type ResolvedOptions,
} from './options.js';
import { checkSchedule } from './plan.js';
import { Pruner, type PruningState } from './pruner.js';
import { isLayer, isModel, type Layer } from './registry.js';
import { HeldMasks } from './schedules.js';
import { SparsityEarlyStopping, targetReached, type EarlyStoppingOptions } from './stopping.js';
import { copyModel, verifySparsity } from './strip.js';
import { findTargets, weightsOf, type Target } from './targets.js';
import { tensorflow } from './tensorflow.js';

type Fit = LayersModel['fit'];
type FitDataset = LayersModel['fitDataset'];
type TrainOnBatch = LayersModel['trainOnBatch'];

/** What of a tfjs model is taken over while it is pruned. */
const HOOKED = [
  'fit',
  'fitDataset',
  'trainOnBatch',
  'save',
  'evaluate',
  'evaluateDataset',
  'predict',
] as const;
type Hooked = Pick<LayersModel, (typeof HOOKED)[number]>;

export interface PrunedFitArgs extends ModelFitArgs {
  /** Learns from the dense model too. */
  distillation?: Distillation;
}

export interface StepCallback {
  setModel(model: unknown): void;
  setParams(params: unknown): void;
  onTrainBegin(): Promise<void>;
  onTrainEnd(): Promise<void>;
  onEpochBegin(): Promise<void>;
  onEpochEnd(): Promise<void>;
  onBatchBegin(): Promise<void>;
  onBatchEnd(): Promise<void>;
}

/**
 * Prunes a model's layers while it trains, by magnitude, as tfmot's `prune_low_magnitude` does.
 *
 * The model given is the one that is trained (`p.model`); nothing is wrapped and no layer renamed. Its own `fit`,
 * `fitDataset` and `trainOnBatch` prune from now on, until `p.release()`.
 *
 * @param toPrune a Sequential or functional model (nested models and shared layers included), a layer, or layers
 * @throws EspalierError INVALID_ARGUMENT, INVALID_MODEL, UNSUPPORTED_LAYER (by name), UNREACHED_END (with totalSteps)
 */
export function pruneLowMagnitude(toPrune: unknown, options: PruneOptions = {}): Pruned {
  const layers = Array.isArray(toPrune) ? (toPrune as unknown[]) : [toPrune];
  if (layers.length === 0 || !layers.every(isLayer)) {
    const expected = 'a Sequential or functional model, a layer, or an array of layers';
    throw invalid(
      'INVALID_ARGUMENT',
      'toPrune',
      expected,
      layers.find((layer) => !isLayer(layer)) ?? toPrune,
    );
  }
  return new Pruned(toPrune as Layer | Layer[], resolveOptions(options));
}

/**
 * For fine-tuning what is sparse already: the zeros that the weights have stay zero.
 * Options as of `pruneLowMagnitude`, without those of masks.
 */
export function holdMasks(
  model: unknown,
  options: Pick<PruneOptions, 'policy' | 'perLayer' | 'kerasEpsilon' | 'onWarning'> = {},
): Pruned {
  return pruneLowMagnitude(model, { ...options, schedule: new HeldMasks(), keepZeros: true });
}

export class Pruned {
  readonly options: ResolvedOptions;
  readonly #targets: Target[];
  #model: LayersModel | null = null;
  #pruner: Pruner | null = null;
  #original: Hooked | null = null;
  #inner: ReturnType<typeof innerModel> | null = null;
  #epsilon: KerasEpsilon | null = null;
  /** A batch is within `fit`, which steps by its own callback. */
  #fitting = false;
  /** `callback().onBatchBegin` has stepped for the batch that comes. */
  #stepped = false;

  /** @internal use pruneLowMagnitude or resumePruning */
  constructor(toPrune: Layer | Layer[], options: ResolvedOptions) {
    this.options = options;
    this.#targets = findTargets(toPrune, options);
    if (isModel(toPrune)) this.attach(toPrune as unknown as LayersModel);
    this.#checkTotal();
  }

  /** The model that trains. Layers that were given without a model have one after `attach(model)`. */
  get model(): LayersModel {
    if (!this.#model)
      throw invalid('INVALID_ARGUMENT', 'model', 'p.attach(model) first, as layers were pruned', null);
    return this.#model;
  }

  /** The layers that are pruned, by name. */
  get layers(): string[] {
    return this.#targets.map(({ path }) => path);
  }

  /** @internal */
  get targetOptions(): [string, ResolvedLayerOptions][] {
    return this.#targets.map(({ path, options }) => [path, options]);
  }

  /** Tells the model in which layers were put that were given without one. */
  attach(model: LayersModel): this {
    if (this.#model === model) return this;
    if (this.#model) throw invalid('INVALID_ARGUMENT', 'model', 'the model that is attached already', model);
    // A Sequential with an input shape has its weights, though tfjs calls it built once it is compiled only.
    if (!isModel(model) || !(model as unknown as { outputs?: unknown[] }).outputs?.length) {
      throw invalid(
        'INVALID_MODEL',
        'model',
        'a built Sequential or functional model (give it an inputShape)',
        model,
      );
    }
    const all = new Set<unknown>();
    const collect = (outer: { layers: Layer[] }) =>
      outer.layers.forEach((layer) => {
        all.add(layer);
        if (isModel(layer)) collect(layer);
      });
    collect(model);
    const absent = this.#targets.find(({ layer }) => !all.has(layer));
    if (absent)
      throw invalid('INVALID_MODEL', 'model', `a model with the pruned layer "${absent.path}"`, model.name);
    if (PRUNED.has(model)) {
      throw invalid(
        'INVALID_ARGUMENT',
        'model',
        'a model that is not being pruned already (p.release())',
        model.name,
      );
    }
    this.#pruner = new Pruner(weightsOf(this.#targets), this.options);
    this.#model = model;
    PRUNED.set(model, this);
    this.#warnOfFrozen();
    this.#hook(model);
    return this;
  }

  /** Step, masks, thresholds and sparsities as they are now. Before any step all masks are ones. */
  state(): PruningState {
    return this.pruner.state();
  }

  /** @internal */
  get pruner(): Pruner {
    if (!this.#pruner) throw invalid('INVALID_ARGUMENT', 'model', 'p.attach(model) first', null);
    return this.#pruner;
  }

  /** `model.fit`, pruning. Throws UNREACHED_END before training where the schedule cannot end in time. */
  async fit(x: Parameters<Fit>[0], y: Parameters<Fit>[1], args: PrunedFitArgs = {}): ReturnType<Fit> {
    this.#requireCompiled();
    const epochs = (args.epochs ?? 1) - (args.initialEpoch ?? 0);
    this.#checkEnd(stepsOfFit(x, args), epochs);
    if (args.distillation) return this.#distill(x, y, args, args.distillation);
    return this.#during(() => this.#original!.fit(x, y, { ...args, callbacks: this.#callbacks(args) }));
  }

  /** Batch by batch the teacher answers, then tfjs trains on both. */
  async #distill(x: unknown, y: unknown, args: PrunedFitArgs, distillation: Distillation): ReturnType<Fit> {
    const tf = tensorflow();
    const [inputs, outputs] = [x as Tensor, y as Tensor];
    if (!(inputs instanceof tf.Tensor && outputs instanceof tf.Tensor) || args.validationSplit) {
      throw invalid(
        'INVALID_ARGUMENT',
        'distillation',
        'one input and one output tensor, and validationData',
        x,
      );
    }
    const distiller = new Distiller(this.model, distillation);
    const { batchSize, shuffle, epochs = 1, initialEpoch, verbose, validationData } = args;
    const dataset = batchesOf(inputs, outputs, { batchSize, shuffle }, (batch) =>
      distiller.beginBatch(batch),
    );
    const ended = { onBatchEnd: async () => distiller.endBatch() };
    const callbacks = [ended, ...(this.#callbacks(args) as unknown[])];
    const fitArgs = { ...{ epochs, initialEpoch, verbose, validationData }, callbacks };
    try {
      return await this.#during(() => this.#original!.fitDataset(dataset as never, this.#whole(fitArgs)));
    } finally {
      distiller.release();
    }
  }

  /** tfjs takes either instances or plain objects; the first decides. */
  #whole<T extends { callbacks: unknown[] }>(args: T): never {
    const tf = tensorflow();
    const callbacks = args.callbacks.map((callback) =>
      typeof (callback as { setModel?: unknown }).setModel === 'function'
        ? callback
        : new tf.CustomCallback(callback as CustomCallbackArgs, 'auto'),
    );
    return Object.fromEntries(
      Object.entries({ ...args, callbacks }).filter(([, value]) => value !== undefined),
    ) as never;
  }

  /** `model.fitDataset`, pruning. */
  async fitDataset(
    dataset: Parameters<FitDataset>[0],
    args: ModelFitDatasetArgs<never>,
  ): ReturnType<FitDataset> {
    this.#requireCompiled();
    const epochs = (args.epochs ?? 1) - (args.initialEpoch ?? 0);
    const size = (dataset as { size?: number | null }).size;
    this.#checkEnd(args.batchesPerEpoch ?? (Number.isFinite(size) ? size! : null), epochs);
    return this.#during(() =>
      this.#original!.fitDataset(dataset, { ...args, callbacks: this.#callbacks(args) }),
    );
  }

  /** `model.trainOnBatch`: one step. */
  async trainOnBatch(
    x: Parameters<TrainOnBatch>[0],
    y: Parameters<TrainOnBatch>[1],
  ): ReturnType<TrainOnBatch> {
    this.#requireCompiled();
    if (!this.#stepped) this.#beginStep();
    this.#stepped = false;
    return this.#original!.trainOnBatch(x, y);
  }

  /**
   * The step callback for one's own loop: call `onBatchBegin` before each training step and `onEpochEnd` (or
   * `onTrainEnd`) when the weights are to be looked at. Within `fit` it does nothing, as fit prunes by itself.
   */
  callback(): StepCallback {
    const begin = () => {
      if (this.#fitting) return;
      this.#beginStep();
      this.#stepped = true;
    };
    const mask = () => {
      if (this.#fitting) return;
      this.#stepped = false;
      this.pruner.applyMasks();
    };
    return {
      setModel: (model) => {
        if (!this.#model && isModel(model)) this.attach(model as unknown as LayersModel);
      },
      setParams: () => undefined,
      onTrainBegin: async () => undefined,
      onTrainEnd: async () => mask(),
      onEpochBegin: async () => undefined,
      onEpochEnd: async () => mask(),
      onBatchBegin: async () => begin(),
      onBatchEnd: async () => void (this.#stepped &&= this.#fitting),
    };
  }

  /** Whether every weight has had the last update of its masks. */
  get targetReached(): boolean {
    return targetReached(this.pruner);
  }

  /**
   * A callback for `fit` that stops when nothing improves and brings the best epoch back, but never stops before the
   * target sparsity is reached, nor takes for best an epoch from before it.
   */
  earlyStopping(options: EarlyStoppingOptions = {}): SparsityEarlyStopping {
    return new SparsityEarlyStopping(
      () => this.model,
      () => this.pruner,
      options,
    );
  }

  /**
   * The finished model: a copy with masked weights and nothing of pruning, its sparsity verified. Training may go on
   * with `p`; compiled if `p.model` is.
   * @throws EspalierError SPARSITY_NOT_REACHED naming the layers that miss it (a warning with onUnreachedEnd 'warn')
   */
  strip(): LayersModel {
    return this.pruner.whileMasked(() => {
      verifySparsity(this.pruner, this.options);
      return copyModel(this.model);
    });
  }

  /**
   * Saves pruning in progress: `model.json` with masked weights, and all that `resumePruning(dir)` needs to go on to the
   * same numbers as a run that was not broken off (weights, optimizer slots, masks, step).
   */
  async save(dir: string): Promise<void> {
    await savePruning(this, dir);
  }

  /** The model's methods are its own again; masks are dropped. The weights stay as they are. */
  release(): void {
    if (!this.#model) return;
    for (const name of [...HOOKED, 'testLoop'])
      delete (this.#model as unknown as Record<string, unknown>)[name];
    if (this.#inner) {
      delete this.#inner.testLoop;
      PRUNED.delete(this.#inner);
    }
    PRUNED.delete(this.#model);
    this.#epsilon?.restore();
    this.#pruner?.dispose();
  }

  #beginStep(): void {
    const pruner = this.pruner;
    pruner.beginStep();
    if (!this.options.kerasEpsilon) return;
    const { optimizer } = this.model;
    if (this.#epsilon?.optimizer !== optimizer) this.#epsilon = KerasEpsilon.of(optimizer);
    this.#epsilon?.beginStep();
  }

  async #during<T>(train: () => Promise<T>): Promise<T> {
    this.#fitting = true;
    try {
      return await train();
    } finally {
      this.#fitting = false;
      this.pruner.applyMasks();
    }
  }

  /** Ours comes first: who looks at the end of an epoch sees masked weights. */
  #callbacks(args: Pick<ModelFitArgs, 'callbacks' | 'yieldEvery'>): never {
    const tf = tensorflow();
    const given = args.callbacks ?? [];
    const theirs = (Array.isArray(given) ? given : [given]) as unknown[];
    const ours = {
      onBatchBegin: async () => this.#beginStep(),
      onEpochEnd: async () => this.pruner.applyMasks(),
      onTrainEnd: async () => this.pruner.applyMasks(),
    };
    const make = (callback: unknown) => {
      const whole = typeof (callback as { setModel?: unknown } | null)?.setModel === 'function';
      return whole
        ? callback
        : new tf.CustomCallback(callback as CustomCallbackArgs, args.yieldEvery ?? 'auto');
    };
    return [ours, ...theirs].map(make) as never;
  }

  /** The model's own methods prune from now on. */
  #hook(model: LayersModel): void {
    this.#original = Object.fromEntries(
      HOOKED.map((name) => [name, (model[name] as (...args: never[]) => unknown).bind(model)]),
    ) as unknown as Hooked;
    const original = this.#original;
    const masked =
      (name: 'save' | 'evaluate' | 'evaluateDataset' | 'predict') =>
      (...args: unknown[]) =>
        this.pruner.whileMasked(() => (original[name] as (...args: unknown[]) => unknown)(...args));
    Object.assign(model, {
      fit: this.fit.bind(this),
      fitDataset: this.fitDataset.bind(this),
      trainOnBatch: this.trainOnBatch.bind(this),
      save: masked('save'),
      evaluate: masked('evaluate'),
      evaluateDataset: masked('evaluateDataset'),
      predict: masked('predict'),
    });
  }

  /**
   * tfjs validates in `fit` between a batch and its end, by a method of the functional model; a Sequential makes that
   * model anew whenever it is compiled.
   */
  #hookInner(): void {
    const inner = innerModel(this.model);
    if (inner === this.#inner) return;
    this.#inner = inner;
    PRUNED.set(inner, this);
    const testLoop = inner.testLoop?.bind(inner);
    if (testLoop) inner.testLoop = (...args) => this.pruner.whileMasked(() => testLoop(...args));
  }

  #requireCompiled(): void {
    if (!(this.model.optimizer as unknown)) {
      throw invalid(
        'INVALID_ARGUMENT',
        'model',
        'a compiled model: call p.model.compile({ optimizer, loss })',
        null,
      );
    }
    this.#hookInner();
  }

  #warnOfFrozen(): void {
    const frozen = [...new Set(this.pruner.weights.filter((w) => w.frozen()).map((w) => w.layer))];
    if (frozen.length > 0)
      this.options.onWarning(`frozen layers keep their weights and are not pruned: ${frozen.join(', ')}`);
  }

  /** Layers by schedule that a run of so many steps cannot bring to its end. */
  #unreached(steps: number): string[] {
    const messages = new Map<string, string[]>();
    for (const { path, options } of this.#targets) {
      if (options.sparsityMByN) continue;
      const { beginStep, endStep } = options.schedule;
      const end = endStep === -1 ? beginStep : endStep;
      if (end <= steps) continue;
      const trap = checkSchedule(options.schedule, steps).find(({ code }) => code === 'END_NOT_REACHED')!;
      messages.set(trap.message, [...(messages.get(trap.message) ?? []), path]);
    }
    return [...messages].map(([message, layers]) => `${layers.join(', ')}: ${message}`);
  }

  #complain(steps: number): void {
    const problems = this.#unreached(steps);
    if (problems.length === 0) return;
    const message = problems.join('; ');
    if (this.options.onUnreachedEnd === 'warn') return this.options.onWarning(message);
    throw new EspalierError('UNREACHED_END', message, {
      parameter: 'schedule',
      expected: `an end within ${steps} steps; totalSteps tells the steps of all planned fits`,
      received: problems,
    });
  }

  #checkTotal(): void {
    if (this.options.totalSteps !== null) this.#complain(this.options.totalSteps);
  }

  #checkEnd(stepsPerEpoch: number | null, epochs: number): void {
    if (this.options.totalSteps !== null) return;
    if (stepsPerEpoch !== null) return this.#complain(this.pruner.step + Math.max(0, epochs) * stepsPerEpoch);
    this.options.onWarning(
      'the steps of this dataset are not known: give totalSteps to have the schedule checked',
    );
  }
}

const PRUNED = new WeakMap<object, Pruned>();

/** What prunes this model, or null. */
export function prunedOf(model: LayersModel): Pruned | null {
  return PRUNED.get(model) ?? null;
}

/** The functional model in which a Sequential trains; tfjs gives that one to callbacks. */
function innerModel(model: LayersModel): { testLoop?: (...args: unknown[]) => unknown } {
  return (model as unknown as { model?: object }).model ?? (model as object);
}

/** Batches of an epoch of `fit`, as tfjs cuts them. */
function stepsOfFit(x: unknown, args: ModelFitArgs): number | null {
  const first = firstTensor(x);
  const samples = first?.shape?.[0];
  if (typeof samples !== 'number') return null;
  const split = args.validationData == null && args.validationSplit ? args.validationSplit : 0;
  return Math.ceil(Math.floor(samples * (1 - split)) / (args.batchSize ?? 32));
}

function firstTensor(x: unknown): { shape?: number[] } | undefined {
  if (Array.isArray(x)) return x[0] as { shape?: number[] };
  const tensor = x as { shape?: number[] } | null;
  if (tensor?.shape) return tensor;
  return tensor && typeof tensor === 'object'
    ? (Object.values(tensor)[0] as { shape?: number[] })
    : undefined;
}
