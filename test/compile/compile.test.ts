import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkProgram } from '../../src/program/check.js';
import { compile, PASSES } from '../../src/compile/index.js';
import { lower } from '../../src/compile/lower/index.js';
import type { Network } from '../../src/network/types.js';
import { runReference } from '../../src/reference/index.js';
import { NetworkBuilder, randomNetwork } from '../support/networks.js';
import { random, scaleOf } from '../support/programs.js';
import { runProgram } from '../support/run-program.js';

const NO_ACTIVATION = { kind: 'linear' } as const;

/** One sample of inputs for a network. */
function sample(network: Network, seed: number): Float32Array[] {
  const next = random(seed);
  return network.inputs.map(({ value }) => {
    const extents = network.values[value]?.shape.slice(1) as number[];
    return Float32Array.from({ length: extents.reduce((p, e) => p * e, 1) }, () => 4 * next() - 2);
  });
}

function reference(network: Network, inputs: readonly Float32Array[]): number[][] {
  const shaped = network.inputs.map(({ value }, index) => ({
    shape: [1, ...(network.values[value]?.shape.slice(1) as number[])],
    data: inputs[index] as Float32Array,
  }));
  return runReference(network, shaped).map(({ data }) => Array.from(data));
}

/** Within rounding: relative to the largest of what is expected, as sums cancel. */
function expectClose(actual: readonly number[][], expected: readonly number[][], rounding = 2e-5): void {
  expect(actual.map((values) => values.length)).toEqual(expected.map((values) => values.length));
  expected.forEach((values, output) => {
    const scale = scaleOf(values.filter(Number.isFinite));
    values.forEach((value, i) => {
      const found = actual[output]?.[i] as number;
      if (Number.isFinite(value)) expect(Math.abs(found - value)).toBeLessThanOrEqual(rounding * scale);
      else expect(found).toBe(value);
    });
  });
}

it('no pass changes a result: random networks against the reference executor', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (seed) => {
      const network = randomNetwork(seed);
      const inputs = sample(network, seed + 1);
      const expected = reference(network, inputs);
      // Exponentials of exponentials leave float32.
      fc.pre(expected.flat().every((value) => Math.abs(value) < 1e6));
      let program = lower(network);
      checkProgram(program);
      const before = runProgram(program, inputs);
      expectClose(before, expected);
      for (const pass of PASSES) {
        program = pass(program);
        expectClose(runProgram(program, inputs), before);
      }
      checkProgram(program);
      expect(compile(network)).toEqual(program);
    }),
    { numRuns: 400 },
  );
});

