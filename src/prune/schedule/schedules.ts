/** Schedules past tfmot: linear, cubic, one-cycle, warm-up, held masks; and making a schedule from its config. */
import { invalid } from '../../errors.js';
import {
  ConstantSparsity,
  PolynomialDecay,
  PruningSchedule,
  requireOptions,
  requireProperEnd,
  requireSparsity,
  requireStep,
  type PolynomialDecayOptions,
  type ScheduleConfig,
  type ScheduleSpan,
  type ScheduleStep,
} from './schedule.js';

const RAMP = ['initialSparsity', 'finalSparsity', 'endStep'];

export type RampOptions = Omit<PolynomialDecayOptions, 'power'>;

/** `PolynomialDecay` of power 1: the same number of weights goes in each update. */
export class LinearSchedule extends PolynomialDecay {
  constructor(options: RampOptions) {
    requireOptions(new.target === LinearSchedule, options, RAMP, []);
    super({ ...options, power: 1 });
  }
}

/** `PolynomialDecay` of power 3, the "cubic" or "AGP" schedule of Zhu and Gupta 2017. */
export class CubicSchedule extends PolynomialDecay {
  constructor(options: RampOptions) {
    requireOptions(new.target === CubicSchedule, options, RAMP, []);
    super({ ...options, power: 3 });
  }
}

export interface OneCycleOptions extends ScheduleSpan {
  /** In [0, 1); 0 by default. */
  initialSparsity?: number;
  /** In [0, 1). */
  finalSparsity: number;
  /** Greater than beginStep. */
  endStep: number;
  /** Steepness; 14 by default. */
  alpha?: number;
  /** Where the steep part lies; 6 by default. */
  beta?: number;
}

/**
 * One-cycle pruning: slow, then steep, then slow again.
 * s(t) = initial + (final - initial) * (1 + e^(beta - alpha)) / (1 + e^(beta - alpha * t)), t from 0 to 1.
 * Hubens et al. 2021, "One-Cycle Pruning", arXiv:2107.02086, equation 2 (alpha 14, beta 6 as there).
 */
export class OneCycleSchedule extends PruningSchedule {
  readonly initialSparsity: number;
  readonly finalSparsity: number;
  readonly alpha: number;
  readonly beta: number;

  constructor(options: OneCycleOptions) {
    const optional = ['initialSparsity', 'alpha', 'beta'];
    requireOptions(new.target === OneCycleSchedule, options, ['finalSparsity', 'endStep'], optional);
    super(options);
    requireProperEnd(this);
    this.initialSparsity = options.initialSparsity ?? 0;
    this.finalSparsity = options.finalSparsity;
    this.alpha = options.alpha ?? 14;
    this.beta = options.beta ?? 6;
    requireSparsity('initialSparsity', this.initialSparsity);
    requireSparsity('finalSparsity', this.finalSparsity);
    for (const name of ['alpha', 'beta'] as const) {
      const value = this[name];
      if (typeof value !== 'number' || !Number.isFinite(value) || Math.abs(value) > 500) {
        throw invalid('INVALID_ARGUMENT', name, 'a number in [-500, 500]', value);
      }
    }
  }

  at(step: number): ScheduleStep {
    requireStep('step', step, step >= 0, 'an integer >= 0');
    const t = Math.min(1, Math.max(0, (step - this.beginStep) / (this.endStep - this.beginStep)));
    const share = (1 + Math.exp(this.beta - this.alpha)) / (1 + Math.exp(this.beta - this.alpha * t));
    const sparsity = this.initialSparsity + (this.finalSparsity - this.initialSparsity) * share;
    return { shouldPrune: this.shouldPruneInStep(step), sparsity: Math.fround(sparsity) };
  }

  override getConfig(): ScheduleConfig {
    const { initialSparsity, finalSparsity, alpha, beta } = this;
    const { className, config } = super.getConfig();
    return { className, config: { initialSparsity, finalSparsity, alpha, beta, ...config } };
  }
}

