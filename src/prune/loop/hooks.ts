/** A model's own methods while it is pruned: those that train prune, those that look see masked weights. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import type { Pruned } from './pruned.js';
import type { Pruner } from './pruner.js';

const TRAINING = ['fit', 'fitDataset', 'trainOnBatch'] as const;
const LOOKING = ['save', 'evaluate', 'evaluateDataset', 'predict'] as const;
type Training = Pick<LayersModel, (typeof TRAINING)[number]>;
type Looking = (typeof LOOKING)[number];
type Method = (...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

/** Models and layers that are being pruned, and by what. */
const PRUNED = new WeakMap<object, Pruned>();

/** What prunes this model or layer, or null. */
export function prunedOf(modelOrLayer: object): Pruned | null {
  return PRUNED.get(modelOrLayer) ?? null;
}

export function markPruned(things: readonly object[], p: Pruned): void {
  for (const thing of things) PRUNED.set(thing, p);
}

export function unmarkPruned(things: readonly object[]): void {
  for (const thing of things) PRUNED.delete(thing);
}

export class ModelHooks {
  /** The training methods as tfjs has them. */
  readonly own: Training;
  readonly #model: LayersModel;
  readonly #p: Pruned;
  readonly #pruner: Pruner;
  #inner: { testLoop?: Method } | null = null;

  constructor(model: LayersModel, p: Pruned, pruner: Pruner) {
    this.#model = model;
    this.#p = p;
    this.#pruner = pruner;
    this.own = Object.fromEntries(
      TRAINING.map((name) => [name, (model[name] as Method).bind(model)]),
    ) as unknown as Training;
    for (const name of TRAINING) this.#replace(name, (p[name] as Method).bind(p));
    for (const name of LOOKING) this.#replace(name, this.#masked(name));
    markPruned([model], p);
  }

  /**
   * Before training: tfjs validates in `fit` between a batch and its end, by a method of the functional model; a
   * Sequential makes that model anew whenever it is compiled.
   */
  refresh(): void {
    const inner = innerModel(this.#model);
    if (inner === this.#inner) return;
    this.#inner = inner;
    markPruned([inner], this.#p);
    const testLoop = inner.testLoop?.bind(inner);
    if (testLoop) inner.testLoop = (...args) => this.#pruner.whileMasked(() => testLoop(...args));
  }

  /** The model's methods are its own again. */
  release(): void {
    const methods = this.#model as unknown as Methods;
    for (const name of [...TRAINING, ...LOOKING, 'testLoop']) delete methods[name];
    if (this.#inner) {
      delete this.#inner.testLoop;
      unmarkPruned([this.#inner]);
    }
    unmarkPruned([this.#model]);
  }

  #masked(name: Looking): Method {
    const method = (this.#model[name] as Method).bind(this.#model);
    return (...args) => this.#pruner.whileMasked(() => method(...args));
  }

  #replace(name: string, method: Method): void {
    (this.#model as unknown as Methods)[name] = method;
  }
}

/** The functional model in which a Sequential trains; tfjs gives that one to callbacks. */
function innerModel(model: LayersModel): { testLoop?: Method } {
  return (model as unknown as { model?: object }).model ?? (model as object);
}
