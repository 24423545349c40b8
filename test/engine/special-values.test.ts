/** NaN, infinities, -0, denormals and the largest float in every place of every operation: docs/numbers.md is held to. */
import { describe, expect, it } from 'vitest';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import type { EspalierError } from '../../src/errors.js';
import type { IsaName } from '../../src/engine/addon.js';
import { OPERATIONS } from '../../src/program/operations/registry.js';
import type { Operation, Program } from '../../src/program/program.js';
import { everySingle, type Single } from '../support/one-operation.js';
import { random } from '../support/programs.js';
import { runProgram } from '../support/run-program.js';

const LARGEST = Math.fround(3.4028234663852886e38);
const SPECIALS = [NaN, Infinity, -Infinity, -0, 1e-40, -1e-40, LARGEST, -LARGEST];
const BATCHES = [1, 5, 17, 70];

function load(program: Program, isa: IsaName, threads: number): Model | null {
  try {
    return new Model(program, addonOptions({ isa, threads, batchSizes: [] }));
  } catch (error) {
    expect((error as EspalierError).code).toBe('INVALID_ARGUMENT');
    return null;
  }
}

/** Samples with one special number each, at every place in turn, and some with two; the plain answers beside them. */
function samplesOf({ program }: Single): { inputs: Float32Array[]; expected: Float32Array }[] {
  const next = random(5);
  const lengths = program.inputs.map(({ value }) => program.values[value]?.features as number);
  const fresh = (): Float32Array[] =>
    lengths.map((length) => Float32Array.from({ length }, () => 2 * next() - 1));
  const samples = [fresh()];
  lengths.forEach((length, input) => {
    for (let place = 0; place < length; place++) {
      for (const special of SPECIALS) {
        const inputs = fresh();
        (inputs[input] as Float32Array)[place] = special;
        samples.push(inputs);
      }
      const two = fresh();
      (two[input] as Float32Array)[place] = NaN;
      const other = two[Math.floor(next() * two.length)] as Float32Array;
      other[Math.floor(next() * other.length)] = next() < 0.5 ? Infinity : NaN;
      samples.push(two);
    }
  });
  // Sums of the largest float overflow, or not, by their order.
  const all = SPECIALS.filter((special) => Math.abs(special) !== LARGEST);
  samples.push(...all.map((special) => lengths.map((length) => new Float32Array(length).fill(special))));
  return samples.map((inputs) => ({
    inputs,
    expected: Float32Array.from(runProgram(program, inputs)[0] as number[]),
  }));
}

/** What a plane or a frame holds beside its pixels means nothing. */
function meant(operation: Operation, length: number): (place: number) => boolean {
  if (!('pixels' in operation) && !('outHeight' in operation) && operation.op !== 'frame') return () => true;
  if (operation.op === 'to_pixels' || operation.op === 'global_pool') return () => true;
  if (operation.op === 'frame') return () => true;
  const pixels = 'pixels' in operation ? operation.pixels : operation.outHeight * operation.outWidth;
  const plane = Math.ceil(pixels / 16) * 16;
  expect(length % plane).toBe(0);
  return (place) => place % plane < pixels;
}

function same(found: number, expected: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(found);
  if (!Number.isFinite(expected)) return found === expected;
  return Math.abs(found - expected) <= 2e-5 * Math.max(1, Math.abs(expected));
}

describe.each(everySingle())('$name', (single) => {
  it('gives what is stated, on every instruction set, in every batch, with any threads', () => {
    const { program } = single;
    const samples = samplesOf(single);
    const features = (samples[0]?.expected as Float32Array).length;
    const counts = meant(program.operations[0] as Operation, features);
    for (const isa of ['portable', 'avx2', 'avx512', 'neon'] as const) {
      const model = load(program, isa, 1);
      const threaded = load(program, isa, 2);
      if (model === null || threaded === null) continue;
      for (const batch of BATCHES) {
        for (let at = 0; at < samples.length; at += batch) {
          // The last call wraps around, so that every batch is full.
          const chosen = Array.from({ length: batch }, (_, i) => samples[(at + i) % samples.length]);
          const inputs = program.inputs.map((_, input) => {
            const length = program.values[input]?.features as number;
            const joined = new Float32Array(batch * length);
            chosen.forEach((sample, i) => joined.set(sample?.inputs[input] as Float32Array, i * length));
            return joined;
          });
          const found = model.runSync(inputs) as Float32Array;
          const second = threaded.runSync(inputs) as Float32Array;
          chosen.forEach((sample, i) => {
            for (let place = 0; place < features; place++) {
              const [got, wanted] = [found[i * features + place], sample?.expected[place]] as [
                number,
                number,
              ];
              if (!counts(place)) continue;
              if (!Object.is(got, second[i * features + place]))
                expect.fail(`${isa}: threads differ at ${place}`);
              if (same(got, wanted)) continue;
              const given = sample?.inputs.map((part) => `[${part.join(', ')}]`).join(' and ');
              expect.fail(`${isa}, batch ${batch}: ${got} at ${place}, expected ${wanted}, of ${given}`);
            }
          });
        }
      }
      model.dispose();
      threaded.dispose();
    }
  });
});

it('has every type of operation', () => {
  const types = new Set(everySingle().map(({ program }) => program.operations[0]?.op));
  expect(OPERATIONS.map(({ op }) => op).filter((op) => !types.has(op))).toEqual([
    'embedding', // refuses what is no index of its table: layers.test.ts
  ]);
  expect(types.size).toBe(23);
});
