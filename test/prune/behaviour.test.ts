import * as tf from '@tensorflow/tfjs-node';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ConstantSparsity,
  holdMasks,
  PolynomialDecay,
  prunableWeightNames,
  pruneLowMagnitude,
  type PruneOptions,
} from '../../src/prune.js';
import { golden } from './golden.js';
import { kernelOf, largestDifference, toyData, toyModel } from './models.js';

const ramp = (finalSparsity: number, endStep = 16, frequency = 2) =>
  new PolynomialDecay({ initialSparsity: 0, finalSparsity, beginStep: 0, endStep, frequency });
const zeros = (values: ArrayLike<number>) => Array.from(values).filter((v) => v === 0).length / values.length;
const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const code = (name: string) => expect.objectContaining({ code: name });

afterEach(() => void tf.disposeVariables());

describe('pruning', () => {
  it('reaches the target, by layer', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), {
      schedule: ramp(0.75),
      perLayer: { d2: { schedule: ramp(0.5) } },
    });
    await p.fit(x, y, { ...quiet, epochs: 5 });
    const stripped = p.strip();
    expect(p.targetReached).toBe(true);
    expect(p.state().weights.map((w) => w.sparsity)).toEqual([0.75, 0.5]);
    expect(zeros(kernelOf(stripped, 'd1'))).toBe(0.75);
    expect(zeros(kernelOf(stripped, 'd2'))).toBe(0.5);
  });

  it('zero sparsity changes nothing', async () => {
    const { x, y } = toyData();
    const dense = toyModel();
    dense.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
    await dense.fit(x, y, { ...quiet, epochs: 3 });
    const model = toyModel();
    model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
    const p = pruneLowMagnitude(model, {
      schedule: new ConstantSparsity({ targetSparsity: 0, beginStep: 1, frequency: 1 }),
    });
    await p.fit(x, y, { ...quiet, epochs: 3 });
    expect(largestDifference(kernelOf(p.strip(), 'd1'), kernelOf(dense, 'd1'))).toBe(0);
  });

  it('a frozen layer keeps its weights', async () => {
    const { x, y } = toyData();
    const model = toyModel();
    model.getLayer('d1').trainable = false;
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    const before = kernelOf(model, 'd1').slice();
    const warnings: string[] = [];
    const p = pruneLowMagnitude(model, {
      schedule: ramp(0.75),
      frozen: 'keep',
      onWarning: (text) => warnings.push(text),
    });
    await p.fit(x, y, { ...quiet, epochs: 5 });
    expect(largestDifference(kernelOf(p.strip(), 'd1'), before)).toBe(0);
    expect(zeros(kernelOf(p.model, 'd2'))).toBe(0.75);
    expect(warnings.join()).toMatch(/frozen.*d1/);
  });

  it('pruned weights stay zero after strip, and strip leaves the training model alone', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp(0.75) });
    await p.fit(x, y, { ...quiet, epochs: 5 });
    const { mask } = p.state().weights[0]!;
    const stripped = p.strip();
    await p.fit(x, y, { ...quiet, epochs: 1 });
    const kernel = kernelOf(stripped, 'd1');
    expect(mask.every((bit, i) => bit === 1 || kernel[i] === 0)).toBe(true);
    const held = holdMasks(stripped);
    await held.fit(x, y, { ...quiet, epochs: 3 });
    const tuned = kernelOf(held.strip(), 'd1');
    expect(mask.every((bit, i) => bit === 1 || tuned[i] === 0)).toBe(true);
    expect(largestDifference(tuned, kernel)).toBeGreaterThan(0);
  });

  it('a callback cannot be forgotten: the model’s own fit, fitDataset and trainOnBatch prune', async () => {
    const { x, y } = toyData();
    const now = { schedule: new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency: 1 }) };
    const train = [
      (m: tf.Sequential) => m.fit(x, y, { ...quiet, epochs: 1 }),
      (m: tf.Sequential) => m.trainOnBatch(x, y),
      (m: tf.Sequential) => {
        const rows = tf.data.zip({
          xs: tf.data.array(x.arraySync() as number[][]),
          ys: tf.data.array(y.arraySync() as number[][]),
        });
        return m.fitDataset(rows.batch(16), { epochs: 1, batchesPerEpoch: 4, verbose: 0 });
      },
    ];
    for (const one of train) {
      const model = toyModel();
      const p = pruneLowMagnitude(model, now);
      await one(model);
      expect(p.state().weights[0]!.sparsity).toBe(0.5);
      expect(p.state().step).toBe(one === train[1] ? 1 : 4);
    }
  });

  it('a Sequential may be compiled after it was pruned, and again', async () => {
    const { x, y } = toyData();
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [8], name: 'd' })] });
    const p = pruneLowMagnitude(model, { schedule: ramp(0.5) });
    for (let i = 1; i <= 2; i++) {
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const { history } = await p.fit(x, y, { ...quiet, epochs: 5, validationData: [x, y] });
      const seen = (model.evaluate(x, y) as tf.Scalar).dataSync()[0]!;
      expect(history['val_loss']!.at(-1)).toBeCloseTo(seen, 6);
      expect(p.state().step).toBe(20 * i);
    }
  });

  it('steps once a batch, callback given or not', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp(0.5) });
    await p.fit(x, y, { ...quiet, epochs: 4, callbacks: [p.callback()] as never });
    expect(p.state().step).toBe(16);
  });

  it('validation and looking see masked weights and change nothing', async () => {
    const { x, y } = toyData();
    const run = async (look: boolean) => {
      const p = pruneLowMagnitude(toyModel(), { schedule: ramp(0.75) });
      const losses: number[] = [];
      const validationData = [x, y] as [tf.Tensor, tf.Tensor];
      const onBatchEnd = async () => {
        if (look) p.model.predict(x);
      };
      const onEpochEnd = async (_: number, logs?: tf.Logs) => {
        losses.push(Number(logs!.val_loss), Number((p.model.evaluate(x, y) as tf.Scalar).dataSync()[0]));
      };
      await p.fit(x, y, {
        ...quiet,
        epochs: 5,
        ...(look ? { validationData, callbacks: { onBatchEnd, onEpochEnd } } : {}),
      });
      for (let i = 0; i < losses.length; i += 2) expect(losses[i]).toBeCloseTo(losses[i + 1]!, 6);
      return kernelOf(p.model, 'd1').slice();
    };
    expect(largestDifference(await run(true), await run(false))).toBe(0);
  });

  it('global scope reaches the sparsity of all weights together, and no layer dies', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp(0.75), scope: 'global', exact: true });
    await p.fit(x, y, { ...quiet, epochs: 5 });
    const { weights } = p.state();
    const kept = weights.reduce((sum, w) => sum + w.mask.reduce((a, b) => a + b, 0), 0);
    expect(kept).toBe(36);
    expect(weights.every((w) => w.sparsity < 1)).toBe(true);
    expect(weights[0]!.sparsity).not.toBe(weights[1]!.sparsity);
    expect(() => p.strip()).not.toThrow();
  });

  it('exact pruning updates at the end, whatever the frequency', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp(0.75, 15, 4), exact: true });
    await p.fit(x, y, { ...quiet, epochs: 4 });
    expect(p.state().weights.map((w) => w.sparsity)).toEqual([0.75, 0.75]);
  });

  it('prunes nested and shared layers once', async () => {
    const shared = tf.layers.dense({ units: 4, name: 'shared', activation: 'relu' });
    const inner = tf.sequential({
      name: 'inner',
      layers: [tf.layers.dense({ units: 4, inputShape: [8], name: 'deep' })],
    });
    const input = tf.input({ shape: [8] });
    const once = shared.apply(inner.apply(input)) as tf.SymbolicTensor;
    const output = tf.layers.dense({ units: 1, name: 'out' }).apply(shared.apply(once)) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: output });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, y } = toyData();
    const p = pruneLowMagnitude(model, { schedule: ramp(0.5) });
    await p.fit(x, y, { ...quiet, epochs: 5 });
    expect(p.state().weights.map((w) => w.layer)).toEqual(['inner/deep', 'shared', 'out']);
    expect(p.state().weights.map((w) => w.sparsity)).toEqual([0.5, 0.5, 0.5]);
    const answer = (p.strip().predict(x) as tf.Tensor).dataSync();
    expect(largestDifference(answer, (model.predict(x) as tf.Tensor).dataSync())).toBe(0);
  });

  it('prunes layers of a model that is made later', async () => {
    const d1 = tf.layers.dense({ units: 6, inputShape: [8], name: 'd1' });
    const p = pruneLowMagnitude([d1], { schedule: ramp(0.5) });
    expect(() => p.model).toThrow(/attach/);
    const model = tf.sequential({ layers: [d1, tf.layers.dense({ units: 1, name: 'd2' })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, y } = toyData();
    await p.attach(model).fit(x, y, { ...quiet, epochs: 5 });
    expect(zeros(kernelOf(p.strip(), 'd1'))).toBe(0.5);
    expect(zeros(kernelOf(model, 'd2'))).toBe(0);
  });

  it('prunes recurrent layers and layers of one’s own', async () => {
    class Scale extends tf.layers.Layer {
      static className = 'ScaleOfTest';
      scale!: ReturnType<tf.layers.Layer['addWeight']>;
      override build() {
        this.scale = this.addWeight('scale', [4], 'float32', tf.initializers.randomNormal({ seed: 1 }));
        this.built = true;
      }
      override call(x: tf.Tensor | tf.Tensor[]) {
        return tf.mul(Array.isArray(x) ? x[0]! : x, this.scale.read());
      }
      getPrunableWeights() {
        return [this.scale];
      }
    }
    const model = tf.sequential({
      layers: [
        tf.layers.lstm({ units: 4, inputShape: [2, 4], name: 'lstm' }),
        new Scale({ name: 'scale' }),
        tf.layers.dense({ units: 1, name: 'd' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, y } = toyData();
    const p = pruneLowMagnitude(model, { schedule: ramp(0.5) });
    await p.fit(x.reshape([64, 2, 4]), y, { ...quiet, epochs: 5 });
    expect(p.state().weights.map((w) => `${w.layer}/${w.name} ${w.sparsity}`)).toEqual([
      ...['lstm/kernel 0.5', 'lstm/recurrent_kernel 0.5', 'scale/scale 0.5', 'd/kernel 0.5'],
    ]);
    expect(() => p.strip()).not.toThrow();
  });

  it('leaks no tensors from step to step', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), {
      schedule: new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency: 1 }),
    });
    await p.fit(x, y, { ...quiet, epochs: 1 });
    const before = tf.memory().numTensors;
    await p.fit(x, y, { ...quiet, epochs: 3 });
    p.model.predict(x);
    expect(tf.memory().numTensors).toBe(before + 1);
  });
});

