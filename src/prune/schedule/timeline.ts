/** What a schedule does over a run of so many steps, and every trap it could fall into: pure, before anything trains. */
import { invalid, requireKeys } from '../../errors.js';
import { PruningSchedule } from './schedule.js';

export interface PlannedUpdate {
  step: number;
  sparsity: number;
}

export interface SchedulePlan {
  /** Training steps of the whole run. */
  steps: number;
  /** The steps in which masks are made anew, and how sparse. */
  updates: PlannedUpdate[];
  /** The sparsity after the last update; 0 without one. */
  finalSparsity: number;
  /** The sparsity that the schedule declares. */
  target: number;
  /** Whether the run is long enough for the schedule's end. */
  reachesEnd: boolean;
}

export type TrapCode =
  | 'END_NOT_REACHED'
  | 'FREQUENCY_EXCEEDS_RUN'
  | 'NOTHING_PRUNED'
  | 'LAST_UPDATE_MISSES_END'
  | 'SPARSITY_OUT_OF_RANGE'
  | 'SPARSITY_DECREASES'
  | 'EARLY_STOPPING_FIRST'
  | 'NO_RECOVERY'
  | 'LEARNING_RATE_SMALL';

export interface Trap {
  code: TrapCode;
  /** Whether the run cannot give what was asked ('error') or may disappoint ('warning'). */
  severity: 'error' | 'warning';
  /** One sentence with the numbers and the remedy. */
  message: string;
}

export interface RunFacts {
  /** Training steps of the whole run: of all planned fits. */
  steps: number;
  stepsPerEpoch?: number;
  /** Early stopping that does not know the schedule: epochs without improvement before it stops. */
  earlyStoppingPatience?: number;
  learningRate?: number;
  /** The rate the dense network was trained with. */
  denseLearningRate?: number;
}

const RUN_FACTS = {
  steps: true,
  stepsPerEpoch: true,
  earlyStoppingPatience: true,
  learningRate: true,
  denseLearningRate: true,
} satisfies Record<keyof RunFacts, true>;

/** @throws EspalierError INVALID_ARGUMENT unless steps is an integer >= 0 */
export function planSchedule(schedule: PruningSchedule, steps: number): SchedulePlan {
  if (!isSchedule(schedule)) throw invalid('INVALID_ARGUMENT', 'schedule', 'a PruningSchedule', schedule);
  if (!Number.isSafeInteger(steps) || steps < 0)
    throw invalid('INVALID_ARGUMENT', 'steps', 'an integer >= 0', steps);
  const updates: PlannedUpdate[] = [];
  for (let step = 1; step <= steps; step++) {
    const { shouldPrune, sparsity } = schedule.at(step);
    if (shouldPrune) updates.push({ step, sparsity });
  }
  const end = schedule.endStep === -1 ? schedule.beginStep : schedule.endStep;
  return {
    steps,
    updates,
    finalSparsity: updates.at(-1)?.sparsity ?? 0,
    target: schedule.target,
    reachesEnd: end <= steps,
  };
}

/** Duck-typed: a subclass made with another copy of this package is a schedule too. */
export function isSchedule(value: unknown): value is PruningSchedule {
  return (
    value instanceof PruningSchedule ||
    (typeof value === 'object' && value !== null && typeof (value as PruningSchedule).at === 'function')
  );
}

/** What a trap is told from. */
interface Course {
  plan: SchedulePlan;
  schedule: PruningSchedule;
  facts: RunFacts;
  /** The last step in which masks are made; undefined where none is. */
  last: PlannedUpdate | undefined;
}

