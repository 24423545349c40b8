/** What pruneLowMagnitude returns: model, step callback and strip in one, so that none can be forgotten. */
import type { CustomCallbackArgs, Logs, LayersModel, ModelFitArgs } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../../errors.js';
import { savePruning } from './checkpoint.js';
import {
  listOf,
  requireFitArguments,
  requireFitDatasetArguments,
  type PrunedFitArgs,
  type PrunedFitDatasetArgs,
  type StepCallback,
} from './fit-arguments.js';
import { Distiller, type Distillation } from './distill.js';
import { KerasEpsilon } from './epsilon.js';
import { describeFrozen, FrozenUntrained, frozenMisses, requireFrozenSaid } from './frozen.js';
import { LayerHooks, ModelHooks, type Training } from './hooks.js';
import type { ResolvedLayerOptions, ResolvedOptions } from './options.js';
import { Pruner, type PruningState } from './pruner.js';
import { requireEnd, stepsOfFit } from '../schedule/run-length.js';
import { SparsityEarlyStopping, targetReached, type EarlyStoppingOptions } from './stopping.js';
import { requireFinite, verifiedCopy, verifySparsity } from './strip.js';
import { markPruned, prunedOf, unmarkPruned } from './taken.js';
import { prunableWeightNames } from '../which/registry.js';
import { findTargets, weightsOf, type Target } from '../which/targets.js';
import { holdFrozenStatistics } from '../../tensorflow/batch-norm.js';
import { isModel, layerTree, type Layer } from '../../tensorflow/layer-tree.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';
import { notFinite } from '../../tensorflow/probe.js';

type Fit = LayersModel['fit'];
type FitDataset = LayersModel['fitDataset'];
type TrainOnBatch = LayersModel['trainOnBatch'];

export class Pruned {
  readonly options: ResolvedOptions;
  readonly #targets: Target[];
  readonly #layerHooks: LayerHooks;
  #model: LayersModel | null = null;
  #pruner: Pruner | null = null;
  #hooks: ModelHooks | null = null;
  #epsilon: KerasEpsilon | null = null;
  #releaseStatistics: (() => void) | null = null;
  #untrained: FrozenUntrained | null = null;
  /** A batch is within our own training method, which steps by itself. */
  #training = false;
  /** `callback().onBatchBegin` has stepped for the batch that comes. */
  #stepped = false;
  /** Another model trains the pruned layers, and that was told. */
  #elsewhere = false;
  /** Which weights were left as they are when that was last looked at. */
  #left = '';

  /** @internal use pruneLowMagnitude or resumePruning */
  constructor(toPrune: Layer | Layer[], options: ResolvedOptions) {
    this.options = options;
    this.#targets = findTargets(toPrune, options);
    const layers = this.#targets.map(({ layer }) => layer);
    this.#requireUnpruned(layers);
    if (options.totalSteps !== null) requireEnd(this.#targets, options.totalSteps, options);
    if (isModel(toPrune)) this.attach(toPrune as unknown as LayersModel);
    const holding = layers.filter((layer) => prunableWeightNames(layer.getClassName())?.length !== 0);
    this.#layerHooks = new LayerHooks(holding, {
      onCall: (training) => this.#onCall(training),
      onRead: () => this.#pruner?.show(),
    });
    markPruned(layers, this);
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
    if (this.#model) {
      throw new EspalierError(
        'INVALID_ARGUMENT',
        `model: "${this.#model.name}" is the model of this p, so "${(model as LayersModel | null)?.name}" cannot be attached. ` +
          'A model around it may be trained as it is, the layers are pruned all the same; or give pruneLowMagnitude the ' +
          'outer model, or the layers, and attach that',
        { parameter: 'model', expected: this.#model.name, received: (model as LayersModel | null)?.name },
      );
    }
    // A Sequential with an input shape has its weights, though tfjs calls it built once it is compiled only.
    if (!isModel(model) || !(model as unknown as { outputs?: unknown[] }).outputs?.length) {
      throw invalid(
        'INVALID_MODEL',
        'model',
        'a built Sequential or functional model (give it an inputShape)',
        model,
      );
    }
    const all = new Set(layerTree(model).map(({ layer }) => layer));
    const absent = this.#targets.find(({ layer }) => !all.has(layer));
    if (absent)
      throw invalid('INVALID_MODEL', 'model', `a model with the pruned layer "${absent.path}"`, model.name);
    this.#requireUnpruned([model]);
    const pruner = new Pruner(weightsOf(this.#targets, model), this.options);
    requireFrozenSaid(frozenMisses(pruner, this.options));
    this.#pruner = pruner;
    this.#model = model;
    this.#untrained = new FrozenUntrained(model);
    this.#releaseStatistics = holdFrozenStatistics(model);
    this.#hooks = new ModelHooks(model, {
      ...this.#trainingMethods(),
      onRead: () => this.#pruner?.show(),
      by: this,
    });
    this.#left = this.#leftNow();
    const frozen = describeFrozen(model, pruner, this.options);
    if (frozen) this.options.onWarning(frozen);
    return this;
  }

