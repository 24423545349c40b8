/** Convolutional networks through compiler, file and engine, against the plain reference. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compile } from '../../src/compile/index.js';
import { compileNetwork } from '../../src/convert.js';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import { readProgram } from '../../src/file/read.js';
import { writeProgram } from '../../src/file/write.js';
import type { Padding } from '../../src/network/geometry.js';
import type { WindowSettings } from '../../src/network/layers/conv.js';
import type { Network } from '../../src/network/types.js';
import { runReference } from '../../src/reference/index.js';
import { ACTIVATIONS, NetworkBuilder } from '../support/networks.js';
import { random, scaleOf } from '../support/programs.js';

/** A chain of layers over images, or over sequences, that branches and joins at times. */
function imageNetwork(seed: number): Network {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const whole = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  const build = new NetworkBuilder(next);
  const rank = pick([1, 2, 2] as const);
  const axes = <T>(make: () => T): T[] => Array.from({ length: rank }, make);
  const start = [...axes(() => whole(6, 13)), whole(1, 6)];
  let value = build.input(start);
  const shape = (): number[] => build.values[value]?.shape.slice(1) as number[];
  const window = (): WindowSettings => {
    const kernelSize = axes(() => whole(1, 3));
    // Keras takes strides or dilation, not both.
    const dilated = next() < 0.25;
    return {
      kernelSize,
      strides: axes(() => (dilated ? 1 : whole(1, 2))),
      dilation: axes(() => (dilated ? 2 : 1)),
      padding: pick<Padding>(rank === 1 ? ['same', 'valid', 'causal'] : ['same', 'valid']),
      useBias: next() < 0.7,
      activation: pick(ACTIVATIONS.slice(0, -1)),
    };
  };
  const steps: Record<string, () => number> = {
    conv: () => {
      const channels = shape()[rank] as number;
      const groups = channels % 2 === 0 && next() < 0.3 ? 2 : 1;
      const filters = whole(1, 4) * 2;
      return build.add(`Conv${rank}D`, { ...window(), filters, groups }, value);
    },
    depthwise: () => build.add(`DepthwiseConv${rank}D`, { ...window(), depthMultiplier: whole(1, 2) }, value),
    separable: () =>
      build.add(
        `SeparableConv${rank}D`,
        { ...window(), depthMultiplier: whole(1, 2), filters: whole(1, 5) },
        value,
      ),
    transpose: () =>
      build.add(
        `Conv${rank}DTranspose`,
        { ...window(), padding: pick(['same', 'valid'] as const), filters: whole(1, 4), outputPadding: null },
        value,
      ),
    pool: () => {
      const settings = {
        poolSize: axes(() => whole(1, 3)),
        strides: axes(() => whole(1, 2)),
        padding: pick(['same', 'valid'] as const),
      };
      return build.add(`${pick(['Max', 'Average'] as const)}Pooling${rank}D`, settings, value);
    },
    pad: () =>
      build.add(`ZeroPadding${rank}D`, { amounts: axes(() => [whole(0, 2), whole(0, 2)] as const) }, value),
    crop: () =>
      build.add(`Cropping${rank}D`, { amounts: axes(() => [whole(0, 1), whole(0, 1)] as const) }, value),
    up: () => {
      const interpolation = rank === 2 ? pick(['nearest', 'bilinear'] as const) : 'nearest';
      return build.add(
        `UpSampling${rank}D`,
        { size: axes(() => whole(1, 2)), interpolation, halfPixelCenters: next() < 0.5 },
        value,
      );
    },
    norm: () =>
      build.add('BatchNormalization', { axis: -1, epsilon: 1e-3, scale: true, center: true }, value),
    activation: () => build.add('Activation', { activation: pick(ACTIVATIONS.slice(0, -1)) }, value),
    prelu: () => build.add('PReLU', { sharedAxes: Array.from({ length: rank }, (_, i) => i + 1) }, value),
    branch: () => {
      const other = build.add('Activation', { activation: pick(ACTIVATIONS.slice(0, -1)) }, value);
      const joined = pick(['Add', 'Multiply', 'Maximum', 'Average', 'Concatenate'] as const);
      return build.add(joined, joined === 'Concatenate' ? { axis: -1 } : {}, value, other);
    },
  };
  for (let i = whole(1, 5); i > 0; i--) {
    // Windows must fit.
    if (
      shape()
        .slice(0, rank)
        .some((extent) => extent < 6)
    )
      break;
    value = pick<() => number>(Object.values(steps))();
  }
  if (next() < 0.5)
    value = build.add(
      `Global${pick(['Average', 'Max'] as const)}Pooling${rank}D`,
      { keepDims: false },
      value,
    );
  return build.finish(value);
}

it('random convolutional networks give what the reference gives, directly and through a file', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 1, max: 6 }),
      async (seed, batch) => {
        const network = imageNetwork(seed);
        const next = random(seed + 1);
        const inputs = network.inputs.map(({ value }) => {
          const shape = [batch, ...(network.values[value]?.shape.slice(1) as number[])];
          const length = shape.reduce((product, extent) => product * extent, 1);
          return { shape, data: Float32Array.from({ length }, () => 2 * next() - 1) };
        });
        const [expected] = runReference(network, inputs);
        const program = await compileNetwork(network);
        const model = new Model(program, addonOptions({ threads: 1 }));
        const stored = new Model(readProgram(writeProgram(program)), addonOptions({ threads: 2 }));
        const found = model.runSync(inputs) as { shape: number[]; data: Float32Array };
        expect(stored.runSync(inputs)).toEqual(found);
        expect(found.shape).toEqual(expected?.shape);
        const scale = scaleOf(expected?.data ?? []);
        expected?.data.forEach((value, i) => {
          expect(Math.abs((found.data[i] as number) - value)).toBeLessThanOrEqual(2e-5 * scale);
        });
        model.dispose();
        stored.dispose();
      },
    ),
    { numRuns: 150 },
  );
});

it('images stay in planes between layers; padding and normalisation cost no operation', () => {
  const build = new NetworkBuilder(random(7));
  const none = { kind: 'linear' } as const;
  const relu = { kind: 'relu', negativeSlope: 0, maxValue: null, threshold: 0 } as const;
  const plain = { strides: [1, 1], dilation: [1, 1], useBias: true, activation: none, groups: 1 };
  const norm = { axis: -1, epsilon: 1e-3, scale: true, center: true };
  const x = build.input([8, 8, 3]);
  const a = build.add(
    'ZeroPadding2D',
    {
      amounts: [
        [1, 1],
        [1, 1],
      ],
    },
    x,
  );
  const b = build.add('Conv2D', { ...plain, kernelSize: [3, 3], padding: 'valid', filters: 4 }, a);
  const c = build.add('BatchNormalization', norm, b);
  const d = build.add('Activation', { activation: relu }, c);
  const e = build.add('Conv2D', { ...plain, kernelSize: [1, 1], padding: 'same', filters: 4 }, d);
  const f = build.add('Add', {}, d, e);
  const g = build.add('GlobalAveragePooling2D', { keepDims: false }, f);
  expect(compile(build.finish(g)).operations.map(({ op }) => op)).toEqual([
    'to_planes',
    'frame',
    'conv',
    'conv',
    'add',
    'global_pool',
  ]);
});
