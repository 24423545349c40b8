/** From a recipe to steps: when the schedule begins and ends, how often masks are made anew, and what could go wrong. */
import { EspalierError, invalid } from '../../errors.js';
import { learningRateAt } from '../../train/learning-rate.js';
import { checkSchedule, planSchedule } from '../plan.js';
import { ConstantSparsity, PolynomialDecay, type PruningSchedule } from '../schedule.js';
import { OneCycleSchedule } from '../schedules.js';
import type { Recipe } from './recipe.js';

export interface PlannedLayer {
  name: string;
  /** Weights that are pruned: the kernel, not the bias. */
  weights: number;
  /** Share of zeros before. */
  present: number;
  /** Share of zeros at the end. */
  target: number;
}

export interface Plan {
  /** The recipe with every default filled in. */
  recipe: Recipe & {
    sparsity: number;
    epochs: number;
    warmUp: number;
    frequency: number;
    learningRate: number;
    decay: 'cosine' | 'exponential' | 'constant';
  };
  stepsPerEpoch: number;
  totalEpochs: number;
  totalSteps: number;
  /** Steps count from 1. */
  beginStep: number;
  endStep: number;
  layers: PlannedLayer[];
  /** A schedule to `target`, with this plan's steps. */
  scheduleTo: (target: number) => PruningSchedule;
  /** Every trap that this plan is near. */
  warnings: string[];
}

const USUAL_FREQUENCY = 100;

function makeSchedule(
  recipe: Recipe,
  target: number,
  initialSparsity: number,
  span: { beginStep: number; endStep: number; frequency: number },
): PruningSchedule {
  switch (recipe.schedule ?? 'polynomial') {
    case 'constant':
      return new ConstantSparsity({ targetSparsity: target, ...span });
    case 'one-cycle':
      return new OneCycleSchedule({ initialSparsity, finalSparsity: target, ...span });
    case 'linear':
      return new PolynomialDecay({ initialSparsity, finalSparsity: target, power: 1, ...span });
    case 'cubic':
      return new PolynomialDecay({ initialSparsity, finalSparsity: target, power: 3, ...span });
    case 'polynomial':
      return new PolynomialDecay({
        initialSparsity,
        finalSparsity: target,
        power: recipe.power ?? 3,
        ...span,
      });
  }
}

function presentSparsity(layers: readonly PlannedLayer[]): number {
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  return weights === 0 ? 0 : layers.reduce((sum, layer) => sum + layer.weights * layer.present, 0) / weights;
}

/** tfmot's masks are last made at the last multiple of the frequency, which may be before the end. */
function spanOf(recipe: Recipe, stepsPerEpoch: number) {
  const { epochs = 20, warmUp = 0 } = recipe;
  const ramp = recipe.ramp ?? Math.max(epochs / 2, 1);
  const begin = recipe.beginStep ?? warmUp * stepsPerEpoch + 1;
  const end = recipe.endStep ?? Math.max(begin + 1, Math.round((warmUp + ramp) * stepsPerEpoch));
  const span = Math.max(1, end - begin);
  const frequency = recipe.frequency ?? Math.max(1, Math.min(USUAL_FREQUENCY, Math.floor(span / 10)));
  // Where the begin is ours to choose, the last update is made to meet the end.
  const beginStep = recipe.beginStep === undefined && span > frequency ? begin + (span % frequency) : begin;
  return { beginStep, endStep: end, frequency };
}

function unreached(plan: Plan, detail: string): EspalierError {
  const { endStep, totalSteps, stepsPerEpoch, totalEpochs } = plan;
  return new EspalierError(
    'UNREACHED_END',
    `the schedule does not reach its end: ${detail} (${totalEpochs} epochs of ${stepsPerEpoch} steps are ${totalSteps} steps, ` +
      `the schedule ends at step ${endStep}). More epochs, a shorter ramp or --on-unreached-end warn would do`,
    { parameter: 'epochs', expected: endStep, received: totalSteps, endStep, totalSteps },
  );
}

