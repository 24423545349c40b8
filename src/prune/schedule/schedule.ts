/**
 * Pruning schedules: at which training steps masks are made anew, and how sparse they are then.
 *
 * The arithmetic of `ConstantSparsity` and `PolynomialDecay` is that of TensorFlow Model Optimization 0.8.1
 * (`sparsity/keras/pruning_schedule.py`): every intermediate result is rounded to float32, so that `at` agrees bit for bit.
 */
import { invalid } from '../../errors.js';

const f32 = Math.fround;

export interface ScheduleStep {
  /** Whether masks are made anew in this step, before its forward pass. */
  shouldPrune: boolean;
  /** The fraction of zeros asked for, a float32 number. */
  sparsity: number;
}

export interface ScheduleSpan {
  /** First step that prunes; steps count from 1. Default 0. */
  beginStep?: number;
  /** Last step that prunes; -1: forever. Default -1. */
  endStep?: number;
  /** Steps between two updates of the masks. Default 100. */
  frequency?: number;
}

export interface ScheduleConfig {
  className: string;
  config: Record<string, unknown>;
}

/**
 * Base of all schedules. Extend it with `at`; `super({ beginStep, endStep, frequency })` lets plans and checks know
 * the extent. A schedule is a pure function of the step: it holds no state.
 */
export abstract class PruningSchedule {
  readonly beginStep: number;
  readonly endStep: number;
  readonly frequency: number;

  /** Throws INVALID_ARGUMENT: beginStep ≥ 0; endStep -1 or ≥ beginStep; frequency > 0; all integers. */
  constructor({ beginStep = 0, endStep = -1, frequency = 100 }: ScheduleSpan = {}) {
    requireStep('beginStep', beginStep, beginStep >= 0, 'an integer >= 0');
    requireStep('endStep', endStep, endStep >= -1, 'an integer >= 0, or -1');
    if (endStep !== -1 && endStep < beginStep) {
      throw invalid('INVALID_ARGUMENT', 'endStep', `at least beginStep (${beginStep}), or -1`, endStep);
    }
    requireStep('frequency', frequency, frequency > 0, 'an integer > 0');
    this.beginStep = beginStep;
    this.endStep = endStep;
    this.frequency = frequency;
  }

  /** What happens in training step `step` (the first step is 1). */
  abstract at(step: number): ScheduleStep;

  /** The constructor's options, so that a saved pruning can go on. */
  getConfig(): ScheduleConfig {
    return {
      className: this.constructor.name,
      config: { beginStep: this.beginStep, endStep: this.endStep, frequency: this.frequency },
    };
  }

  /** The last step in which the masks are made anew; Infinity where that never ends. */
  get lastUpdateStep(): number {
    if (this.endStep === -1) return Infinity;
    const span = this.endStep - this.beginStep;
    return this.beginStep + Math.floor(span / this.frequency) * this.frequency;
  }

  /** The sparsity that is reached in the end: what `at` says at endStep (at beginStep where there is no end). */
  get target(): number {
    return this.at(this.endStep === -1 ? this.beginStep : this.endStep).sparsity;
  }

  /** tfmot's rule: every `frequency` steps from beginStep on, up to and including endStep. */
  protected shouldPruneInStep(step: number): boolean {
    const within = step >= this.beginStep && (this.endStep < 0 || step <= this.endStep);
    return within && (step - this.beginStep) % this.frequency === 0;
  }
}

export interface ConstantSparsityOptions extends ScheduleSpan {
  /** Fraction of zeros, in [0, 1). */
  targetSparsity: number;
}

/** The same sparsity from beginStep on, the masks made anew every `frequency` steps. */
export class ConstantSparsity extends PruningSchedule {
  readonly targetSparsity: number;

  constructor(options: ConstantSparsityOptions) {
    requireOptions(new.target === ConstantSparsity, options, ['targetSparsity'], []);
    super(options);
    requireSparsity('targetSparsity', options.targetSparsity);
    this.targetSparsity = options.targetSparsity;
  }

  at(step: number): ScheduleStep {
    requireStep('step', step, step >= 0, 'an integer >= 0');
    return { shouldPrune: this.shouldPruneInStep(step), sparsity: f32(this.targetSparsity) };
  }

  override getConfig(): ScheduleConfig {
    const { className, config } = super.getConfig();
    return { className, config: { targetSparsity: this.targetSparsity, ...config } };
  }
}

