/** With `reproducible` the answer for a sample is the same, bit for bit, in every batch and at every place of it. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileNetwork } from '../../src/convert.js';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import type { Network } from '../../src/network/types.js';
import type { Program } from '../../src/program/program.js';
import { ACTIVATIONS, NetworkBuilder, randomNetwork } from '../support/networks.js';
import { mlp, random } from '../support/programs.js';

function convolutions(seed: number): Network {
  const next = random(seed);
  const b = new NetworkBuilder(next);
  const activation = ACTIVATIONS[Math.floor(next() * (ACTIVATIONS.length - 2))]!;
  const settings = {
    ...{ kernelSize: [3, 3], strides: [1, 1], dilation: [1, 1], useBias: true },
    padding: 'same',
  } as const;
  const x = b.add('Conv2D', { ...settings, filters: 6, groups: 1, activation }, b.input([7, 9, 3]));
  const y = b.add('MaxPooling2D', { poolSize: [2, 2], strides: [2, 2], padding: 'valid' }, x);
  const z = b.add('GlobalAveragePooling2D', { keepDims: false }, y);
  return b.finish(b.add('Dense', { units: 5, useBias: true, activation: { kind: 'softmax', axis: -1 } }, z));
}

/** Rows of a wide sparse layer take other kernels for a batch than alone. */
const wide = (seed: number): Program => mlp([200, 160, 40, 3], 0.5 + 0.4 * random(seed)(), seed).program;

const bits = (array: Float32Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex');

/** The outputs of one call, in order. */
function run(model: Model, inputs: Float32Array[]): Float32Array[] {
  const answer = model.runSync(inputs);
  return (model.outputs.length === 1 ? [answer] : Object.values(answer)) as Float32Array[];
}

it('a sample has the same bits in every batch, at every place, on every instruction set, with any threads', async () => {
  const makers = [randomNetwork, convolutions, wide];
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1e9 }),
      fc.constantFrom(...makers),
      fc.constantFrom('portable', 'avx2', 'avx512', undefined),
      fc.uniqueArray(fc.integer({ min: 2, max: 90 }), { minLength: 3, maxLength: 3 }),
      async (seed, make, isa, batches) => {
        const made = make(seed);
        const program = 'operations' in made ? made : await compileNetwork(made);
        const load = (threads: number): Model => {
          const options = { threads, reproducible: true, ...(isa === undefined ? {} : { isa }) };
          return new Model(program, addonOptions(options));
        };
        let models: Model[];
        try {
          models = [load(1), load(2)];
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' }); // not of this machine
          return;
        }
        const next = random(seed + 1);
        const sizes = program.inputs.map(({ value }) => program.values[value]?.features as number);
        const sample = sizes.map((length) => Float32Array.from({ length }, () => 2 * next() - 1));
        const [first] = models as [Model, Model];
        const alone = run(first, sample).map(bits);
        for (const batch of batches) {
          const place = Math.floor(next() * batch);
          const inputs = sizes.map((length, i) => {
            const rows = Float32Array.from({ length: length * batch }, () => 2 * next() - 1);
            rows.set(sample[i] as Float32Array, place * length);
            return rows;
          });
          for (const model of models) {
            const found = run(model, inputs).map((whole) => {
              const features = whole.length / batch;
              return bits(whole.slice(place * features, (place + 1) * features));
            });
            expect(found).toEqual(alone);
          }
        }
        for (const model of models) model.dispose();
      },
    ),
    { numRuns: 80 },
  );
});

it('without it the last bits may differ: the option does something', () => {
  const program = wide(3);
  const next = random(4);
  const rows = Float32Array.from({ length: 200 * 64 }, () => 2 * next() - 1);
  const plain = new Model(program, addonOptions({ threads: 1 }));
  const kept = new Model(program, addonOptions({ threads: 1, reproducible: true }));
  const own = (model: Model): string[] =>
    Array.from({ length: 64 }, (_, i) =>
      bits(model.runSync(rows.slice(200 * i, 200 * (i + 1))) as Float32Array),
    );
  expect(bits(kept.runSync(rows) as Float32Array)).toBe(own(kept).join(''));
  expect(own(kept)).toEqual(own(plain));
  expect(bits(plain.runSync(rows) as Float32Array)).not.toBe(own(plain).join(''));
  expect(kept.explain(64).map(({ layout }) => layout)).toEqual(plain.explain(1).map(({ layout }) => layout));
  expect(() => addonOptions({ reproducible: 1 as never })).toThrow(/reproducible: expected true or false/);
  plain.dispose();
  kept.dispose();
});