/** Each trap with its rule: the message where the run is near it, undefined where it is not. Errors come first. */
const TRAPS: readonly [Trap['severity'], TrapCode, (course: Course) => string | undefined][] = [
  [
    'error',
    'SPARSITY_OUT_OF_RANGE',
    ({ plan }) => {
      const outside = plan.updates.find(({ sparsity }) => !(sparsity >= 0 && sparsity < 1));
      return (
        outside &&
        `the schedule asks for a sparsity of ${outside.sparsity} in step ${outside.step}; it must be in [0, 1)`
      );
    },
  ],
  [
    'error',
    'END_NOT_REACHED',
    ({ plan: { reachesEnd, steps, finalSparsity, target }, schedule: { beginStep, endStep } }) => {
      if (reachesEnd) return undefined;
      const name = endStep === -1 ? `beginStep ${beginStep}` : `endStep ${endStep}`;
      return `${name} is not reached in ${steps} steps: sparsity ends at ${insteadOf(finalSparsity, target)}; train longer or set endStep to at most ${steps}`;
    },
  ],
  [
    'error',
    'NOTHING_PRUNED',
    ({ plan: { target, updates, steps }, schedule }) =>
      target > 0 && !updates.some(({ sparsity }) => sparsity > 0)
        ? `nothing is pruned in ${steps} steps: steps count from 1, and the first update is in step ${firstUpdate(schedule)}; set frequency to at most ${Math.max(1, Math.floor(steps / 10))}`
        : undefined,
  ],
  [
    'warning',
    'FREQUENCY_EXCEEDS_RUN',
    ({ plan: { target, steps }, schedule: { frequency } }) =>
      frequency > steps && target > 0
        ? `frequency ${frequency} is larger than the run of ${steps} steps`
        : undefined,
  ],
  [
    'warning',
    'LAST_UPDATE_MISSES_END',
    ({ plan: { reachesEnd, target }, schedule: { frequency }, last }) =>
      reachesEnd && last && last.sparsity < target - 1e-6
        ? `the last update, in step ${last.step}, leaves ${insteadOf(last.sparsity, target)}, as frequency ${frequency} does not divide endStep - beginStep; choose one that does, or exact: true, which always updates at the end`
        : undefined,
  ],
  [
    'warning',
    'SPARSITY_DECREASES',
    ({ plan: { updates } }) => {
      const drop = updates.find(({ sparsity }, i) => i > 0 && sparsity < updates[i - 1]!.sparsity - 1e-6);
      return (
        drop &&
        `sparsity falls in step ${drop.step}: weights come back from what the optimizer made of them while pruned`
      );
    },
  ],
  [
    'warning',
    'EARLY_STOPPING_FIRST',
    ({ facts: { stepsPerEpoch, earlyStoppingPatience: patience }, schedule, last }) => {
      if (stepsPerEpoch === undefined || patience === undefined) return undefined;
      const end = last?.step ?? schedule.endStep;
      const stop = (patience + 1) * stepsPerEpoch;
      return stop < end
        ? `early stopping with a patience of ${patience} epochs could fire in step ${stop}, before the last update in step ${end}; use p.earlyStopping(), which waits for the target`
        : undefined;
    },
  ],
  [
    'warning',
    'NO_RECOVERY',
    ({ plan: { target, steps }, facts: { stepsPerEpoch = 1 }, last }) =>
      last && target > 0 && last.step > steps - stepsPerEpoch
        ? `masks change until step ${last.step} of ${steps}: leave at least one epoch of training after the end`
        : undefined,
  ],
  [
    'warning',
    'LEARNING_RATE_SMALL',
    ({ facts: { learningRate: rate, denseLearningRate: dense } }) => {
      if (rate === undefined || !(rate < (dense === undefined ? 1e-5 : dense / 10))) return undefined;
      const than = dense === undefined ? 'below 1e-5' : `less than a tenth of the dense network's ${dense}`;
      return `a learning rate of ${rate} is ${than}: too small to recover from pruning`;
    },
  ],
];

/**
 * Every trap of this schedule in this run; an empty array where there is none. Errors come first.
 * @param run the steps of all planned fits, or more facts, which more traps can be told from
 */
export function checkSchedule(schedule: PruningSchedule, run: number | RunFacts): Trap[] {
  const facts: RunFacts = typeof run === 'number' ? { steps: run } : run;
  requireKeys('run', facts, RUN_FACTS);
  const plan = planSchedule(schedule, facts.steps);
  const course: Course = { plan, schedule, facts, last: plan.updates.at(-1) };
  return TRAPS.flatMap(([severity, code, near]) => {
    const message = near(course);
    return message === undefined ? [] : [{ code, severity, message }];
  });
}

/** Two shares in percent, with as many digits as tell them apart. */
export function percents(a: number, b: number): [string, string] {
  for (let digits = 2; ; digits++) {
    const [x, y] = [a, b].map((share) => `${+(100 * share).toFixed(digits)} %`) as [string, string];
    if (x !== y || digits > 10) return [x, y];
  }
}

/** "49.998 % instead of 50 %"; where both are the same, that the target is there before the end. */
function insteadOf(is: number, wanted: number): string {
  const [a, b] = percents(is, wanted);
  return a === b ? `${a}, which is the target already` : `${a} instead of ${b}`;
}

function firstUpdate({ beginStep, frequency }: PruningSchedule): number {
  return beginStep >= 1 ? beginStep : frequency;
}

/** Sparsity over the steps as a chart of text lines, at most `width` columns wide; for `--dry-run`. */
export function drawSchedule(plan: SchedulePlan, options: { width?: number; height?: number } = {}): string {
  requireKeys('options', options, ['width', 'height']);
  const { width = 60, height = 8 } = options;
  const { steps, updates } = plan;
  const columns = Math.max(1, Math.min(width, steps));
  const levels: number[] = [];
  let next = 0;
  let sparsity = 0;
  for (let column = 1; column <= columns; column++) {
    const until = Math.round((column * steps) / columns);
    while (next < updates.length && updates[next]!.step <= until) sparsity = updates[next++]!.sparsity;
    levels.push(sparsity);
  }
  const top = Math.max(plan.target, ...levels, 1e-9);
  const lines: string[] = [];
  for (let row = height; row >= 1; row--) {
    const label = row === height ? top.toFixed(2) : '';
    const bar = levels
      .map((level) => (level >= ((row - 0.5) / height) * top && level > 0 ? '█' : ' '))
      .join('');
    lines.push(`${label.padStart(5)} │${bar}`.trimEnd());
  }
  lines.push(`   0 └${'─'.repeat(columns)}`, `      1${`step ${steps}`.padStart(Math.max(columns - 1, 0))}`);
  return lines.join('\n');
}