export interface PolynomialDecayOptions extends ScheduleSpan {
  /** Sparsity at beginStep, in [0, 1). */
  initialSparsity: number;
  /** Sparsity at endStep, in [0, 1). */
  finalSparsity: number;
  /** Exponent; 3 by default. */
  power?: number;
  /** Greater than beginStep. */
  endStep: number;
}

/**
 * s(t) = final + (initial - final) * (1 - p)^power, p = clip((t - begin) / (end - begin), 0, 1).
 * Zhu and Gupta 2017, "To prune, or not to prune", arXiv:1710.01878, equation 1 (power 3).
 *
 * beginStep = endStep, which gives NaN in tfmot once training runs, is refused here.
 */
export class PolynomialDecay extends PruningSchedule {
  readonly initialSparsity: number;
  readonly finalSparsity: number;
  readonly power: number;

  constructor(options: PolynomialDecayOptions) {
    const needed = ['initialSparsity', 'finalSparsity', 'endStep'];
    requireOptions(new.target === PolynomialDecay, options, needed, ['power']);
    super(options);
    requireProperEnd(this);
    requireSparsity('initialSparsity', options.initialSparsity);
    requireSparsity('finalSparsity', options.finalSparsity);
    const power = options.power ?? 3;
    if (typeof power !== 'number' || !Number.isFinite(power)) {
      throw invalid('INVALID_ARGUMENT', 'power', 'a finite number', power);
    }
    this.initialSparsity = options.initialSparsity;
    this.finalSparsity = options.finalSparsity;
    this.power = power;
  }

  at(step: number): ScheduleStep {
    requireStep('step', step, step >= 0, 'an integer >= 0');
    const progress = f32(f32(step - this.beginStep) / f32(this.endStep - this.beginStep));
    const p = Math.min(1, Math.max(0, progress));
    const decay = f32(Math.pow(f32(1 - p), f32(this.power)));
    const sparsity = f32(
      f32(f32(this.initialSparsity - this.finalSparsity) * decay) + f32(this.finalSparsity),
    );
    return { shouldPrune: this.shouldPruneInStep(step), sparsity };
  }

  override getConfig(): ScheduleConfig {
    const { className, config } = super.getConfig();
    const { initialSparsity, finalSparsity, power } = this;
    return { className, config: { initialSparsity, finalSparsity, power, ...config } };
  }
}

/** A decay needs a beginning and a later end. */
export function requireProperEnd(schedule: PruningSchedule): void {
  if (schedule.endStep === -1) {
    throw invalid(
      'INVALID_ARGUMENT',
      'endStep',
      'an integer greater than beginStep; a decay cannot go on forever',
      -1,
    );
  }
  if (schedule.endStep === schedule.beginStep) {
    throw invalid(
      'INVALID_ARGUMENT',
      'endStep',
      `greater than beginStep (${schedule.beginStep})`,
      schedule.endStep,
    );
  }
}

export function requireSparsity(parameter: string, value: unknown): asserts value is number {
  if (typeof value !== 'number' || !(value >= 0 && value < 1)) {
    throw invalid('INVALID_ARGUMENT', parameter, 'a number in [0, 1)', value);
  }
}

export function requireStep(parameter: string, value: unknown, holds: boolean, expected: string): void {
  if (!Number.isSafeInteger(value) || !holds) throw invalid('INVALID_ARGUMENT', parameter, expected, value);
}

const SPAN_KEYS = ['beginStep', 'endStep', 'frequency'];

/** The options are an object with these keys and no others; `strict` is false for a user's subclass, which may add. */
export function requireOptions(
  strict: boolean,
  options: unknown,
  needed: readonly string[],
  optional: readonly string[],
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid('INVALID_ARGUMENT', 'options', `an object with ${needed.join(', ')}`, options);
  }
  const known = [...new Set([...needed, ...optional, ...SPAN_KEYS])];
  for (const key of strict ? Object.keys(options) : []) {
    if (!known.includes(key))
      throw invalid('INVALID_ARGUMENT', 'options', `keys among ${known.join(', ')}`, key);
  }
  for (const key of needed) {
    if ((options as Record<string, unknown>)[key] === undefined) {
      throw invalid('INVALID_ARGUMENT', key, `a value: ${needed.join(', ')} are needed`, undefined);
    }
  }
}
