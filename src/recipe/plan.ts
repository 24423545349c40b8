/** From a recipe to steps: when the schedule begins and ends, how often masks are made anew, and what each layer gets. */
import { EspalierError, invalid } from '../errors.js';
import { requireMByN } from '../prune/mask/mask.js';
import { requireFrozenSaid, type FrozenMiss } from '../prune/loop/frozen.js';
import { resolveOptions, type LayerOptions } from '../prune/loop/options.js';
import { planSchedule } from '../prune/schedule/timeline.js';
import {
  ConstantSparsity,
  PolynomialDecay,
  requireSparsity,
  type PruningSchedule,
} from '../prune/schedule/schedule.js';
import { OneCycleSchedule } from '../prune/schedule/schedules.js';
import { RECIPE_DEFAULTS, sparsityMissing, type LayerRecipe, type Recipe } from './recipe.js';
import type { PruningPlan, PlannedLayer, PresentLayer } from './planned.js';
import { traps } from './traps.js';

interface Span {
  beginStep: number;
  endStep: number;
  frequency: number;
}

function makeSchedule(
  { schedule = RECIPE_DEFAULTS.schedule, power = RECIPE_DEFAULTS.power }: Pick<Recipe, 'schedule' | 'power'>,
  target: number,
  initialSparsity: number,
  span: Span,
): PruningSchedule {
  switch (schedule) {
    case 'constant':
      return new ConstantSparsity({ targetSparsity: target, ...span });
    case 'one-cycle':
      return new OneCycleSchedule({ initialSparsity, finalSparsity: target, ...span });
    case 'linear':
      return new PolynomialDecay({ initialSparsity, finalSparsity: target, power: 1, ...span });
    case 'cubic':
      return new PolynomialDecay({ initialSparsity, finalSparsity: target, power: 3, ...span });
    case 'polynomial':
      return new PolynomialDecay({ initialSparsity, finalSparsity: target, power, ...span });
  }
}

/** How long a run is and how it learns. A recipe made in code may hold `undefined`, so each is asked for by itself. */
function withDefaults(recipe: Recipe) {
  return {
    epochs: recipe.epochs ?? RECIPE_DEFAULTS.epochs,
    warmUp: recipe.warmUp ?? RECIPE_DEFAULTS.warmUp,
    learningRate: recipe.learningRate ?? RECIPE_DEFAULTS.learningRate,
    decay: recipe.decay ?? RECIPE_DEFAULTS.decay,
  };
}

/** The mean of a layer's number over all weights. */
function weighted(layers: readonly PresentLayer[], of: (layer: PresentLayer) => number): number {
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  return weights === 0 ? 0 : layers.reduce((sum, layer) => sum + layer.weights * of(layer), 0) / weights;
}

/** tfmot's masks are last made at the last multiple of the frequency, which may be before the end. */
function spanOf(recipe: Recipe, stepsPerEpoch: number): Span {
  // m-by-n masks are made once, in the first step.
  if (recipe.sparsityMByN) return { beginStep: 1, endStep: 1, frequency: 1 };
  const { epochs, warmUp } = withDefaults(recipe);
  const ramp = recipe.ramp ?? Math.max(epochs / 2, 1);
  const begin = recipe.beginStep ?? warmUp * stepsPerEpoch + 1;
  const end = recipe.endStep ?? Math.max(begin + 1, Math.round((warmUp + ramp) * stepsPerEpoch));
  const span = Math.max(1, end - begin);
  const frequency =
    recipe.frequency ?? Math.max(1, Math.min(RECIPE_DEFAULTS.frequency, Math.floor(span / 10)));
  // Where the begin is ours to choose, the last update is made to meet the end.
  const beginStep = recipe.beginStep === undefined && span > frequency ? begin + (span % frequency) : begin;
  if (end <= beginStep) {
    throw invalid('INVALID_ARGUMENT', 'endStep', `a step after beginStep ${beginStep}`, end);
  }
  return { beginStep, endStep: end, frequency };
}

function unreached(plan: PruningPlan, detail: string): EspalierError {
  const { endStep, totalSteps, stepsPerEpoch, totalEpochs } = plan;
  return new EspalierError(
    'UNREACHED_END',
    `the schedule does not reach its end: ${detail} (${totalEpochs} epochs of ${stepsPerEpoch} steps are ${totalSteps} steps, ` +
      `the schedule ends at step ${endStep}). More epochs, a shorter ramp or --on-unreached-end warn would do`,
    { parameter: 'epochs', expected: endStep, received: totalSteps, endStep, totalSteps },
  );
}

/** Why the target would not be reached; undefined if it is. */
function unreachedReason(plan: PruningPlan): string | undefined {
  const { recipe, totalSteps } = plan;
  const schedule = plan.scheduleTo(recipe.sparsity);
  const { reachesEnd, finalSparsity, updates } = planSchedule(schedule, totalSteps);
  if (!reachesEnd) return `step ${plan.endStep} is never run`;
  // exact pruning makes masks at the end step too.
  if (recipe.exact === true || finalSparsity >= Math.fround(recipe.sparsity)) return undefined;
  const last = updates.at(-1);
  return last === undefined
    ? 'no step makes masks'
    : `masks are made every ${recipe.frequency} steps from step ${plan.beginStep}, last at step ${last.step} with sparsity ` +
        `${finalSparsity.toFixed(4)} instead of ${recipe.sparsity}`;
}