/** Why the target would not be reached; undefined if it is. */
function unreachedReason(plan: Plan): string | undefined {
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

/** The traps of the schedule, and those that only the whole run shows. */
function traps(plan: Plan, reason: string | undefined): string[] {
  const { recipe, beginStep, endStep, totalSteps, stepsPerEpoch, totalEpochs, layers } = plan;
  const { patience, learningRate, decay, frequency } = recipe;
  const atEnd = learningRateAt(decay, learningRate, Math.min(endStep, totalSteps), totalSteps);
  const schedule = plan.scheduleTo(recipe.sparsity);
  const found = checkSchedule(schedule, { steps: totalSteps, stepsPerEpoch, learningRate: atEnd });
  const told = ['END_NOT_REACHED', 'LAST_UPDATE_MISSES_END'];
  const warnings = found
    .filter(({ code }) => reason === undefined || !told.includes(code))
    .map(({ message }) => message);
  if (reason !== undefined) warnings.unshift(`the target sparsity is not reached: ${reason}`);
  const updates = Math.floor(Math.max(0, Math.min(endStep, totalSteps) - beginStep) / frequency) + 1;
  if (recipe.schedule !== 'constant' && updates < 5) {
    warnings.push(
      `masks are made ${updates} times only, every ${frequency} steps: sparsity comes in big jumps`,
    );
  }
  if (stepsPerEpoch < 10) {
    warnings.push(
      `an epoch has ${stepsPerEpoch} steps only: a smaller batch gives the schedule more to work with`,
    );
  }
  if (patience !== undefined && endStep <= totalSteps) {
    const reached = Math.ceil(endStep / stepsPerEpoch);
    const after = Math.max(0, totalEpochs - reached);
    warnings.push(
      patience > after
        ? `early stopping cannot fire: ${after} epochs are left after the target is reached, patience is ${patience}`
        : `early stopping counts from epoch ${reached} on, when the target sparsity is reached`,
    );
  }
  for (const { name, weights, present, target } of layers) {
    if (present > target) {
      warnings.push(
        `layer ${name} has sparsity ${present.toFixed(4)} already, more than the ${target} it is to get`,
      );
    }
    if (weights * (1 - target) < 1)
      warnings.push(`layer ${name} has ${weights} weights: one is left at sparsity ${target}`);
  }
  return warnings;
}

/**
 * Throws INVALID_ARGUMENT where steps do not fit together, UNREACHED_END (with the numbers) for a schedule that cannot
 * reach its end within the run, unless `onUnreachedEnd` is 'warn'.
 */
export function planPruning(
  recipe: Recipe,
  stepsPerEpoch: number,
  layers: readonly Omit<PlannedLayer, 'target'>[],
): Plan {
  const { sparsity, epochs = 20, warmUp = 0, perLayer = {} } = recipe;
  if (sparsity === undefined || !(sparsity >= 0 && sparsity < 1)) {
    throw invalid('INVALID_ARGUMENT', 'sparsity', 'a number in [0, 1)', sparsity);
  }
  const unknown = Object.keys(perLayer).find((name) => !layers.some((layer) => layer.name === name));
  if (unknown !== undefined) {
    throw invalid(
      'INVALID_ARGUMENT',
      'perLayer',
      `layers among ${layers.map(({ name }) => name).join(', ')}`,
      unknown,
    );
  }
  const span = spanOf(recipe, stepsPerEpoch);
  if (span.endStep <= span.beginStep) {
    throw invalid('INVALID_ARGUMENT', 'endStep', `a step after beginStep ${span.beginStep}`, span.endStep);
  }
  const totalEpochs = warmUp + epochs;
  const planned = layers
    .filter(({ name }) => perLayer[name] !== false)
    .map((layer) => ({ ...layer, target: (perLayer[layer.name] as number | undefined) ?? sparsity }));
  if (planned.length === 0) throw invalid('INVALID_ARGUMENT', 'perLayer', 'a layer to prune', 'none');
  const { learningRate = 1e-3, decay = 'cosine' } = recipe;
  const initial = (target: number) => Math.min(recipe.initialSparsity ?? presentSparsity(planned), target);
  const plan: Plan = {
    recipe: { ...recipe, sparsity, epochs, warmUp, frequency: span.frequency, learningRate, decay },
    stepsPerEpoch,
    totalEpochs,
    totalSteps: totalEpochs * stepsPerEpoch,
    beginStep: span.beginStep,
    endStep: span.endStep,
    layers: planned,
    scheduleTo: (target) => makeSchedule(recipe, target, initial(target), span),
    warnings: [],
  };
  const reason = unreachedReason(plan);
  if (reason !== undefined && (recipe.onUnreachedEnd ?? 'error') === 'error') throw unreached(plan, reason);
  plan.warnings = traps(plan, reason);
  return plan;
}