describe('traps', () => {
  it('an end that cannot be reached is refused before training, with the numbers', async () => {
    const { x, y } = toyData();
    expect(() => pruneLowMagnitude(toyModel(), { schedule: ramp(0.75, 100), totalSteps: 99 })).toThrow(
      code('UNREACHED_END'),
    );
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp(0.75, 100) });
    await expect(p.fit(x, y, { ...quiet, epochs: 20 })).rejects.toThrow(
      /endStep 100 is not reached in 80 steps/,
    );
    expect(p.state().step).toBe(0);
  });

  it('with warn it trains, and strip says what was reached', async () => {
    const { x, y } = toyData();
    const warnings: string[] = [];
    const options: PruneOptions = {
      schedule: ramp(0.75, 100),
      onUnreachedEnd: 'warn',
      onWarning: (t) => warnings.push(t),
    };
    const p = pruneLowMagnitude(toyModel(), options);
    await p.fit(x, y, { ...quiet, epochs: 5 });
    expect(warnings).toHaveLength(1);
    expect(zeros(kernelOf(p.strip(), 'd1'))).toBeGreaterThan(0);
    expect(warnings[1]).toMatch(/layer "d1" \(kernel\) is .* % sparse instead of 75 %/);
  });

  it('strip names the layer that misses its sparsity, and why', async () => {
    const { x, y } = toyData();
    const model = toyModel();
    const p = pruneLowMagnitude(model, { schedule: ramp(0.75) });
    expect(() => p.strip()).toThrow(
      expect.objectContaining({
        code: 'SPARSITY_NOT_REACHED',
        message: expect.stringMatching(/"d1".*not been made/),
      }),
    );
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    model.getLayer('d1').setWeights([tf.ones([8, 16]), tf.zeros([16])]);
    await p.fit(x, y, { ...quiet, epochs: 5 });
    expect(() => p.strip()).toThrow(/layer "d1" \(kernel\) is 0 % sparse instead of 75 %: .*exact: true/);
  });
});