describe('layers disappear', () => {
  const operations = (network: Network) => compile(network).operations.map(({ op, name }) => `${op} ${name}`);
  const settings = { axis: -1, epsilon: 1e-3, center: true, scale: true };

  it('batch norms into the Dense before or after, activations into what is before them', () => {
    const b = new NetworkBuilder(random(1));
    const first = b.add('BatchNormalization', settings, b.input([6]));
    const hidden = b.add('Dense', { units: 5, useBias: false, activation: NO_ACTIVATION }, first);
    const normed = b.add('BatchNormalization', settings, hidden);
    const active = b.add(
      'Activation',
      { activation: { kind: 'relu', negativeSlope: 0, maxValue: null, threshold: 0 } },
      normed,
    );
    const dropped = b.add('Dropout', {}, active);
    const out = b.add('Dense', { units: 2, useBias: true, activation: NO_ACTIVATION }, dropped);
    const network = b.finish(out);
    expect(operations(network)).toEqual(['linear dense_1', 'linear dense_5']);
    expect(compile(network).operations[0]).toMatchObject({
      activation: { kind: 'relu' },
      input: 0,
      output: 1,
    });
  });

  it('but not into a Dense that is called twice, nor where others use the value', () => {
    const b = new NetworkBuilder(random(2));
    const x = b.input([4]);
    const first = b.add('Dense', { units: 4, useBias: true, activation: NO_ACTIVATION }, x);
    const normed = b.add('BatchNormalization', settings, first);
    const again = b.call(0, normed);
    const program = compile(b.finish(again, first));
    expect(program.operations.map(({ op }) => op)).toEqual(['linear', 'affine', 'linear']);
    const [one, , two] = program.operations as unknown as { weight?: unknown }[];
    expect(one?.weight).toBe(two?.weight);
  });

  it('a normalisation by a far mean subtracts first, as Keras does, and only its scale is folded', () => {
    const b = new NetworkBuilder(random(3));
    const year = b.add(
      'Normalization',
      { axis: null, invert: false, mean: [2013], variance: [0.25] },
      b.input([3]),
    );
    const network = b.finish(b.add('Dense', { units: 2, useBias: true, activation: NO_ACTIVATION }, year));
    const [shift, linear] = compile(network).operations;
    expect(shift).toMatchObject({ op: 'affine', scale: Float32Array.of(1), offset: Float32Array.of(-2013) });
    expect(linear).toMatchObject({ op: 'linear', bias: network.layers[1]?.weights.bias?.data });
  });

  it('a network of nothing but reshapes has no operations, and its output is its input', () => {
    const b = new NetworkBuilder(random(4));
    const program = compile(b.finish(b.add('Flatten', {}, b.add('Dropout', {}, b.input([2, 3])))));
    expect(program).toMatchObject({ operations: [], values: [{ features: 6 }] });
    expect(program.outputs[0]).toMatchObject({ value: 0, shape: [null, 6] });
  });

  it('also in a chain of thousands of layers, in no time that grows with its square', () => {
    const b = new NetworkBuilder(random(5));
    let x = b.input([2]);
    for (let i = 0; i < 20_000; i++)
      x = b.add('Activation', { activation: { kind: i % 2 ? 'linear' : 'tanh' } }, x);
    expect(compile(b.finish(x)).operations).toHaveLength(10_000);
  });
});

it('a layer that cannot be run is named, with its kind and what would help', () => {
  const b = new NetworkBuilder(random(6));
  const x = b.input([4]);
  const celu = b.add('Activation', { activation: { kind: 'celu', alpha: 2 } }, x);
  const network = b.finish(celu);
  expect(() => compile(network)).toThrow(
    /layer activation_0 \(Activation\): the activation celu .*; use elu/,
  );
  const layers = network.layers.map((layer) => ({ ...layer, name: 'deep', kind: 'Conv3D' as never }));
  expect(() => compile({ ...network, layers })).toThrow(
    /layer deep \(Conv3D\): this kind of layer cannot be run by the engine; it runs Dense/,
  );
  const flexible = { ...b.finish(x), values: [{ shape: [null, null, 4], dtype: 'float32' as const }] };
  expect(() => compile({ ...flexible, nodes: [] })).toThrow(
    /in_0: the shape \[null, null, 4\] has no fixed size/,
  );
});

describe('sizes of a model are not trusted: a limit is looked at before a table is made', () => {
  const cases = {
    UpSampling2D: (b: NetworkBuilder) => {
      const size = [18_000, 18_000];
      b.add('UpSampling2D', { size, interpolation: 'nearest', halfPixelCenters: true }, b.input([1, 1, 1]));
    },
    'UpSampling2D, bilinear': (b: NetworkBuilder) => {
      const settings = { size: [40, 40], interpolation: 'bilinear', halfPixelCenters: true } as const;
      b.add('UpSampling2D', settings, b.input([64, 64, 1]));
    },
    ZeroPadding2D: (b: NetworkBuilder) => {
      const amounts = [
        [18_000, 0],
        [18_000, 0],
      ] as const;
      b.add('ZeroPadding2D', { amounts }, b.input([1, 1, 1]));
    },
    RepeatVector: (b: NetworkBuilder) => {
      b.add('RepeatVector', { n: 2 ** 27 }, b.input([4]));
    },
  };
  it.each(Object.entries(cases))('%s', (_, build) => {
    const b = new NetworkBuilder(random(1));
    build(b);
    expect(() => lower(b.finish(b.values.length - 1))).toThrow(
      expect.objectContaining({
        code: 'LIMIT_EXCEEDED',
        message: expect.stringMatching(/^layer .* at most \d+ numbers, received \d+/),
      }),
    );
  });
});