/** What the recipe says of one layer; null: it stays dense. */
export function layerRecipeOf(recipe: Recipe, name: string): LayerRecipe | null {
  const own = Object.hasOwn(recipe.perLayer ?? {}, name) ? recipe.perLayer![name]! : {};
  if (own === false) return null;
  return typeof own === 'number' ? { sparsity: own } : own;
}

/** The sparsity of a layer: its own, or the recipe's; undefined if neither tells. */
function targetOf(recipe: Recipe, own: LayerRecipe): number | undefined {
  const pair = own.sparsityMByN ?? (own.sparsity === undefined ? recipe.sparsityMByN : undefined);
  if (pair) requireMByN(pair);
  return pair ? pair[0] / pair[1] : (own.sparsity ?? recipe.sparsity);
}

/** Throws INVALID_ARGUMENT for a layer that is not there. */
export function requireKnown(recipe: Recipe, known: readonly string[]): void {
  const named = [...Object.keys(recipe.perLayer ?? {}), ...(recipe.scan?.layers ?? [])];
  const unknown = named.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid('INVALID_ARGUMENT', 'perLayer', `layers among ${known.join(', ')}`, unknown);
}

/** The layers that are pruned, each with its target. Throws INVALID_ARGUMENT. */
export function planLayers(recipe: Recipe, layers: readonly PresentLayer[]): PlannedLayer[] {
  const misses: FrozenMiss[] = [];
  const planned = layers.flatMap((layer) => {
    const own = layerRecipeOf(recipe, layer.name);
    if (own === null) return [];
    // A frozen layer stays as it is, unless the recipe says that it is pruned all the same.
    if (layer.frozen && recipe.frozen === 'keep') return [{ ...layer, target: layer.present }];
    const target = targetOf(recipe, own);
    if (layer.frozen && recipe.frozen === undefined && target !== undefined) {
      if (layer.present < target - 0.5 / layer.weights) {
        misses.push({ layer: layer.name, present: layer.present, asked: target });
      }
      return [{ ...layer, target: layer.present }];
    }
    if (target === undefined) throw sparsityMissing(layer.name);
    requireSparsity('sparsity', target);
    return [{ ...layer, target }];
  });
  requireFrozenSaid(misses);
  if (planned.length === 0) throw invalid('INVALID_ARGUMENT', 'perLayer', 'a layer to prune', 'none');
  return planned;
}

/**
 * Throws INVALID_ARGUMENT where steps do not fit together, UNREACHED_END (with the numbers) for a schedule that cannot
 * reach its end within the run, unless `onUnreachedEnd` is 'warn'.
 *
 * @param layers that may be pruned: those a policy chose
 * @param known every layer's name; default those of `layers`
 */
export function planPruning(
  recipe: Recipe,
  stepsPerEpoch: number,
  layers: readonly PresentLayer[],
  known: readonly string[] = layers.map(({ name }) => name),
): PruningPlan {
  const { epochs, warmUp, learningRate, decay } = withDefaults(recipe);
  requireKnown(recipe, known);
  const planned = planLayers(recipe, layers);
  const targets = new Map(planned.map(({ name, target }) => [name, target]));
  const span = spanOf(recipe, stepsPerEpoch);
  const totalEpochs = warmUp + epochs;
  const present = weighted(planned, (layer) => layer.present);
  const kind = recipe.schedule ?? (recipe.sparsityMByN ? 'constant' : RECIPE_DEFAULTS.schedule);
  const scheduleTo = (target: number, own: LayerRecipe = {}) => {
    const initial = own.initialSparsity ?? recipe.initialSparsity ?? present;
    const settings = { schedule: own.schedule ?? kind, power: own.power ?? recipe.power };
    return makeSchedule(settings, target, Math.min(initial, target), span);
  };
  const sparsity = targetOf(recipe, {}) ?? weighted(planned, ({ name }) => targets.get(name)!);
  const { scope, exact, blockSize, blockPooling, sparsityMByN, kerasEpsilon, onUnreachedEnd } = recipe;
  const { frozen } = recipe;
  const perLayer = Object.fromEntries(
    known
      .filter((name) => !targets.has(name) || Object.hasOwn(recipe.perLayer ?? {}, name))
      .map((name): [string, LayerOptions | false] => {
        const own = targets.has(name) ? layerRecipeOf(recipe, name) : null;
        if (own === null) return [name, false];
        const { exact, blockSize, blockPooling, sparsityMByN } = own;
        const masks = defined({ exact, blockSize, blockPooling, sparsityMByN });
        return [name, { ...masks, schedule: scheduleTo(targets.get(name)!, own) }];
      }),
  );
  const plan: PruningPlan = {
    recipe: { ...recipe, sparsity, epochs, warmUp, frequency: span.frequency, learningRate, decay },
    stepsPerEpoch,
    totalEpochs,
    totalSteps: totalEpochs * stepsPerEpoch,
    beginStep: span.beginStep,
    endStep: span.endStep,
    layers: planned,
    options: {
      ...defined({
        scope,
        exact,
        blockSize,
        blockPooling,
        sparsityMByN,
        kerasEpsilon,
        onUnreachedEnd,
        frozen,
      }),
      schedule: scheduleTo(sparsity),
      perLayer,
    },
    scheduleTo,
    notes: [],
    warnings: [],
  };
  resolveOptions(plan.options);
  const reason = unreachedReason(plan);
  if (reason !== undefined && (onUnreachedEnd ?? RECIPE_DEFAULTS.onUnreachedEnd) === 'error')
    throw unreached(plan, reason);
  plan.warnings = traps(plan, reason);
  return plan;
}

function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
