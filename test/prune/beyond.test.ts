import * as tf from '@tensorflow/tfjs-node';
import { describe, expect, it } from 'vitest';
import { importLayersModel } from '../../src/import/index.js';
import {
  checkSchedule,
  ConstantSparsity,
  drawSchedule,
  planSchedule,
  PolynomialDecay,
  PruneForLatency,
  pruneLowMagnitude,
  pruneOneShot,
  proposeSparsities,
  sensitivityScan,
} from '../../src/prune.js';
import { kernelOf, largestDifference, toyData, toyModel } from './models.js';

const quiet = { verbose: 0, batchSize: 16, shuffle: false } as const;
const ramp = new PolynomialDecay({
  initialSparsity: 0,
  finalSparsity: 0.75,
  beginStep: 0,
  endStep: 16,
  frequency: 2,
});
const zeros = (values: ArrayLike<number>) => Array.from(values).filter((v) => v === 0).length / values.length;

describe('plans and traps', () => {
  it('a plan says what training does', async () => {
    const plan = planSchedule(ramp, 20);
    expect(plan.updates.map(({ step }) => step)).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
    expect(plan).toMatchObject({ finalSparsity: 0.75, target: 0.75, reachesEnd: true });
    expect(drawSchedule(plan).split('\n')).toHaveLength(10);
    expect(drawSchedule(plan)).toContain('0.75');
  });

  it('each trap is told, with the numbers', () => {
    const codes = (schedule: PolynomialDecay | ConstantSparsity, run: Parameters<typeof checkSchedule>[1]) =>
      checkSchedule(schedule, run).map(({ code }) => code);
    const decay = (options: object) =>
      new PolynomialDecay({
        initialSparsity: 0,
        finalSparsity: 0.8,
        beginStep: 0,
        endStep: 100,
        frequency: 10,
        ...options,
      });
    expect(codes(decay({}), { steps: 200, stepsPerEpoch: 20 })).toEqual([]);
    expect(codes(decay({}), 50)).toContain('END_NOT_REACHED');
    expect(codes(decay({ frequency: 300 }), 200)).toEqual(['NOTHING_PRUNED', 'FREQUENCY_EXCEEDS_RUN']);
    expect(codes(new ConstantSparsity({ targetSparsity: 0.5 }), 99)).toContain('NOTHING_PRUNED');
    expect(codes(decay({ frequency: 30 }), 200)).toEqual(['LAST_UPDATE_MISSES_END']);
    expect(codes(decay({ power: -1 }), 200)).toContain('SPARSITY_OUT_OF_RANGE');
    expect(codes(decay({ initialSparsity: 0.9 }), 200)).toContain('SPARSITY_DECREASES');
    expect(codes(decay({}), { steps: 200, stepsPerEpoch: 10, earlyStoppingPatience: 3 })).toEqual([
      'EARLY_STOPPING_FIRST',
    ]);
    expect(codes(decay({}), { steps: 101, stepsPerEpoch: 20 })).toEqual(['NO_RECOVERY']);
    expect(codes(decay({}), { steps: 200, learningRate: 1e-6 })).toEqual(['LEARNING_RATE_SMALL']);
    expect(codes(decay({}), { steps: 200, learningRate: 1e-4, denseLearningRate: 1e-2 })).toEqual([
      'LEARNING_RATE_SMALL',
    ]);
  });
});

describe('early stopping', () => {
  it('never stops before the target is reached, and keeps no earlier epoch', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp });
    const stopping = p.earlyStopping({ monitor: 'loss', patience: 1, minDelta: 1e9 });
    const seen: Float32Array[] = [];
    const onEpochEnd = async () => void seen.push(kernelOf(p.model, 'd1').slice());
    const { epoch } = await p.fit(x, y, {
      ...quiet,
      epochs: 20,
      callbacks: [stopping, { onEpochEnd }] as never,
    });
    // 4 steps an epoch: the target is reached at the end of epoch 3; then two epochs without a gain of 1e9.
    expect(epoch).toEqual([0, 1, 2, 3, 4, 5]);
    expect(stopping.best!.epoch).toBe(3);
    expect(largestDifference(kernelOf(p.model, 'd1'), seen[3]!)).toBe(0);
    expect(zeros(kernelOf(p.strip(), 'd1'))).toBe(0.75);
  });

  it('refuses what it cannot watch', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { schedule: ramp });
    const callbacks = [p.earlyStopping({ monitor: 'val_los', mode: 'min' })] as never;
    await expect(p.fit(x, y, { ...quiet, epochs: 5, callbacks })).rejects.toThrow(
      /monitor: expected a name among/,
    );
    expect(() => p.earlyStopping({ patience: -1 })).toThrow(/patience/);
  });
});