describe('what is refused', () => {
  const { probes, weights_map: map } = golden<{
    probes: Record<string, unknown>;
    weights_map: Record<string, string[]>;
  }>('registry');

  it('the registry is that of tfmot', () => {
    const others = new Set(['MultiHeadAttention', 'SyncBatchNormalization', 'type', 'RNN']);
    for (const [name, weights] of Object.entries(map)) {
      if (!others.has(name)) expect([name, prunableWeightNames(name)]).toEqual([name, weights]);
    }
    for (const [name, outcome] of Object.entries(probes)) {
      if (!others.has(name))
        expect([name, prunableWeightNames(name) !== null]).toEqual([name, outcome === 'ok']);
    }
  });

  it('layers that may hold what nobody names, and a layer alone with nothing to prune', () => {
    class Odd extends tf.layers.Layer {
      static className = 'OddOfTest';
      override build() {
        this.addWeight('table', [2, 2], 'float32', tf.initializers.ones());
        this.built = true;
      }
      override call(x: tf.Tensor | tf.Tensor[]) {
        return Array.isArray(x) ? x[0]! : x;
      }
    }
    const dense = () => tf.layers.dense({ units: 2, inputShape: [2] });
    const model = tf.sequential({ layers: [dense(), new Odd({ name: 'odd' })] });
    expect(() => pruneLowMagnitude(model)).toThrow(/layer "odd" \(OddOfTest\) cannot be pruned/);
    expect(pruneLowMagnitude(model, { perLayer: { odd: false } }).layers).toHaveLength(1);
    for (const layer of [tf.layers.prelu(), tf.layers.rescaling({ scale: 2 })]) {
      expect(() => pruneLowMagnitude(layer)).toThrow(code('UNSUPPORTED_LAYER'));
    }
  });

  it.each<[string, unknown, unknown?]>([
    ['toPrune', 3],
    ['toPrune', 'a model'],
    ['toPrune', null],
    ['toPrune', []],
    ['toPrune', [tf.layers.dense({ units: 1 }), 3]],
    ['options', 'model', { shedule: 1 }],
    ['schedule', 'model', { schedule: 0.5 }],
    ['scope', 'model', { scope: 'all' }],
    ['scope', 'model', { scope: 'global', blockSize: [2, 2] }],
    ['onUnreachedEnd', 'model', { onUnreachedEnd: 'ignore' }],
    ['totalSteps', 'model', { totalSteps: 0 }],
    ['policy', 'model', { policy: {} }],
    ['perLayer', 'model', { perLayer: { d9: false } }],
    ['blockSize', 'model', { blockSize: [0, 1] }],
    ['blockSize of layer "d2"', 'model', { blockSize: [2, 2] }],
    ['blockPooling', 'model', { blockPooling: 'SUM' }],
    ['sparsityMByN', 'model', { sparsityMByN: [2] }],
    ['sparsityMByN', 'model', { sparsityMByN: [4, 2] }],
    ['sparsityMByN', 'model', { sparsityMByN: 'ab' }],
    ['sparsityMByN', 'model', { sparsityMByN: [2.5, 4] }],
  ])('%s (%#)', (parameter, what, options) => {
    const target = what === 'model' ? toyModel() : what;
    expect(() => pruneLowMagnitude(target, options as PruneOptions)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ parameter }) }),
    );
  });

  it('blocks for convolutions, m-by-n for Conv1D, as tfmot', () => {
    const conv = tf.sequential({
      layers: [tf.layers.conv2d({ filters: 2, kernelSize: 1, inputShape: [4, 4, 2] })],
    });
    expect(() => pruneLowMagnitude(conv, { blockSize: [2, 2] })).toThrow(/blockSize of layer/);
    const conv1d = tf.sequential({
      layers: [tf.layers.conv1d({ filters: 2, kernelSize: 1, inputShape: [4, 3] })],
    });
    expect(() => pruneLowMagnitude(conv1d, { sparsityMByN: [2, 4] })).toThrow(/sparsityMByN of layer/);
  });

  it('a model twice, a model that is not compiled, weights that become NaN', async () => {
    const model = toyModel();
    pruneLowMagnitude(model).release();
    const p = pruneLowMagnitude(model, { schedule: ramp(0.5) });
    expect(() => pruneLowMagnitude(model, { schedule: ramp(0.6) })).toThrow(/being pruned already/);
    model.getLayer('d1').setWeights([tf.fill([8, 16], NaN), tf.zeros([16])]);
    const { x, y } = toyData();
    await expect(p.fit(x, y, { ...quiet, epochs: 5 })).rejects.toThrow(/"d1": its kernel has become NaN/);
    const bare = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [8] })] });
    await expect(pruneLowMagnitude(bare).fit(x, y)).rejects.toThrow(/compile/);
  });
});
