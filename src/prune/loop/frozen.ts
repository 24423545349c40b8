/** Frozen layers, told and asked about before anything trains. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError } from '../../errors.js';
import {
  isFrozen,
  isFrozenVariable,
  isModel,
  layerTree,
  namedVariables,
  traineeOf,
  type NamedVariable,
} from '../../tensorflow/layer-tree.js';
import type { LayerVariable } from '../../tensorflow/of-the-caller.js';
import type { ResolvedOptions } from './options.js';
import type { Pruner } from './pruner.js';
import { declared, sparsityOf } from './strip.js';
import { percents } from '../schedule/timeline.js';

const WHICH =
  "Say which is meant: frozen: 'prune' prunes them all the same, as tfmot does; frozen: 'keep' leaves them as they are " +
  '(--frozen prune or --frozen keep on the command line)';

/** A frozen layer that misses the sparsity it was to get. */
export interface FrozenMiss {
  layer: string;
  present: number;
  asked: number;
}

/** @throws EspalierError INVALID_ARGUMENT that names the layers and what can be said */
export function requireFrozenSaid(misses: readonly FrozenMiss[]): void {
  if (misses.length === 0) return;
  const layers = new Map(misses.map((miss) => [miss.layer, miss]));
  const lines = [...layers.values()].map(({ layer, present, asked }) => {
    const [is, wanted] = percents(present, asked);
    return `${layer} (${is} of ${wanted})`;
  });
  throw new EspalierError(
    'INVALID_ARGUMENT',
    `frozen: the sparsity that is asked for cannot be reached, as these layers are frozen and keep their weights: ` +
      `${lines.join(', ')}. ${WHICH}`,
    { parameter: 'frozen', expected: "'prune' or 'keep'", received: 'nothing', layers: [...layers.keys()] },
  );
}

/** Frozen layers that keep the run from its sparsity, where nobody said what is to be done with them. */
export function frozenMisses(pruner: Pruner, { frozen }: Pick<ResolvedOptions, 'frozen'>): FrozenMiss[] {
  if (frozen !== null) return [];
  return pruner.weights.flatMap((weight) => {
    if (!weight.frozen()) return [];
    const asked = declared(weight, pruner.step);
    const present = sparsityOf(weight.variable);
    return present < asked - 0.5 / weight.size - 1e-7 ? [{ layer: weight.layer, present, asked }] : [];
  });
}

/** One line that lists what stays frozen; null where nothing does. */
export function describeFrozen(
  model: LayersModel,
  pruner: Pruner,
  { frozen }: Pick<ResolvedOptions, 'frozen'>,
): string | null {
  const targets = new Set(pruner.weights.filter((weight) => weight.frozen()).map(({ layer }) => layer));
  const others = layerTree(model).flatMap((entry) => {
    const { layer, ways } = entry;
    const path = ways[0]!.path;
    const within = [...targets].some((target) => path === target || path.startsWith(`${target}/`));
    if (isModel(layer) || within || layer.weights.length === 0 || !isFrozen(entry)) return [];
    return [layer.getClassName() === 'BatchNormalization' ? `${path} (with its stored statistics)` : path];
  });
  if (targets.size + others.length === 0) return null;
  const what =
    frozen === 'prune'
      ? 'frozen layers are pruned all the same, and not trained'
      : 'frozen layers keep their weights and are not pruned';
  return `${what}: ${[...targets, ...others].join(', ')}`;
}

/** What tfjs trains in, with the weights that it was compiled to train. */
interface Trainee {
  collectedTrainableWeights?: LayerVariable[];
}

/** What is frozen in Keras's sense does not learn, however tfjs was told so. */
export class FrozenUntrained {
  readonly #model: LayersModel;
  readonly #variables: NamedVariable[];
  /** What the model was compiled to train, while it trains less. */
  #compiled: { trainee: Trainee; all: LayerVariable[] } | null = null;

  constructor(model: LayersModel) {
    this.#model = model;
    this.#variables = namedVariables(model);
  }

  /** Before a step. */
  leave(): void {
    this.restore();
    const trainee = traineeOf(this.#model) as Trainee;
    const all = trainee.collectedTrainableWeights;
    if (!all) return;
    const frozen = new Set(this.#variables.filter(isFrozenVariable).map(({ variable }) => variable));
    const some = all.filter((variable) => !frozen.has(variable));
    // Where nothing is left to train, tfjs says so in its own words.
    if (some.length === all.length || some.length === 0) return;
    this.#compiled = { trainee, all };
    trainee.collectedTrainableWeights = some;
  }

  restore(): void {
    if (this.#compiled) this.#compiled.trainee.collectedTrainableWeights = this.#compiled.all;
    this.#compiled = null;
  }
}
