/** The cases of bench/cases.json, which the suites and figures share, are what they say and computed right. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkOf } from '../../bench/networks.mjs';
import type { Program } from '../../src/program/program.js';
import { loadModel } from '../../src/index.js';
import { inputsOf } from '../../src/measure/race/runner.js';
import { AGAINST, OWN } from '../../src/measure/race/roster.js';
import { espBytes } from '../../src/measure/source.js';
import { runProgram } from '../support/run-program.js';

interface Case {
  name: string;
  units: number[];
  sparsity: number;
  batches: number[];
  suites: string[];
  targets: { against: string[]; batch: number; atLeast: number; call?: 'bind' }[];
  start?: { milliseconds: number; megabytes: number };
  memory?: { warmUp: number; calls: number; megabytes: number };
  eventLoop?: { seconds: number; milliseconds: number };
}

const BENCH = join(import.meta.dirname, '..', '..', 'bench');
const { networks } = JSON.parse(readFileSync(join(BENCH, 'cases.json'), 'utf8')) as { networks: Case[] };

describe('bench/cases.json', () => {
  it('names each case once, and only suites, engines and batch sizes that are there', () => {
    expect(new Set(networks.map(({ name }) => name)).size).toBe(networks.length);
    const suites = readdirSync(join(BENCH, 'suites')).filter((file) => file !== 'race.mjs');
    const used = new Set(networks.flatMap((one) => one.suites));
    expect(suites).toEqual(expect.arrayContaining([...used].map((suite) => `${suite}.mjs`)));
    // Some take the cases of another: load and size those of models, kernels those of layers.
    for (const suite of suites) {
      const text = readFileSync(join(BENCH, 'suites', suite), 'utf8');
      const taken = [...text.matchAll(/networksOf\('(\w+)'\)/g)].map(([, name]) => name as string);
      expect(taken.length).toBeGreaterThan(0);
      expect([...used]).toEqual(expect.arrayContaining(taken));
    }
    const ids = [...OWN, ...Object.values(AGAINST).flat()].map(({ id }) => id);
    for (const { batches, targets } of networks) {
      for (const { against, batch, atLeast } of targets) {
        expect(batches).toContain(batch);
        expect(ids).toEqual(expect.arrayContaining(against));
        expect(atLeast).toBeGreaterThanOrEqual(1);
      }
    }
  });

  it('holds every network that issues of speed and memory name', () => {
    const has = (units: number[], sparsity: number, suite: string) =>
      networks.some(
        (one) =>
          String(one.units) === String(units) && one.sparsity === sparsity && one.suites.includes(suite),
      );
    expect(has([16, 64, 32, 32, 5], 0.75, 'models')).toBe(true);
    expect(has([784, 1024, 1024, 10], 0.75, 'models')).toBe(true);
    expect(has([228, 256, 128, 128, 1], 0.75, 'models')).toBe(true);
    expect(has([1024, 1024], 0.9, 'layers')).toBe(true);
    expect(has([1024, 4096], 0.9, 'layers')).toBe(true);
    expect(networks.filter(({ memory }) => memory?.calls === 1_000_000)).toHaveLength(1);
    expect(networks.filter(({ eventLoop }) => eventLoop !== undefined)).toHaveLength(1);
  });
});

describe.each(networks)('$name', ({ units, sparsity, batches }) => {
  let program: Program | undefined;
  beforeAll(() => {
    program = networkOf(units, sparsity);
  });
  afterAll(() => {
    program = undefined;
  });
  const built = () => {
    if (program === undefined) throw new Error('not built');
    return program;
  };

  it('has the sparsity that it says in each matrix', () => {
    const { operations } = built();
    expect(operations).toHaveLength(units.length - 1);
    for (const operation of operations) {
      if (operation.op !== 'linear') throw new Error(operation.op);
      const { values } = operation.weight;
      let zeros = 0;
      for (const value of values) if (value === 0) zeros++;
      expect(zeros).toBe(Math.round(values.length * sparsity));
    }
  });

  it('is computed by the engine as by the reference, sparse and dense, at each batch size', async () => {
    const bytes = await espBytes(built());
    const cols = units[0] ?? 0;
    const rows = units.at(-1) ?? 0;
    for (const options of [{}, { layout: 'dense' as const }]) {
      const model = await loadModel(bytes, { threads: 1, ...options });
      try {
        for (const batch of batches) {
          const inputs = inputsOf(built(), batch, 3)[0]?.data ?? new Float32Array();
          const bound = new Float32Array(batch * rows);
          model.bind({ inputs, outputs: bound })();
          if (batch <= 64) {
            const answer = model.runSync(inputs) as Float32Array;
            expect(Buffer.compare(Buffer.from(answer.buffer), Buffer.from(bound.buffer))).toBe(0);
          }
          // The reference is slow: the first sample and the last, which ends a block of any kernel.
          for (const sample of new Set([0, batch - 1])) {
            const [expected = []] = runProgram(built(), [
              inputs.subarray(sample * cols, (sample + 1) * cols),
            ]);
            const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
            const worst = expected.reduce(
              (most, value, i) => Math.max(most, Math.abs(value - (bound[sample * rows + i] ?? Number.NaN))),
              0,
            );
            expect(worst).toBeLessThan(1e-5 * scale);
          }
        }
      } finally {
        model.dispose();
      }
    }
  });
});