describe('distillation', () => {
  it('the student follows the teacher; without a share of it nothing changes', async () => {
    const { x, y } = toyData();
    const teacher = toyModel();
    await teacher.fit(x, y, { ...quiet, epochs: 10 });
    const wrong = tf.zerosLike(y);
    const distance = async (alpha: number | null) => {
      const p = pruneLowMagnitude(toyModel({ rate: 0.02 }), { schedule: ramp });
      const distillation = alpha === null ? undefined : { teacher, alpha };
      await p.fit(x, wrong, { ...quiet, epochs: 10, distillation });
      expect(p.state().step).toBe(40);
      const gap = tf.losses.meanSquaredError(
        teacher.predict(x) as tf.Tensor,
        p.strip().predict(x) as tf.Tensor,
      );
      return gap.dataSync()[0]!;
    };
    const [all, none, plain] = [await distance(1), await distance(0), await distance(null)];
    expect(all).toBeLessThan(none / 2);
    expect(none).toBeCloseTo(plain, 5);
  });

  it('softens probabilities, and checks the teacher', async () => {
    const classifier = () => {
      const model = tf.sequential({
        layers: [
          tf.layers.dense({
            units: 3,
            inputShape: [8],
            activation: 'softmax',
            name: 'd',
            kernelInitializer: tf.initializers.glorotUniform({ seed: 5 }),
          }),
        ],
      });
      model.compile({ optimizer: tf.train.adam(0.05), loss: 'categoricalCrossentropy' });
      return model;
    };
    const { x } = toyData();
    const labels = tf.oneHot(x.slice([0, 0], [-1, 3]).argMax(-1).toInt(), 3).toFloat();
    const teacher = classifier();
    await teacher.fit(x, labels, { ...quiet, epochs: 10 });
    const p = pruneLowMagnitude(classifier(), { schedule: ramp });
    await p.fit(x, labels, {
      ...quiet,
      epochs: 12,
      distillation: { teacher, alpha: 1, temperature: 3 },
      validationData: [x, labels],
    });
    const agree = (p.model.predict(x) as tf.Tensor)
      .argMax(-1)
      .equal((teacher.predict(x) as tf.Tensor).argMax(-1));
    expect(agree.toFloat().mean().dataSync()[0]).toBeGreaterThan(0.7);
    await expect(p.fit(x, labels, { ...quiet, distillation: { teacher: toyModel() } })).rejects.toThrow(
      /teacher/,
    );
    await expect(p.fit(x, labels, { ...quiet, distillation: { teacher, alpha: 2 } })).rejects.toThrow(
      /alpha/,
    );
  });
});