  /** What the model's own methods do while it is pruned. */
  #trainingMethods(): Training {
    return {
      fit: this.fit.bind(this),
      fitDataset: this.fitDataset.bind(this),
      trainOnBatch: this.trainOnBatch.bind(this),
    };
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

  /**
   * `model.fit`, pruning. Throws UNREACHED_END before training where the schedule cannot end in time, TRAINING_FAILED in
   * the step whose loss is not finite, and INVALID_ARGUMENT for an argument that nobody heeds.
   */
  async fit(x: Parameters<Fit>[0], y: Parameters<Fit>[1], args: PrunedFitArgs = {}): ReturnType<Fit> {
    requireFitArguments(args);
    const { fit } = this.#ready();
    this.#checkEnd(stepsOfFit(x, args), args);
    const { distillation, ...rest } = args;
    return this.#during(distillation, () => fit(x, y, { ...rest, callbacks: this.#callbacks(args) }));
  }

  /** `model.fitDataset`, pruning. Throws as `fit`. */
  async fitDataset(dataset: Parameters<FitDataset>[0], args: PrunedFitDatasetArgs): ReturnType<FitDataset> {
    requireFitDatasetArguments(args);
    const { fitDataset } = this.#ready();
    const size = (dataset as { size?: number | null }).size;
    this.#checkEnd(args.batchesPerEpoch ?? (Number.isFinite(size) ? size! : null), args);
    const { distillation, ...rest } = args;
    return this.#during(distillation, () =>
      fitDataset(dataset, { ...rest, callbacks: this.#callbacks(args) }),
    );
  }

  /** `model.trainOnBatch`: one step. Throws TRAINING_FAILED where its loss is not finite. */
  async trainOnBatch(
    x: Parameters<TrainOnBatch>[0],
    y: Parameters<TrainOnBatch>[1],
  ): ReturnType<TrainOnBatch> {
    const { trainOnBatch } = this.#ready();
    if (!this.#stepped) this.#beginStep();
    this.#stepped = false;
    this.#training = true;
    try {
      const answer = await trainOnBatch(x, y);
      this.#requireFiniteLoss(Array.isArray(answer) ? answer[0]! : answer, null);
      return answer;
    } finally {
      this.#training = false;
      this.#untrained?.restore();
      this.pruner.show();
    }
  }

  /**
   * The step callback for one's own loop: call `onBatchBegin` before each training step, `onBatchEnd` after it, and
   * `onEpochEnd` (or `onTrainEnd`) at the end of an epoch. Within `p.fit` it does nothing, as fit prunes by itself.
   */
  callback(): StepCallback {
    const begin = () => {
      if (this.#training) return;
      this.#beginStep();
      this.#stepped = true;
    };
    const end = () => {
      if (this.#training) return;
      this.#stepped = false;
      this.#untrained?.restore();
      this.pruner.show();
    };
    const mask = () => {
      if (this.#training) return;
      this.#stepped = false;
      this.pruner.show();
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
      onBatchEnd: async () => end(),
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
   * The finished model: a copy with masked weights and nothing of pruning. The copy itself is verified: its weights are
   * finite, its zeros those declared, its answers those of `p.model`. Training may go on with `p`; compiled if
   * `p.model` is.
   * @throws EspalierError SPARSITY_NOT_REACHED naming the layers that miss it (a warning with onUnreachedEnd 'warn'),
   *   TRAINING_FAILED for weights that are not finite, INVALID_MODEL for a layer that cannot be copied; `p` is as before
   */
  strip(): LayersModel {
    this.pruner.show();
    const copy = verifiedCopy(this.model, 'strip');
    try {
      verifySparsity(this.pruner, this.options, this.model, copy);
      return copy;
    } catch (error) {
      copy.dispose();
      throw error;
    }
  }

  /**
   * Saves pruning in progress: `model.json` with masked weights, and all that `resumePruning(dir)` needs to go on to the
   * same numbers as a run that was not broken off (weights, optimizer slots, masks, step).
   */
  async save(dir: string): Promise<void> {
    await savePruning(this, dir);
  }

  /** The model's methods are its own again; masks are dropped. The weights stay as they are, masked. */
  release(): void {
    unmarkPruned(this.#targets.map(({ layer }) => layer));
    this.#pruner?.show();
    this.#untrained?.restore();
    this.#layerHooks.release();
    this.#hooks?.release();
    this.#releaseStatistics?.();
    this.#epsilon?.restore();
    this.#pruner?.dispose();
  }

  #beginStep(): void {
    const pruner = this.pruner;
    this.#checkFrozen();
    this.#untrained?.leave();
    pruner.beginStep();
    if (!this.options.kerasEpsilon) return;
    const { optimizer } = this.model;
    // A model inside of one that trains has no optimizer of its own.
    if (!(optimizer as unknown)) return;
    if (this.#epsilon?.optimizer !== optimizer) this.#epsilon = KerasEpsilon.of(optimizer);
    this.#epsilon?.beginStep();
  }

  /**
   * A pruned layer computes. In a training step that is not ours a model around ours is trained, or one that shares its
   * layers: it is pruned all the same, one step each time the weights were written to.
   */
  #onCall(training: boolean): void {
    if (this.#training || this.#stepped) {
      if (!training) this.#pruner?.show();
      return;
    }
    if (!training) return this.#pruner?.show();
    if (!this.#pruner) return this.#tellOfUnattached();
    if (this.#elsewhere && !this.#pruner.updated) return;
    if (!this.#elsewhere) {
      this.#elsewhere = true;
      const what = this.#model ? `model "${this.#model.name}"` : 'the pruned layers';
      this.options.onWarning(
        `${what}: another model trains it, or a loop without p.callback(); it is pruned all the same, one step a batch. Whether the schedule ends in ` +
          'time is not checked then, and Adam adds its epsilon where tfjs does',
      );
    }
    this.#beginStep();
    // After the optimizer, which tfjs runs before anything else has its turn.
    queueMicrotask(() => {
      if (!this.#training) this.#pruner?.show();
    });
  }

  #tellOfUnattached(): void {
    if (this.#elsewhere) return;
    this.#elsewhere = true;
    this.options.onWarning(
      `layers ${this.layers.join(', ')} are trained and not pruned: p.attach(model) tells the model that they are in`,
    );
  }

  #leftNow(): string {
    return this.pruner.weights.map((weight) => (weight.frozen() ? 1 : 0)).join('');
  }

  /** Frozen since it was last looked at: the same is told and refused as at the beginning. */
  #checkFrozen(): void {
    const now = this.#leftNow();
    if (now === this.#left) return;
    const grown = [...now].some((bit, i) => bit === '1' && this.#left[i] !== '1');
    if (grown) {
      requireFrozenSaid(frozenMisses(this.pruner, this.options));
      const frozen = this.#model && describeFrozen(this.#model, this.pruner, this.options);
      if (frozen) this.options.onWarning(frozen);
    }
    this.#left = now;
  }

  #requireFiniteLoss(loss: unknown, epoch: number | null): void {
    if (typeof loss !== 'number' || Number.isFinite(loss)) return;
    const { step } = this.pruner;
    const where = epoch === null ? `step ${step}` : `epoch ${epoch + 1}, step ${step}`;
    const [bad] = notFinite(this.model);
    const weights = bad
      ? `; layer "${bad.path}": its ${bad.key.split('/').at(-1)} has become NaN or infinite`
      : '';
    throw new EspalierError(
      'TRAINING_FAILED',
      `the loss is ${loss} in ${where}${weights}: look for NaN in the batch, or lower the learning rate`,
      { parameter: 'loss', expected: 'a finite number', received: String(loss), step, epoch },
    );
  }

  async #during<T>(distillation: Distillation | undefined, train: () => Promise<T>): Promise<T> {
    const distiller = distillation === undefined ? null : new Distiller(this.model, distillation);
    this.#training = true;
    try {
      return await train();
    } finally {
      this.#training = false;
      distiller?.release();
      this.#untrained?.restore();
      this.pruner.show();
      this.pruner.applyMasks();
    }
  }

  /** Ours comes first: who looks at the end of an epoch sees masked weights. */
  #callbacks(args: Pick<ModelFitArgs, 'callbacks' | 'yieldEvery'>): never {
    const tf = tensorflow();
    const { pruner } = this;
    let epoch = 0;
    const ours = {
      onEpochBegin: async (at: number) => void (epoch = at),
      onBatchBegin: async () => this.#beginStep(),
      onBatchEnd: async (_: number, logs?: Logs) => {
        pruner.show();
        this.#requireFiniteLoss(logs?.['loss'], epoch);
      },
      onEpochEnd: async () => {
        pruner.applyMasks();
        requireFinite(this.model, `epoch ${epoch + 1}, step ${pruner.step}`, { step: pruner.step, epoch });
      },
      onTrainEnd: async () => pruner.applyMasks(),
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
    this.#checkFrozen();
    return this.#hooks!.own;
  }

  #requireUnpruned(things: readonly (Layer | LayersModel)[]): void {
    const taken = things.find((thing) => prunedOf(thing) !== null);
    if (!taken) return;
    const [parameter, what] = isModel(taken) ? ['model', 'a model'] : [`layer "${taken.name}"`, 'a layer'];
    const expected = `${what} that is not being pruned already (p.release())`;
    throw invalid('INVALID_ARGUMENT', parameter, expected, taken.name);
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