/** Another schedule, begun `warmUpSteps` later: until then masks stay as they are. */
export class WarmUp extends PruningSchedule {
  readonly schedule: PruningSchedule;
  readonly warmUpSteps: number;

  constructor(options: { schedule: PruningSchedule; warmUpSteps: number }) {
    requireOptions(true, options, ['schedule', 'warmUpSteps'], []);
    const { schedule, warmUpSteps } = options;
    if (!(schedule instanceof PruningSchedule)) {
      throw invalid('INVALID_ARGUMENT', 'schedule', 'a PruningSchedule', schedule);
    }
    requireStep('warmUpSteps', warmUpSteps, warmUpSteps >= 0, 'an integer >= 0');
    super({
      beginStep: schedule.beginStep + warmUpSteps,
      endStep: schedule.endStep === -1 ? -1 : schedule.endStep + warmUpSteps,
      frequency: schedule.frequency,
    });
    this.schedule = schedule;
    this.warmUpSteps = warmUpSteps;
  }

  at(step: number): ScheduleStep {
    requireStep('step', step, step >= 0, 'an integer >= 0');
    if (step < this.warmUpSteps) return { shouldPrune: false, sparsity: this.schedule.at(0).sparsity };
    return this.schedule.at(step - this.warmUpSteps);
  }

  override getConfig(): ScheduleConfig {
    const { schedule, warmUpSteps } = this;
    return { className: 'WarmUp', config: { schedule: schedule.getConfig(), warmUpSteps } };
  }
}

/** Never makes masks anew: those that are there are held. For fine-tuning what is sparse already. */
export class HeldMasks extends PruningSchedule {
  constructor() {
    super({ beginStep: 0, endStep: 0, frequency: 1 });
  }

  at(step: number): ScheduleStep {
    requireStep('step', step, step >= 0, 'an integer >= 0');
    return { shouldPrune: false, sparsity: 0 };
  }

  override get lastUpdateStep(): number {
    return 0;
  }

  override getConfig(): ScheduleConfig {
    return { className: 'HeldMasks', config: {} };
  }
}

type Configured = new (config: never) => PruningSchedule;

const KNOWN: Record<string, Configured> = {
  ConstantSparsity,
  PolynomialDecay,
  OneCycleSchedule,
  HeldMasks: HeldMasks,
};

/**
 * The schedule of a config as `getConfig` gives it or as tfmot's `get_config` does (`class_name`, snake_case keys).
 * @param custom your own schedule classes by name: made with `new Class(config)`
 * Throws INVALID_ARGUMENT for an unknown class and wherever the schedule's constructor does.
 */
export function scheduleFromConfig(
  source: unknown,
  custom: Readonly<Record<string, new (config: never) => PruningSchedule>> = {},
): PruningSchedule {
  const expected = 'an object with className and config';
  if (typeof source !== 'object' || source === null)
    throw invalid('INVALID_ARGUMENT', 'schedule', expected, source);
  const { className, class_name: kerasName, config } = source as Record<string, unknown>;
  const name = className ?? kerasName;
  if (typeof name !== 'string' || typeof config !== 'object' || config === null) {
    throw invalid('INVALID_ARGUMENT', 'schedule', expected, source);
  }
  const options = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
  if (Object.hasOwn(custom, name)) return new custom[name]!(options as never);
  if (name === 'WarmUp') {
    const inner = scheduleFromConfig(options['schedule'], custom);
    return new WarmUp({ schedule: inner, warmUpSteps: options['warmUpSteps'] as number });
  }
  if (name === 'LinearSchedule' || name === 'CubicSchedule') {
    return new PolynomialDecay({
      power: name === 'CubicSchedule' ? 3 : 1,
      ...options,
    } as PolynomialDecayOptions);
  }
  if (Object.hasOwn(KNOWN, name)) return new KNOWN[name]!(options as never);
  const names = [...Object.keys(KNOWN), 'LinearSchedule', 'CubicSchedule', 'WarmUp', ...Object.keys(custom)];
  throw invalid('INVALID_ARGUMENT', 'schedule', `a class among ${names.join(', ')}`, name);
}
