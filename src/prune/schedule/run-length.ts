/** Whether a run is long enough for the schedules of the layers it prunes. */
import type { ModelFitArgs } from '@tensorflow/tfjs-node';
import { EspalierError } from '../../errors.js';
import type { ResolvedOptions } from '../loop/options.js';
import { checkSchedule } from './timeline.js';
import type { Target } from '../which/targets.js';

/** Throws UNREACHED_END with the layers and numbers, or warns with onUnreachedEnd 'warn'. */
export function requireEnd(targets: readonly Target[], steps: number, options: ResolvedOptions): void {
  const problems = unreached(targets, steps);
  if (problems.length === 0) return;
  const message = problems.join('; ');
  if (options.onUnreachedEnd === 'warn') return options.onWarning(message);
  throw new EspalierError('UNREACHED_END', message, {
    parameter: 'schedule',
    expected: `an end within ${steps} steps; totalSteps tells the steps of all planned fits`,
    received: problems,
  });
}

/** Layers by schedule that a run of so many steps cannot bring to its end. */
function unreached(targets: readonly Target[], steps: number): string[] {
  const messages = new Map<string, string[]>();
  for (const { path, options } of targets) {
    if (options.sparsityMByN) continue;
    const { beginStep, endStep } = options.schedule;
    const end = endStep === -1 ? beginStep : endStep;
    if (end <= steps) continue;
    const trap = checkSchedule(options.schedule, steps).find(({ code }) => code === 'END_NOT_REACHED')!;
    messages.set(trap.message, [...(messages.get(trap.message) ?? []), path]);
  }
  return [...messages].map(([message, layers]) => `${layers.join(', ')}: ${message}`);
}

/** Batches of an epoch of `fit`, as tfjs cuts them; null where x does not tell. */
export function stepsOfFit(x: unknown, args: ModelFitArgs): number | null {
  const samples = firstTensor(x)?.shape?.[0];
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
