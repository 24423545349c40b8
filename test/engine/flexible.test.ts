/** Models whose inputs have flexible sizes: compiled for each shape, stored as networks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOf } from '../../src/convert.js';
import { csrFromDense } from '../../src/engine/csr.js';
import { loadModel } from '../../src/load.js';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import { EspalierError } from '../../src/errors.js';
import { readNetwork, writeNetwork } from '../../src/file/network.js';
import { readProgram } from '../../src/file/read.js';
import { readSafetensors, writeSafetensors } from '../../src/safetensors.js';
import type { Network } from '../../src/network/types.js';
import { runReference, type Arr } from '../../src/reference/index.js';
import type { RecurrentSettings } from '../../src/network/layers/recurrent.js';
import { NetworkBuilder } from '../support/networks.js';
import { random, scaleOf } from '../support/programs.js';

const relu = { kind: 'relu', negativeSlope: 0, maxValue: 6, threshold: 0 } as const;
const softmax = { kind: 'softmax', axis: -1 } as const;
const norm = { axis: -1, epsilon: 1e-3, scale: true, center: true };

/** As MobileNet is made: any height and width. */
function images(): Network {
  const b = new NetworkBuilder(random(5));
  const plain = {
    dilation: [1, 1],
    useBias: false,
    activation: { kind: 'linear' },
    groups: 1,
    padding: 'same',
  } as const;
  let x = b.input([null, null, 3]);
  x = b.add('Conv2D', { ...plain, kernelSize: [3, 3], strides: [2, 2], filters: 6 }, x);
  x = b.add('Activation', { activation: relu }, b.add('BatchNormalization', norm, x));
  x = b.add('DepthwiseConv2D', { ...plain, kernelSize: [3, 3], strides: [1, 1], depthMultiplier: 1 }, x);
  x = b.add('Activation', { activation: relu }, b.add('BatchNormalization', norm, x));
  x = b.add('Conv2D', { ...plain, kernelSize: [1, 1], strides: [1, 1], filters: 8 }, x);
  x = b.add('UpSampling2D', { size: [2, 2], interpolation: 'bilinear', halfPixelCenters: true }, x);
  const pooled = b.add('GlobalAveragePooling2D', { keepDims: false }, x);
  const y = b.add('Dense', { units: 4, useBias: true, activation: softmax }, pooled);
  return b.finish(y, x);
}

/** Texts and series of any length, the mask of the padding, attention. */
function sequences(): Network {
  const b = new NetworkBuilder(random(6));
  const words = b.add('Embedding', { inputDim: 9, outputDim: 6, maskZero: true }, b.input([null]));
  const cell: RecurrentSettings = {
    ...{ cell: 'LSTM', units: 5, activation: { kind: 'tanh' }, recurrentActivation: { kind: 'sigmoid' } },
    ...{ useBias: true, returnSequences: false, returnState: false, goBackwards: false },
    ...{ zeroOutputForMask: false, resetAfter: false, masked: true },
  };
  const text = b.add('LSTM', cell, words, words + 1);
  let x = b.input([null, 4]);
  x = b.add(
    'TimeDistributed',
    {
      inner: 'LayerNormalization',
      settings: { axes: [-1], epsilon: 1e-3, center: true, scale: true, rms: false },
    },
    x,
  );
  const attention = {
    ...{ heads: 2, keyDim: 3, valueDim: 3, useBias: true, outputDim: null, causal: true },
    ...{ returnScores: false, maskedQuery: false, maskedValue: false },
  };
  x = b.add('MultiHeadAttention', attention, x, x);
  const series = b.add('GRU', { ...cell, cell: 'GRU', resetAfter: true, masked: false }, x);
  const both = b.add('Concatenate', { axis: -1 }, text, series);
  return b.finish(b.add('Dense', { units: 3, useBias: true, activation: softmax }, both));
}

function inputsOf(network: Network, batch: number, sizes: readonly number[], seed: number): Arr[] {
  const next = random(seed);
  let at = 0;
  return network.inputs.map(({ value }) => {
    const shape = (network.values[value]?.shape ?? []).map((extent, axis) =>
      axis === 0 ? batch : (extent ?? (sizes[at++ % sizes.length] as number)),
    );
    const length = shape.reduce((product, extent) => product * extent, 1);
    const words = shape.length === 2;
    return {
      shape,
      data: Float32Array.from({ length }, () => (words ? Math.floor(9 * next()) : 2 * next() - 1)),
    };
  });
}

