/** A model's own methods and layers while it is pruned: those that train prune, those that look see masked weights. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { traineeOf, type Layer } from '../../tensorflow/layer-tree.js';
import { markPruned, prunedOf, unmarkPruned } from './taken.js';

const TRAINING = ['fit', 'fitDataset', 'trainOnBatch'] as const;
/** What reads weights without running a layer, which tells by itself. */
const READING = ['save', 'getWeights'] as const;
export type Training = Pick<LayersModel, (typeof TRAINING)[number]>;
type Method = (...args: never[]) => unknown;
type Methods = Record<string, Method>;
type Call = (inputs: Tensor | Tensor[], kwargs: { training?: boolean } | undefined) => Tensor | Tensor[];

export interface LayerWatcher {
  /** A pruned layer computes, in training or not. */
  onCall(training: boolean): void;
  /** Somebody reads weights. */
  onRead(): void;
}

/** What the hooks tell of. */
export interface Watcher extends Training {
  /** Somebody reads weights. */
  onRead(): void;
  /** What prunes, which the model is marked with. */
  by: object;
}

/** Methods that were put in place of others, which come back. */
class Replaced {
  readonly #undo: (() => void)[] = [];

  put(object: object, name: string, make: (own: Method) => Method): void {
    const methods = object as Methods;
    const before = Object.hasOwn(object, name) ? methods[name] : undefined;
    methods[name] = make(methods[name]!.bind(object));
    this.#undo.push(() => {
      if (before) methods[name] = before;
      else delete methods[name];
    });
  }

  restore(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}

/** Layers that are pruned: whatever model they compute in, p hears of it. */
export class LayerHooks {
  readonly #replaced = new Replaced();

  constructor(layers: readonly Layer[], watcher: LayerWatcher) {
    for (const layer of layers) {
      this.#replaced.put(layer, 'call', (own) => {
        const call = own as unknown as Call;
        const heard: Call = (inputs, kwargs) => {
          watcher.onCall(kwargs?.training === true);
          return call(inputs, kwargs);
        };
        return heard;
      });
      this.#replaced.put(layer, 'getWeights', (own) => (...args) => {
        watcher.onRead();
        return own(...args);
      });
    }
  }

  release(): void {
    this.#replaced.restore();
  }
}

export class ModelHooks {
  /** The training methods as tfjs has them. */
  readonly own: Training;
  readonly #model: LayersModel;
  readonly #by: object;
  readonly #replaced = new Replaced();
  #trainee: object | null = null;

  constructor(model: LayersModel, watcher: Watcher) {
    this.#model = model;
    this.#by = watcher.by;
    this.own = Object.fromEntries(
      TRAINING.map((name) => [name, (model[name] as Method).bind(model)]),
    ) as unknown as Training;
    for (const name of TRAINING) {
      this.#replaced.put(model, name, () => watcher[name]);
    }
    for (const name of READING) {
      this.#replaced.put(model, name, (own) => (...args) => {
        watcher.onRead();
        return own(...args);
      });
    }
    markPruned([model], watcher.by);
  }

  /** Before training: a Sequential makes the model that it trains in anew whenever it is compiled. */
  refresh(): void {
    const trainee = traineeOf(this.#model);
    if (trainee === this.#trainee) return;
    this.#trainee = trainee;
    markPruned([trainee], this.#by);
  }

  /** The model's methods are its own again. */
  release(): void {
    this.#replaced.restore();
    unmarkPruned([
      this.#model,
      ...(this.#trainee && prunedOf(this.#trainee) === this.#by ? [this.#trainee] : []),
    ]);
  }
}