describe('one-shot', () => {
  it('prunes a copy of a model, by magnitude to the count', () => {
    const model = toyModel();
    const before = kernelOf(model, 'd1').slice();
    const pruned = pruneOneShot(model, { sparsity: 0.75 });
    expect(zeros(kernelOf(pruned, 'd1'))).toBe(0.75);
    expect(largestDifference(kernelOf(model, 'd1'), before)).toBe(0);
    const some = pruneOneShot(model, { sparsity: { d1: 0.5 } });
    expect([zeros(kernelOf(some, 'd1')), zeros(kernelOf(some, 'd2'))]).toEqual([0.5, 0]);
    expect(zeros(kernelOf(pruneOneShot(model, { sparsity: 0.5, skip: ['d1'] }), 'd1'))).toBe(0);
  });

  it('wanda prunes what its inputs do not move, in models and networks alike', async () => {
    const model = toyModel();
    // The last four inputs are nearly silent: weights on them are worth nothing, however large.
    const scale = tf.tensor1d([1, 1, 1, 1, 1e-3, 1e-3, 1e-3, 1e-3]);
    const x = tf.randomNormal([256, 8], 0, 1, 'float32', 3).mul<tf.Tensor2D>(scale);
    const y = model.predict(x) as tf.Tensor;
    const error = (m: tf.LayersModel) =>
      tf.losses.meanSquaredError(y, m.predict(x) as tf.Tensor).dataSync()[0]!;
    const wanda = pruneOneShot(model, { sparsity: 0.5, calibration: x, skip: ['d2'] });
    const magnitude = pruneOneShot(model, { sparsity: 0.5, skip: ['d2'] });
    expect(error(wanda)).toBeLessThan(error(magnitude) / 100);
    const mask = kernelOf(wanda, 'd1').map((v) => (v === 0 ? 0 : 1));
    expect([...mask]).toEqual(Array.from({ length: 128 }, (_, i) => (i < 64 ? 1 : 0)));

    const network = await importLayersModel(model);
    const calibration = [{ shape: x.shape, data: x.dataSync() as Float32Array }];
    const pruned = pruneOneShot(network, { sparsity: 0.5, calibration, skip: ['d2'] });
    expect(pruned.layers.find((l) => l.name === 'd1')!.weights['kernel']!.data).toEqual(
      kernelOf(wanda, 'd1'),
    );
    expect(
      zeros(
        pruneOneShot(network, { sparsity: 0.75 }).layers.find((l) => l.name === 'd1')!.weights['kernel']!
          .data,
      ),
    ).toBe(0.75);
  });

  it('takes m-by-n, blocks and one threshold for all', () => {
    const model = toyModel();
    const x = tf.randomNormal([64, 8], 0, 1, 'float32', 3);
    const aware = { method: 'activation-aware', calibration: x } as const;
    for (const options of [{}, aware]) {
      const pairs = kernelOf(pruneOneShot(model, { ...options, sparsityMByN: [2, 4], skip: ['d2'] }), 'd1');
      for (let out = 0; out < 16; out++) {
        for (const group of [0, 4]) {
          const left = [0, 1, 2, 3].filter((i) => pairs[(group + i) * 16 + out] !== 0);
          expect(left).toHaveLength(2);
        }
      }
      const one = { ...options, sparsity: 0.5, blockSize: [2, 2], skip: ['d2'] } as const;
      const blocks = kernelOf(pruneOneShot(model, one), 'd1');
      expect(zeros(blocks)).toBe(0.5);
      expect(blocks[0] === 0).toBe(blocks[17] === 0);
    }
    const all = pruneOneShot(model, { sparsity: 0.75, scope: 'global' });
    const [d1, d2] = [kernelOf(all, 'd1'), kernelOf(all, 'd2')];
    expect(zeros([...d1, ...d2])).toBe(0.75);
    expect(zeros(d1)).not.toBe(zeros(d2));
  });

  it('refuses wrong arguments', () => {
    const model = toyModel();
    expect(() =>
      pruneOneShot(model, { sparsity: 0.5, scope: 'global', calibration: tf.zeros([2, 8]) }),
    ).toThrow(/scope/);
    expect(() => pruneOneShot(model, { sparsity: 0.5, sparsityMByN: [2, 4] })).toThrow(/sparsity/);
    expect(() => pruneOneShot(model, { sparsity: 0.5, blockSize: [2, 2] })).toThrow(
      /blockSize of layer "d2"/,
    );
    expect(() => pruneOneShot(model, { sparsity: 1 })).toThrow(/sparsity/);
    expect(() => pruneOneShot(model, { sparsity: { d9: 0.5 } })).toThrow(/d9/);
    expect(() => pruneOneShot(model, { sparsity: 0.5, method: 'wanda' })).toThrow(/calibration/);
    expect(() => pruneOneShot(model, { sparsity: 0.5, calibration: tf.zeros([2, 3]) })).toThrow(
      /calibration/,
    );
    expect(() => pruneOneShot(3 as never, { sparsity: 0.5 })).toThrow(/LayersModel or a Network/);
    expect(() => pruneOneShot(model, null as never)).toThrow(/options/);
  });
});