describe.each([
  ['images', images()],
  ['sequences', sequences()],
])('%s of any size', (_name, network) => {
  it('give what the reference gives, directly, through a file, off the event loop', async () => {
    const bytes = writeNetwork(network, csrFromDense);
    expect(writeNetwork(readNetwork(bytes), csrFromDense)).toEqual(bytes);
    expect(() => readProgram(bytes)).toThrow(/a network of flexible sizes/);
    const direct = new Model(await planOf(network), addonOptions({ threads: 1 }));
    const stored = await loadModel(bytes);
    expect(stored.inputs).toEqual(direct.inputs);
    expect(direct.inputs.map(({ shape }) => shape)).toEqual(
      network.inputs.map(({ value }) => network.values[value]?.shape),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 2, maxLength: 2 }),
        fc.integer({ min: 0, max: 1e6 }),
        async (batch, sizes, seed) => {
          const inputs = inputsOf(network, batch, sizes, seed);
          const expected = runReference(network, inputs);
          const list = (answer: unknown): Arr[] =>
            (network.outputs.length === 1 ? [answer] : Object.values(answer as object)) as Arr[];
          const found = list(direct.runSync(inputs));
          expected.forEach(({ shape, data }, i) => {
            expect(found[i]?.shape).toEqual(shape);
            const scale = scaleOf(data);
            data.forEach((value, at) => {
              expect(Math.abs((found[i]?.data[at] as number) - value)).toBeLessThanOrEqual(2e-5 * scale);
            });
          });
          expect(list(stored.runSync(inputs))).toEqual(found);
          expect(list(await stored.run(inputs))).toEqual(found);
        },
      ),
      { numRuns: 30 },
    );
    direct.dispose();
    stored.dispose();
    expect(() => direct.runSync(inputsOf(network, 1, [5], 1))).toThrow(/disposed/);
  });

  it('a changed file is refused or runs, and never breaks anything', async () => {
    const bytes = writeNetwork(network, csrFromDense);
    const { metadata, tensors } = readSafetensors(bytes);
    const text = metadata.network as string;
    const inputs = inputsOf(network, 1, [6, 5], 1);
    const odd = ['-1', '0', '1e9', '0.5', 'null', '"x"', '[]', '{}', 'true', '99999999999', '3'];
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e9 }), fc.constantFrom(...odd), async (place, value) => {
        const numbers = [...text.matchAll(/(?<=[:[,])(-?\d+(\.\d+)?|true|false|null)(?=[,\]}])/g)];
        const at = numbers[place % numbers.length] as RegExpMatchArray & { index: number };
        const changed = text.slice(0, at.index) + value + text.slice(at.index + at[0].length);
        const file = writeSafetensors({
          metadata: { format: 'espalier', network: changed },
          tensors: [...tensors],
        });
        try {
          const model = await loadModel(file);
          model.runSync(inputs);
          model.dispose();
        } catch (error) {
          expect(error).toBeInstanceOf(EspalierError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

it('asks for shapes, names what does not fit, keeps bound calls whatever comes after', async () => {
  const network = images();
  const model = new Model(await planOf(network), addonOptions({ threads: 1 }));
  expect(() => model.explain()).toThrow(/run it once/);
  expect(() => model.runSync(new Float32Array(48))).toThrow(
    /in_0: expected \{ data, shape \}.*\[batch, any, any, 3\]/,
  );
  expect(() => model.runSync({ data: new Float32Array(48), shape: [1, 4, 4, 4] })).toThrow(/in_0/);
  expect(() => model.runSync({ data: new Float32Array(47), shape: [1, 4, 4, 3] })).toThrow(/in_0/);
  const input = { data: new Float32Array(75).fill(1), shape: [1, 5, 5, 3] };
  const outputs = [new Float32Array(4), new Float32Array(6 * 6 * 8)];
  const call = model.bind({ inputs: [input], outputs });
  call();
  const first = Float32Array.from(outputs[0] as Float32Array);
  for (let size = 6; size < 20; size++) {
    model.runSync({ data: new Float32Array(size * 12), shape: [1, 4, size, 3] });
  }
  call();
  expect(outputs[0]).toEqual(first);
  expect(model.explain().length).toBeGreaterThan(3);
  expect(model.memory()).toBeGreaterThan(0);
  model.dispose();
  model.dispose();
  expect(() => call()).toThrow(/disposed/);
});
