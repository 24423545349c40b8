/** Each kind of layer over sequences, of attention and of normalisation, at random, against the plain reference. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/index.js';
import { lower } from '../../src/compile/lower/index.js';
import { LOWERINGS } from '../../src/compile/lower/table.js';
import { compileNetwork } from '../../src/convert.js';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import type { EspalierError } from '../../src/errors.js';
import { readProgram } from '../../src/file/read.js';
import { writeProgram } from '../../src/file/write.js';
import type { Activation } from '../../src/network/activations.js';
import type { ConvSettings } from '../../src/network/layers/conv.js';
import type { RecurrentName, RecurrentSettings } from '../../src/network/layers/recurrent.js';
import { KINDS, type Kind, type Settings } from '../../src/network/layers/registry.js';
import type { Network, Value } from '../../src/network/types.js';
import { runReference, type Arr } from '../../src/reference/index.js';
import { ACTIVATIONS, NetworkBuilder } from '../support/networks.js';
import { random, scaleOf } from '../support/programs.js';
import { runProgram } from '../support/run-program.js';

class Maker extends NetworkBuilder {
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }
  chance(share = 0.5): boolean {
    return this.next() < share;
  }
  extents(rank: number, most = 5): number[] {
    return Array.from({ length: rank }, () => this.whole(1, most));
  }
  /** Several outputs of a layer. */
  all<K extends Kind>(kind: K, settings: Settings[K], ...inputs: number[]): number[] {
    this.add(kind, settings, ...inputs);
    return [...(this.nodes.at(-1)?.outputs ?? [])];
  }
}

/** Keras's cells are stable with these. */
const CELL: readonly Activation[] = [
  { kind: 'tanh' },
  { kind: 'sigmoid' },
  { kind: 'linear' },
  { kind: 'hard_sigmoid', alpha: 0.2, beta: 0.5 },
  { kind: 'softsign' },
];

function cell(b: Maker, name: RecurrentName, masked: boolean): RecurrentSettings {
  return {
    cell: name,
    units: b.whole(1, 19),
    activation: b.pick(CELL),
    recurrentActivation: b.pick(CELL.filter(({ kind }) => kind.endsWith('sigmoid'))),
    useBias: b.chance(0.8),
    returnSequences: b.chance(),
    returnState: b.chance(0.3),
    goBackwards: b.chance(0.3),
    zeroOutputForMask: b.chance(0.3),
    resetAfter: name === 'GRU' && b.chance(),
    masked,
  };
}

/** A sequence whose steps are 0 now and then, and its mask. */
function maskedSequence(b: Maker, steps: number, depth: number): number[] {
  return b.all('Masking', { maskValue: 0 }, b.input([steps, depth]));
}

const normAxes = (b: Maker, rank: number): number[] => {
  const axes = Array.from({ length: rank }, (_, i) => i + 1).filter(() => b.chance());
  return axes.length === 0 ? [b.pick([-1, 1])] : axes;
};