describe('sensitivity', () => {
  it('scans layer by layer, leaves the model alone and proposes within the budget', async () => {
    const { x, y } = toyData();
    const model = toyModel();
    await model.fit(x, y, { ...quiet, epochs: 30 });
    const before = kernelOf(model, 'd1').slice();
    const evaluate = (m: tf.LayersModel) => (m.evaluate(x, y) as tf.Scalar).dataSync()[0]!;
    const report = await sensitivityScan(model, {
      evaluate,
      sparsities: [0.5, 0.9],
      budget: { sparsity: 0.6 },
    });
    expect(largestDifference(kernelOf(model, 'd1'), before)).toBe(0);
    expect(report.dense).toBe(evaluate(model));
    expect(report.layers.map(({ layer, size }) => [layer, size])).toEqual([
      ['d1', 128],
      ['d2', 16],
    ]);
    const alone = pruneOneShot(model, { sparsity: { d1: 0.9 } });
    expect(report.layers[0]!.errors[1]!.error).toBeCloseTo(evaluate(alone), 6);
    const { proposal } = report;
    expect((128 * proposal!['d1']! + 16 * proposal!['d2']!) / 144).toBeGreaterThanOrEqual(0.6);
  });

  it('an error budget is kept, an impossible one refused', () => {
    const layers = [
      {
        layer: 'a',
        size: 100,
        errors: [
          { sparsity: 0.5, error: 1.1 },
          { sparsity: 0.9, error: 3 },
        ],
      },
      {
        layer: 'b',
        size: 10,
        errors: [
          { sparsity: 0.5, error: 1 },
          { sparsity: 0.9, error: 1.5 },
        ],
      },
    ];
    expect(proposeSparsities(1, layers, { error: 1.2 })).toEqual({ a: 0.5, b: 0.5 });
    expect(proposeSparsities(1, layers, { error: 1 })).toEqual({ a: 0, b: 0.5 });
    expect(proposeSparsities(1, layers, { sparsity: 0.9 })).toEqual({ a: 0.9, b: 0.9 });
    const cost = (layer: string, sparsity: number) => (layer === 'a' ? 100 * (1 - sparsity) : 10);
    expect(proposeSparsities(1, layers, { latency: 70, cost })).toEqual({ a: 0.5, b: 0 });
    // 110 weights take 440 bytes dense; 50 of a take 200 and a mask of 12.5.
    expect(proposeSparsities(1, layers, { size: 260 })).toEqual({ a: 0.5, b: 0.5 });
    expect(() => proposeSparsities(1, layers, { size: 1 })).toThrow(/at best \d+ bytes/);
    expect(() => proposeSparsities(1, layers, { sparsity: 0.95 })).toThrow(/0.900/);
    expect(() => proposeSparsities(1, layers, {})).toThrow(/budget/);
  });
});

describe('PruneForLatency', () => {
  it('chooses what the engine runs faster for zeros, and says how many are needed', () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 1024, inputShape: [1024], name: 'large' }),
        tf.layers.dense({ units: 1, name: 'tiny' }),
      ],
    });
    const policy = new PruneForLatency({ sparsity: 0.9 });
    const explained = policy.explain(model);
    expect(explained.map(({ layer, rows, cols }) => [layer, rows, cols])).toEqual([
      ['large', 1024, 1024],
      ['tiny', 1, 1024],
    ]);
    const [large] = explained;
    expect(large!.needed).toBeLessThanOrEqual(0.9);
    expect(large!.sparseNs).toBeLessThan(large!.denseNs);
    expect(policy.select(model)).toContain('large');
    expect(policy.select(model)).toEqual(explained.filter(({ prune }) => prune).map(({ layer }) => layer));
    expect(new PruneForLatency({ sparsity: 0 }).select(model)).toEqual([]);
    const cost = policy.cost(model);
    expect(cost('large', 0.95)).toBeLessThan(cost('large', 0));
    expect(() => policy.select({})).toThrow(/LayersModel/);
    expect(() => new PruneForLatency({ batch: 0 })).toThrow(/batch/);
  });
});
