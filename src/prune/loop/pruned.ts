/** What pruneLowMagnitude returns: model, step callback and strip in one, so that none can be forgotten. */
import type {
  CustomCallbackArgs,
  LayersModel,
  ModelFitArgs,
  ModelFitDatasetArgs,
} from '@tensorflow/tfjs-node';
import { invalid } from '../../errors.js';
import { savePruning } from './checkpoint.js';
import { Distiller, type Distillation } from './distill.js';
import { KerasEpsilon } from './epsilon.js';
import { markPruned, ModelHooks, prunedOf, unmarkPruned } from './hooks.js';
import type { ResolvedLayerOptions, ResolvedOptions } from './options.js';
import { Pruner, type PruningState } from './pruner.js';
import { isModel, type Layer } from '../which/registry.js';
import { requireEnd, stepsOfFit } from '../schedule/run-length.js';
import { SparsityEarlyStopping, targetReached, type EarlyStoppingOptions } from './stopping.js';
import { copyModel, verifySparsity } from './strip.js';
import { findTargets, layerPaths, weightsOf, type Target } from '../which/targets.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

type Fit = LayersModel['fit'];
type FitDataset = LayersModel['fitDataset'];
type TrainOnBatch = LayersModel['trainOnBatch'];

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

export class Pruned {
  readonly options: ResolvedOptions;
  readonly #targets: Target[];
  #model: LayersModel | null = null;
  #pruner: Pruner | null = null;
  #hooks: ModelHooks | null = null;
  #epsilon: KerasEpsilon | null = null;
  /** A batch is within `fit`, which steps by its own callback. */
  #fitting = false;
  /** `callback().onBatchBegin` has stepped for the batch that comes. */
  #stepped = false;

  /** @internal use pruneLowMagnitude or resumePruning */
  constructor(toPrune: Layer | Layer[], options: ResolvedOptions) {
    this.options = options;
    this.#targets = findTargets(toPrune, options);
    this.#requireUnpruned(this.#targets.map(({ layer }) => layer));
    if (options.totalSteps !== null) requireEnd(this.#targets, options.totalSteps, options);
    if (isModel(toPrune)) this.attach(toPrune as unknown as LayersModel);
    markPruned(
      this.#targets.map(({ layer }) => layer),
      this,
    );
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
    const all = new Set(layerPaths(model).map(([, layer]) => layer));
    const absent = this.#targets.find(({ layer }) => !all.has(layer));
    if (absent)
      throw invalid('INVALID_MODEL', 'model', `a model with the pruned layer "${absent.path}"`, model.name);
    this.#requireUnpruned([model]);
    this.#pruner = new Pruner(weightsOf(this.#targets), this.options);
    this.#model = model;
    this.#hooks = new ModelHooks(model, this, this.#pruner);
    this.#warnOfFrozen();
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
    const { fit } = this.#ready();
    this.#checkEnd(stepsOfFit(x, args), args);
    const { distillation, ...rest } = args;
    if (distillation) return this.#distill(x, y, rest, distillation);
    return this.#during(() => fit(x, y, { ...rest, callbacks: this.#callbacks(args) }));
  }

  /** Batch by batch the teacher answers, then tfjs trains on both. */
  async #distill(x: unknown, y: unknown, args: ModelFitArgs, distillation: Distillation): ReturnType<Fit> {
    const { fitDataset } = this.#ready();
    const distiller = new Distiller(this.model, distillation);
    try {
      const dataset = distiller.batchesOf(x, y, args);
      const ended = { onBatchEnd: async () => distiller.endBatch() };
      const { epochs = 1, initialEpoch, verbose, validationData, yieldEvery } = args;
      const callbacks = this.#callbacks({
        callbacks: [ended, ...listOf(args.callbacks)] as never,
        yieldEvery,
      });
      const given = { epochs, initialEpoch, verbose, validationData, callbacks };
      // tfjs takes what is undefined for given.
      const known = Object.entries(given).filter(([, value]) => value !== undefined);
      return await this.#during(() => fitDataset(dataset as never, Object.fromEntries(known) as never));
    } finally {
      distiller.release();
    }
  }

  /** `model.fitDataset`, pruning. */
  async fitDataset(
    dataset: Parameters<FitDataset>[0],
    args: ModelFitDatasetArgs<never>,
  ): ReturnType<FitDataset> {
    const { fitDataset } = this.#ready();
    const size = (dataset as { size?: number | null }).size;
    this.#checkEnd(args.batchesPerEpoch ?? (Number.isFinite(size) ? size! : null), args);
    return this.#during(() => fitDataset(dataset, { ...args, callbacks: this.#callbacks(args) }));
  }

  /** `model.trainOnBatch`: one step. */
  async trainOnBatch(
    x: Parameters<TrainOnBatch>[0],
    y: Parameters<TrainOnBatch>[1],
  ): ReturnType<TrainOnBatch> {
    const { trainOnBatch } = this.#ready();
    if (!this.#stepped) this.#beginStep();
    this.#stepped = false;
    return trainOnBatch(x, y);
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
    unmarkPruned(this.#targets.map(({ layer }) => layer));
    this.#hooks?.release();
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
    const ours = {
      onBatchBegin: async () => this.#beginStep(),
      onEpochEnd: async () => this.pruner.applyMasks(),
      onTrainEnd: async () => this.pruner.applyMasks(),
    };
    // tfjs takes either instances or plain objects, and the first decides: they are made instances here.
    const make = (callback: unknown) => {
      const whole = typeof (callback as { setModel?: unknown } | null)?.setModel === 'function';
      return whole
        ? callback
        : new tf.CustomCallback(callback as CustomCallbackArgs, args.yieldEvery ?? 'auto');
    };
    return [ours, ...listOf(args.callbacks)].map(make) as never;
  }

  /** tfjs's own training methods, of a model that can train. */
  #ready(): ModelHooks['own'] {
    if (!(this.model.optimizer as unknown)) {
      const expected = 'a compiled model: call p.model.compile({ optimizer, loss })';
      throw invalid('INVALID_ARGUMENT', 'model', expected, null);
    }
    this.#hooks!.refresh();
    return this.#hooks!.own;
  }

  #requireUnpruned(things: readonly (Layer | LayersModel)[]): void {
    const taken = things.find((thing) => prunedOf(thing) !== null);
    if (!taken) return;
    const [parameter, what] = isModel(taken) ? ['model', 'a model'] : [`layer "${taken.name}"`, 'a layer'];
    const expected = `${what} that is not being pruned already (p.release())`;
    throw invalid('INVALID_ARGUMENT', parameter, expected, taken.name);
  }

  #warnOfFrozen(): void {
    const frozen = [...new Set(this.pruner.weights.filter((w) => w.frozen()).map((w) => w.layer))];
    if (frozen.length > 0)
      this.options.onWarning(`frozen layers keep their weights and are not pruned: ${frozen.join(', ')}`);
  }

  #checkEnd(stepsPerEpoch: number | null, args: { epochs?: number; initialEpoch?: number }): void {
    if (this.options.totalSteps !== null) return;
    if (stepsPerEpoch === null) {
      this.options.onWarning(
        'the steps of this dataset are not known: give totalSteps to have the schedule checked',
      );
      return;
    }
    const epochs = Math.max(0, (args.epochs ?? 1) - (args.initialEpoch ?? 0));
    requireEnd(this.#targets, this.pruner.step + epochs * stepsPerEpoch, this.options);
  }
}

function listOf(callbacks: unknown): unknown[] {
  if (callbacks === undefined || callbacks === null) return [];
  return Array.isArray(callbacks) ? (callbacks as unknown[]) : [callbacks];
}
