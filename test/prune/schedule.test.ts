import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ConstantSparsity,
  CubicSchedule,
  HeldMasks,
  LinearSchedule,
  OneCycleSchedule,
  PolynomialDecay,
  PruningSchedule,
  scheduleFromConfig,
  WarmUp,
} from '../../src/prune.js';
import { golden, number } from './golden.js';

interface Case {
  schedule: string;
  config: Record<string, number>;
  get_config: unknown;
  steps: number[];
  should_prune: number[];
  sparsity: (number | string)[];
}

const { cases } = golden<{ cases: Case[] }>('schedule');
const isPoint = (c: Case) => c.schedule === 'PolynomialDecay' && c.config.begin_step === c.config.end_step;
const poly = { initialSparsity: 0, finalSparsity: 0.8, beginStep: 10, endStep: 110, frequency: 10 };

describe('schedules say what tfmot says, bit for bit', () => {
  it.each(cases.filter((c) => !isPoint(c)).map((c) => [JSON.stringify(c.get_config), c] as const))(
    '%s',
    (_, c) => {
      const schedule = scheduleFromConfig(c.get_config);
      expect(schedule.getConfig()).toEqual(scheduleFromConfig(schedule.getConfig()).getConfig());
      const said = c.steps.map((step) => schedule.at(step));
      expect(said.map((s) => Number(s.shouldPrune))).toEqual(c.should_prune);
      for (const [i, { sparsity }] of said.entries()) {
        expect(Object.is(sparsity + 0, number(c.sparsity[i]!) + 0), `step ${c.steps[i]}: ${sparsity}`).toBe(
          true,
        );
      }
    },
  );

  it('refuses the decay without extent, which gives NaN in tfmot', () => {
    const points = cases.filter(isPoint);
    expect(points.length).toBeGreaterThan(0);
    for (const c of points)
      expect(() => scheduleFromConfig(c.get_config)).toThrow(/endStep: expected greater than/);
  });
});

describe('wrong arguments get tfmot errors in our words', () => {
  it.each([
    ['targetSparsity', () => new ConstantSparsity({ targetSparsity: 1, beginStep: 0 })],
    ['targetSparsity', () => new ConstantSparsity({ targetSparsity: -0.1, beginStep: 0 })],
    ['targetSparsity', () => new ConstantSparsity({ targetSparsity: NaN, beginStep: 0 })],
    ['targetSparsity', () => new ConstantSparsity({ beginStep: 0 } as never)],
    ['beginStep', () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: -1 })],
    ['beginStep', () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0.5 })],
    ['endStep', () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0, endStep: -2 })],
    ['endStep', () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 5, endStep: 4 })],
    ['frequency', () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0, frequency: 0 })],
    ['frequency', () => new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0, frequency: -1 })],
    ['endStep', () => new PolynomialDecay({ ...poly, endStep: -1 })],
    ['endStep', () => new PolynomialDecay({ ...poly, endStep: -3 })],
    ['endStep', () => new PolynomialDecay({ ...poly, endStep: 9 })],
    ['endStep', () => new PolynomialDecay({ ...poly, endStep: 10 })],
    ['initialSparsity', () => new PolynomialDecay({ ...poly, initialSparsity: 1 })],
    ['finalSparsity', () => new PolynomialDecay({ ...poly, finalSparsity: 1.5 })],
    ['power', () => new PolynomialDecay({ ...poly, power: Infinity })],
    ['frequency', () => new PolynomialDecay({ ...poly, frequency: 0 })],
    ['options', () => new PolynomialDecay({ ...poly, freqency: 5 } as never)],
    ['options', () => new PolynomialDecay(null as never)],
    ['step', () => new PolynomialDecay(poly).at(1.5)],
    ['warmUpSteps', () => new WarmUp({ schedule: new PolynomialDecay(poly), warmUpSteps: -1 })],
    ['schedule', () => new WarmUp({ schedule: {} as never, warmUpSteps: 1 })],
    ['alpha', () => new OneCycleSchedule({ finalSparsity: 0.5, endStep: 10, alpha: NaN })],
    ['schedule', () => scheduleFromConfig({ className: 'constructor', config: {} })],
    ['schedule', () => scheduleFromConfig('ConstantSparsity')],
  ])('%s', (parameter, make) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ parameter }) }),
    );
  });

  it('accepts what tfmot accepts: decreasing, power 0 and negative, begin = end of a constant', () => {
    expect(new PolynomialDecay({ ...poly, initialSparsity: 0.9, finalSparsity: 0.1 }).target).toBe(
      Math.fround(0.1),
    );
    expect(new PolynomialDecay({ ...poly, power: 0 }).at(50).sparsity).toBe(0);
    expect(new PolynomialDecay({ ...poly, power: -1 }).at(60).sparsity).toBeLessThan(0);
    expect(new ConstantSparsity({ targetSparsity: 0, beginStep: 5, endStep: 5 }).at(5).shouldPrune).toBe(
      true,
    );
  });
});