/** A network of one layer of the kind, or two. */
const MAKERS: Record<string, (b: Maker) => Network> = {
  LayerNormalization: (b) => {
    const rank = b.whole(1, 3);
    const settings = {
      ...{ axes: normAxes(b, rank), epsilon: 1e-3, center: b.chance(), scale: b.chance(), rms: false },
    };
    return b.finish(b.add('LayerNormalization', settings, b.input(b.extents(rank, 20))));
  },
  RMSNormalization: (b) => {
    const rank = b.whole(1, 3);
    const settings = { axes: normAxes(b, rank), epsilon: 1e-6, center: false, scale: true, rms: true };
    return b.finish(b.add('RMSNormalization', settings, b.input(b.extents(rank, 9))));
  },
  GroupNormalization: (b) => {
    const shape = b.extents(b.whole(1, 3), 6);
    const axis = b.whole(1, shape.length);
    const groups = b.whole(1, 3);
    shape[axis - 1] = groups * b.whole(1, 4);
    const settings = {
      ...{ axis: b.chance() ? axis : axis - shape.length - 1, groups: b.pick([groups, -1]) },
      ...{ epsilon: 1e-3, center: b.chance(), scale: b.chance() },
    };
    return b.finish(b.add('GroupNormalization', settings, b.input(shape)));
  },
  UnitNormalization: (b) => {
    const rank = b.whole(1, 3);
    return b.finish(b.add('UnitNormalization', { axes: normAxes(b, rank) }, b.input(b.extents(rank, 9))));
  },
  Softmax: (b) => {
    const rank = b.whole(1, 3);
    const kind = b.pick(['softmax', 'log_softmax'] as const);
    const activation = { kind, axis: b.pick([-1, ...Array.from({ length: rank }, (_, i) => i + 1)]) };
    return b.finish(b.add('Activation', { activation }, b.input(b.extents(rank, 9))));
  },
  Activation: (b) => {
    const x = b.add('Activation', { activation: b.pick(ACTIVATIONS) }, b.input(b.extents(b.whole(1, 2), 17)));
    return b.finish(x);
  },
  Dot: (b) => {
    const [left, right] = [b.extents(b.whole(1, 3)), b.extents(b.whole(1, 3))];
    const axes = [b.whole(1, left.length), b.whole(1, right.length)] as const;
    right[axes[1] - 1] = left[axes[0] - 1] as number;
    const inputs = [b.input(left), b.input(right)];
    return b.finish(b.add('Dot', { axes, normalize: b.chance() }, ...inputs));
  },
  Embedding: (b) => {
    const settings = { inputDim: b.whole(4, 9), outputDim: b.whole(1, 18), maskZero: false };
    const x = b.add('Embedding', settings, b.input(b.extents(b.whole(1, 2))));
    return b.finish(b.chance() ? x : b.add('Activation', { activation: { kind: 'tanh' } }, x));
  },
  Masking: (b) => b.finish(...maskedSequence(b, b.whole(1, 9), b.whole(1, 5))),
  'GlobalAveragePooling1D with a mask': (b) => {
    // A step of its own that is never masked: the mean over no step is NaN.
    const depth = b.whole(1, 18);
    const [x, mask] = b.all(
      'Embedding',
      { inputDim: 4, outputDim: depth, maskZero: true },
      b.input([b.whole(4, 9)]),
    );
    return b.finish(b.add('GlobalAveragePooling1D', { keepDims: false }, x as number, mask as number));
  },
  TimeDistributed: (b) => {
    const conv: ConvSettings = {
      ...{ filters: b.whole(1, 4), kernelSize: [2, 2], strides: [1, 1], dilation: [1, 1], groups: 1 },
      ...{
        padding: 'same',
        useBias: true,
        activation: { kind: 'relu', negativeSlope: 0, maxValue: null, threshold: 0 },
      },
    };
    const inner = b.pick<Settings['TimeDistributed']>([
      { inner: 'Conv2D', settings: conv },
      { inner: 'Flatten', settings: {} },
      { inner: 'GlobalMaxPooling2D', settings: { keepDims: false } },
      {
        inner: 'GroupNormalization',
        settings: { axis: -1, groups: -1, epsilon: 1e-3, center: true, scale: true },
      },
    ]);
    return b.finish(b.add('TimeDistributed', inner, b.input(b.extents(4, 4))));
  },
  MultiHeadAttention: (b) => {
    const masks = b.chance();
    const [rows, sources, own] = [b.whole(1, 9), b.whole(1, 9), b.chance()];
    const query = masks ? maskedSequence(b, rows, 3) : [b.input([rows, b.whole(1, 6)])];
    const other = masks ? maskedSequence(b, sources, 4) : [b.input([sources, b.whole(1, 6)])];
    const value = own ? query : other;
    const inputs = [query[0] as number, value[0] as number];
    if (b.chance(0.3)) inputs.push(b.input([own ? rows : sources, 2]));
    if (masks) inputs.push(query[1] as number, value[1] as number);
    const settings = {
      ...{ heads: b.whole(1, 4), keyDim: b.whole(1, 9), valueDim: b.whole(1, 19), useBias: b.chance() },
      ...{ outputDim: b.pick([null, 5]), causal: b.chance(0.3), returnScores: b.chance(0.3) },
      ...{ maskedQuery: masks, maskedValue: masks },
    };
    return b.finish(...b.all('MultiHeadAttention', settings, ...inputs));
  },
  Bidirectional: (b) => {
    const masked = b.chance(0.3);
    const name = b.pick(['SimpleRNN', 'LSTM', 'GRU'] as const);
    const forward = { ...cell(b, name, masked), goBackwards: false };
    const backward = { ...cell(b, name, masked), goBackwards: true };
    const mergeMode = b.pick(['concat', 'sum', 'mul', 'ave', null] as const);
    const settings = {
      ...{ mergeMode, masked, forward },
      backward: {
        ...{ ...backward, units: mergeMode === 'concat' ? backward.units : forward.units },
        ...{ returnSequences: forward.returnSequences, returnState: forward.returnState },
      },
    };
    const [steps, depth] = [b.whole(1, 7), b.whole(1, 9)];
    const inputs = masked ? maskedSequence(b, steps, depth) : [b.input([steps, depth])];
    return b.finish(...b.all('Bidirectional', settings, ...inputs));
  },
};

for (const name of ['SimpleRNN', 'LSTM', 'GRU'] as const) {
  MAKERS[name] = (b) => {
    const masked = b.chance(0.4);
    const settings = cell(b, name, masked);
    const [steps, depth] = [b.whole(1, 9), b.whole(1, 9)];
    const [x, mask] = masked ? maskedSequence(b, steps, depth) : [b.input([steps, depth])];
    const states = b.chance(0.3)
      ? Array.from({ length: name === 'LSTM' ? 2 : 1 }, () => b.input([settings.units]))
      : [];
    return b.finish(...b.all(name, settings, x as number, ...states, ...(mask === undefined ? [] : [mask])));
  };
}

