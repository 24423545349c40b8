/** What could go wrong with a plan: the traps of its schedule, and those that only the whole run shows. */
import { learningRateAt } from '../train/learning-rate.js';
import { checkSchedule } from '../prune/schedule/timeline.js';
import type { PruningPlan } from './planned.js';

/** @param reason why the target would not be reached, if so */
export function traps(plan: PruningPlan, reason: string | undefined): string[] {
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
  const once = recipe.schedule === 'constant' || recipe.sparsityMByN !== undefined;
  if (!once && updates < 5) {
    warnings.push(
      `masks are made ${updates} times only, every ${frequency} steps: sparsity comes in big jumps`,
    );
  }
  if (recipe.sparsityMByN && recipe.warmUp > 0) {
    warnings.push('m-by-n masks are made in step 1: warm-up epochs train what is pruned already');
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
        `layer ${name} has sparsity ${present.toFixed(4)} already, more than the ${+target.toFixed(4)} it is to get`,
      );
    }
    if (weights * (1 - target) < 1)
      warnings.push(`layer ${name} has ${weights} weights: one is left at sparsity ${+target.toFixed(4)}`);
  }
  return warnings;
}