describe('schedules past tfmot', () => {
  it('linear and cubic are the decay of power 1 and 3, also after a round trip', () => {
    const ramp = { initialSparsity: 0.1, finalSparsity: 0.9, beginStep: 5, endStep: 45, frequency: 5 };
    for (const [Class, power] of [
      [LinearSchedule, 1],
      [CubicSchedule, 3],
    ] as const) {
      const schedule = new Class(ramp);
      const again = scheduleFromConfig(JSON.parse(JSON.stringify(schedule.getConfig())));
      for (let step = 0; step < 60; step++) {
        expect(schedule.at(step)).toEqual(new PolynomialDecay({ ...ramp, power }).at(step));
        expect(again.at(step)).toEqual(schedule.at(step));
      }
    }
  });

  it('one-cycle rises from the initial to the final sparsity, steepest inside', () => {
    const schedule = new OneCycleSchedule({
      initialSparsity: 0.2,
      finalSparsity: 0.8,
      beginStep: 0,
      endStep: 100,
    });
    const s = Array.from({ length: 101 }, (_, step) => schedule.at(step).sparsity);
    expect(s[0]).toBeCloseTo(0.2, 2);
    expect(s[100]).toBe(Math.fround(0.8));
    expect(s.every((v, i) => i === 0 || v >= s[i - 1]!)).toBe(true);
    expect(s[50]! - s[40]!).toBeGreaterThan(s[10]! - s[0]!);
    expect(scheduleFromConfig(schedule.getConfig()).at(37)).toEqual(schedule.at(37));
  });

  it('a warm-up shifts a schedule', () => {
    const schedule = new PolynomialDecay(poly);
    fc.assert(
      fc.property(fc.nat(200), fc.nat(300), (warmUpSteps, step) => {
        const warm = new WarmUp({ schedule, warmUpSteps });
        expect(warm.at(step + warmUpSteps)).toEqual(schedule.at(step));
        expect(warm.endStep).toBe(schedule.endStep + warmUpSteps);
        if (step < warmUpSteps) expect(warm.at(step).shouldPrune).toBe(false);
      }),
    );
    const nested = new WarmUp({ schedule, warmUpSteps: 7 });
    expect(scheduleFromConfig(nested.getConfig()).at(57)).toEqual(schedule.at(50));
  });

  it('held masks never change', () => {
    expect([0, 1, 100].map((step) => new HeldMasks().at(step).shouldPrune)).toEqual([false, false, false]);
  });

  it('users extend the base', () => {
    class EveryThird extends PruningSchedule {
      constructor() {
        super({ beginStep: 3, endStep: 9, frequency: 3 });
      }
      at(step: number) {
        return { shouldPrune: this.shouldPruneInStep(step), sparsity: step / 10 };
      }
    }
    const schedule = new EveryThird();
    expect([2, 3, 6, 9, 12].map((step) => schedule.at(step).shouldPrune)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(schedule.lastUpdateStep).toBe(9);
    expect(scheduleFromConfig(schedule.getConfig(), { EveryThird }).at(6).sparsity).toBe(0.6);
    expect(() => scheduleFromConfig(schedule.getConfig())).toThrow(/EveryThird/);
  });

  it('tells its last update, which may miss the end', () => {
    expect(new PolynomialDecay({ ...poly, frequency: 30 }).lastUpdateStep).toBe(100);
    expect(new ConstantSparsity({ targetSparsity: 0.5 }).lastUpdateStep).toBe(Infinity);
  });
});
