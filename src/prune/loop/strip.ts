/** What is handed out, verified itself: its weights are numbers, its zeros those declared, its answers the source's. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError } from '../../errors.js';
import { copyModel } from '../../tensorflow/copy.js';
import { namedVariables } from '../../tensorflow/layer-tree.js';
import type { LayerVariable } from '../../tensorflow/of-the-caller.js';
import { differenceOfAnswers, notFinite } from '../../tensorflow/probe.js';
import { percents } from '../schedule/timeline.js';
import type { Pruner, PrunedWeight } from './pruner.js';
import type { ResolvedOptions } from './options.js';

/** A weight that has more non-zeros than its schedule allows. */
interface Miss {
  layer: string;
  name: string;
  expected: number;
  received: number;
  why: string;
}

/**
 * A copy with weights of its own, compiled as the model is, that answers as the model does. Nothing is handed out that
 * does not: the model itself is as before then.
 * @param where in the message: "strip", "one-shot"
 * @throws EspalierError TRAINING_FAILED for weights that are not finite, INVALID_MODEL for a copy that differs
 */
export function verifiedCopy(model: LayersModel, where: string): LayersModel {
  requireFinite(model, where);
  const copy = copyModel(model);
  const difference = differenceOfAnswers(model, copy);
  if (difference === null || difference === 0) return copy;
  copy.dispose();
  throw new EspalierError(
    'INVALID_MODEL',
    `${where}: a copy of the model answers otherwise than the model, by up to ${difference}: the config of a layer ` +
      'does not tell all that it computes with (getConfig of a layer of your own?). Nothing is handed out; the model ' +
      'and its trained weights are as they were and can be saved',
    { parameter: 'model', expected: 'the same answers', received: difference },
  );
}

/** @throws EspalierError TRAINING_FAILED that names the layers whose weights are NaN or infinite */
export function requireFinite(model: LayersModel, where: string, more: Record<string, unknown> = {}): void {
  const bad = notFinite(model);
  if (bad.length === 0) return;
  const lines = bad.map(({ key, count, size }) => `${key} (${count} of ${size})`);
  throw new EspalierError(
    'TRAINING_FAILED',
    `${where}: weights are NaN or infinite: ${lines.slice(0, 5).join(', ')}${lines.length > 5 ? `, and ${lines.length - 5} more` : ''}. ` +
      'Look for such numbers in the data, or lower the learning rate; nothing is handed out',
    { parameter: bad[0]!.path, expected: 'finite weights', received: lines, ...more },
  );
}

/** Weights that miss the declared sparsity, with the reason; of the model that is handed out. */
function findMisses(pruner: Pruner, handedOut: (weight: PrunedWeight) => LayerVariable): Miss[] {
  const misses: Miss[] = [];
  const { weights, step } = pruner;
  for (const weight of weights) {
    if (pruner.left(weight)) continue;
    const received = sparsityOf(handedOut(weight));
    const why = reason(weight, step, received);
    const expected = declared(weight, step);
    if (why !== null) misses.push({ layer: weight.layer, name: weight.name, expected, received, why });
  }
  return misses;
}

/** The sparsity that should be there once training is over. */
export function declared({ options }: Pick<PrunedWeight, 'options'>, step: number): number {
  const { schedule, sparsityMByN, exact } = options;
  if (sparsityMByN) return sparsityMByN[0] / sparsityMByN[1];
  const last = exact && schedule.endStep !== -1 ? schedule.endStep : schedule.lastUpdateStep;
  return schedule.at(Number.isFinite(last) ? last : Math.max(step, schedule.beginStep)).sparsity;
}

function reason(weight: PrunedWeight, step: number, received: number): string | null {
  const { schedule, sparsityMByN, exact } = weight.options;
  const target = declared(weight, step);
  // The zeros that are there count, wherever they come from; half a weight is rounding.
  if (received >= target - 0.5 / weight.size - 1e-7) return null;
  const last = exact && schedule.endStep !== -1 ? schedule.endStep : schedule.lastUpdateStep;
  if (weight.asked === null) {
    if (weight.mask) return null;
    const over = Number.isFinite(last) && step > last;
    return `its masks have not been made in ${step} steps of training${over ? `, whose schedule ended in step ${last}: it was frozen until then, or trained without pruning` : ''}`;
  }
  if (!sparsityMByN && Number.isFinite(last) && step < last) {
    return `training ended in step ${step}, the schedule ends in step ${last}`;
  }
  if (Math.round(received * weight.size) < weight.size - weight.kept) {
    return 'what is handed out does not have the zeros of its mask';
  }
  if (sparsityMByN || weight.kept <= weight.asked) return null;
  const blocks = weight.options.blockSize.some((extent) => extent !== 1);
  return blocks ? null : 'magnitudes equal to the threshold are kept: exact: true breaks such ties';
}

/** Zeros of a weight as it is now. */
export function sparsityOf(variable: LayerVariable): number {
  const values = variable.read().dataSync();
  let zeros = 0;
  for (const value of values) if (value === 0) zeros++;
  return zeros / values.length;
}

/** Throws SPARSITY_NOT_REACHED by layer, or warns with onUnreachedEnd 'warn'. */
export function verifySparsity(
  pruner: Pruner,
  options: ResolvedOptions,
  model: LayersModel,
  copy: LayersModel,
): void {
  const keys = new Map(namedVariables(model).map(({ key, variable }) => [variable, key]));
  const made = new Map(namedVariables(copy).map(({ key, variable }) => [key, variable]));
  const misses = findMisses(pruner, ({ variable }) => made.get(keys.get(variable) ?? '') ?? variable);
  if (misses.length === 0) return;
  const lines = misses.map(({ layer, name, expected, received, why }) => {
    const [is, wanted] = percents(received, expected);
    return `layer "${layer}" (${name}) is ${is} sparse instead of ${wanted}: ${why}`;
  });
  const message = lines.join('; ');
  if (options.onUnreachedEnd === 'warn') return options.onWarning(message);
  const [first] = misses;
  const { layer, expected, received } = first!;
  throw new EspalierError('SPARSITY_NOT_REACHED', message, { parameter: layer, expected, received, misses });
}