/** Numbers of one kind's inputs: indices for Embedding; steps that are all 0 now and then. */
function inputsFor(network: Network, batch: number, next: () => number): Arr[] {
  const indices = network.layers.some(({ kind }) => kind === 'Embedding');
  return network.inputs.map(({ value }) => {
    const shape = [batch, ...((network.values[value] as Value).shape.slice(1) as number[])];
    const length = shape.reduce((product, extent) => product * extent, 1);
    const depth = shape.at(-1) as number;
    const data = Float32Array.from({ length }, () => (indices ? Math.floor(4 * next()) : 4 * next() - 2));
    if (indices) for (let i = 0; i < length; i += depth) data[i] = 1;
    else if (shape.length === 3) {
      for (let i = 0; i < length; i += depth) if (next() < 0.3) data.fill(0, i, i + depth);
    }
    return { shape, data };
  });
}

const listed = <T>(network: Network, answer: unknown): T[] =>
  network.outputs.length === 1 ? [answer as T] : Object.values(answer as Record<string, T>);

describe('each kind of layer gives what the reference gives: plainly, in the engine, through a file', () => {
  it.each(Object.entries(MAKERS))('%s', async (_name, make) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e9 }),
        fc.constantFrom(1, 2, 3, 4, 5, 16, 17, 40, 67),
        async (seed, batch) => {
          const network = make(new Maker(random(seed)));
          const inputs = inputsFor(network, batch, random(seed + 1));
          const expected = runReference(network, inputs);
          const close = (found: readonly ArrayLike<number>[], what: string, rounding = 2e-5): void =>
            expected.forEach(({ data }, index) => {
              const part = found[index] as ArrayLike<number>;
              const scale = scaleOf(data);
              for (let i = 0; i < part.length; i++) {
                const off = Math.abs((part[i] as number) - (data[i] as number));
                if (!(off <= rounding * scale))
                  expect.fail(`${what}: output ${index}, number ${i} is off by ${off}`);
              }
            });
          const first = inputs.map(({ data }) => data.subarray(0, data.length / batch));
          close(runProgram(lower(network), first), 'lowered');
          close(runProgram(compile(network), first), 'compiled');
          const program = await compileNetwork(network);
          const stored = readProgram(writeProgram(program));
          expect(stored).toEqual({ ...program, name: stored.name });
          const [one, two] = [1, 2].map((threads) => new Model(stored, addonOptions({ threads })));
          const found = listed<Arr>(network, one?.runSync(inputs));
          expect(found.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
          close(
            found.map(({ data }) => data),
            'engine',
          );
          expect(listed(network, two?.runSync(inputs))).toEqual(found);
          one?.dispose();
          two?.dispose();
        },
      ),
      { numRuns: 60 },
    );
  });
});

it('every instruction set gives the same within rounding', async () => {
  for (const [name, make] of Object.entries(MAKERS)) {
    for (let seed = 0; seed < 8; seed++) {
      const network = make(new Maker(random(seed)));
      const inputs = inputsFor(network, 1 + ((seed * 5) % 23), random(seed + 1));
      const expected = runReference(network, inputs);
      const program = await compileNetwork(network);
      for (const isa of ['portable', 'avx2', 'avx512', 'neon'] as const) {
        let model: Model;
        try {
          model = new Model(program, addonOptions({ isa }));
        } catch (error) {
          expect((error as EspalierError).code).toBe('INVALID_ARGUMENT');
          continue;
        }
        listed<Arr>(network, model.runSync(inputs)).forEach(({ data }, index) => {
          const wanted = expected[index]?.data ?? [];
          const scale = scaleOf(wanted);
          const worst = data.reduce((most, v, i) => Math.max(most, Math.abs(v - (wanted[i] as number))), 0);
          expect(worst, `${name} ${seed} ${isa}`).toBeLessThanOrEqual(2e-5 * scale);
        });
        model.dispose();
      }
    }
  }
});

it('the engine runs every kind of layer that the importer reads', () => {
  const missing = KINDS.filter((name) => !Object.hasOwn(LOWERINGS, name));
  expect(missing).toEqual([]);
});

it('an index outside of the table is the caller’s mistake, whatever the batch, and the model lives on', async () => {
  const b = new NetworkBuilder(random(3));
  const x = b.add('Embedding', { inputDim: 5, outputDim: 3, maskZero: false }, b.input([2]));
  const model = new Model(await compileNetwork(b.finish(x)), addonOptions({ threads: 2 }));
  for (const batch of [1, 4, 30]) {
    for (const wrong of [5, -1, NaN, Infinity, 1e12]) {
      const data = new Float32Array(2 * batch).fill(1);
      data[2 * batch - 1] = wrong;
      const message = /indices: expected integers in \[0, 5\), received/;
      const error = { code: 'INVALID_INPUT', message: expect.stringMatching(message) as unknown };
      expect(() => model.runSync(data)).toThrow(expect.objectContaining(error) as Error);
      await expect(model.run(data)).rejects.toMatchObject(error);
      const bound = model.bind({ inputs: data, outputs: new Float32Array(6 * batch) });
      expect(bound).toThrow(expect.objectContaining(error) as Error);
    }
    const right = new Float32Array(2 * batch).fill(4);
    expect(model.runSync(right)).toHaveLength(6 * batch);
    expect(await model.run(right)).toHaveLength(6 * batch);
  }
  model.dispose();
});
