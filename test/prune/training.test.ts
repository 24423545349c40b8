import type { Tensor } from '@tensorflow/tfjs-node';
import { describe, expect, it } from 'vitest';
import { pruneLowMagnitude, type Pruned } from '../../src/prune.js';
import { bits } from './golden.js';
import {
  goldenData,
  goldenModel,
  goldenOptions,
  kernelOf,
  largestDifference,
  training,
  type GoldenRun,
} from './models.js';

const TOLERANCE = 1e-4;

function compareStep(p: Pruned, run: GoldenRun, i: number, loss: number) {
  const want = run.steps[i]!;
  const { step, weights } = p.state();
  expect(step).toBe(want.pruning_step);
  expect(loss, `loss of step ${step}`).toBeCloseTo(want.batch_loss, 4);
  for (const [layer, { weights: values, mask, threshold }] of Object.entries(want.layers)) {
    const got = weights.find((w) => w.layer === layer)!;
    expect(bits(got.mask), `mask of ${layer} in step ${step}`).toBe(mask);
    expect(Math.abs(got.threshold - threshold)).toBeLessThan(TOLERANCE);
    // tfmot's are those that the optimizer left; here whoever reads weights between steps sees masked ones.
    const masked = values.map((value, j) => value * got.mask[j]!);
    expect(largestDifference(kernelOf(p.model, layer), masked), `${layer} in step ${step}`).toBeLessThan(
      TOLERANCE,
    );
  }
}

function compareEpoch(p: Pruned, run: GoldenRun, epoch: number, loss: number) {
  const want = run.epochs_log[epoch]!;
  expect(Math.abs(loss - want.loss)).toBeLessThan(TOLERANCE);
  for (const [layer, sparsity] of Object.entries(want.mask_sparsity)) {
    const state = p.state().weights.find((w) => w.layer === layer)!;
    expect(state.sparsity).toBeCloseTo(sparsity, 6);
    const kernel = kernelOf(p.model, layer);
    expect(largestDifference(kernel, want.masked_weights[layer]![0]!)).toBeLessThan(TOLERANCE);
    expect(state.mask.every((bit, j) => bit === 1 || kernel[j] === 0)).toBe(true);
  }
}

describe('whole runs follow tfmot', () => {
  it.each(training.cases.map((c) => [c.name, c] as const))('%s by fit', async (_, run) => {
    const { x, y } = goldenData(run);
    const p = pruneLowMagnitude(goldenModel(run), goldenOptions(run));
    let steps = 0;
    let epochs = 0;
    for (let fit = 0; fit < run.fits; fit++) {
      await p.fit(x, y, {
        batchSize: run.batch_size,
        epochs: run.epochs,
        shuffle: false,
        verbose: 0,
        callbacks: {
          onBatchEnd: async (_batch, logs) => compareStep(p, run, steps++, Number(logs!.loss)),
          onEpochEnd: async (_epoch, logs) => compareEpoch(p, run, epochs++, Number(logs!.loss)),
        },
      });
    }
    expect([steps, epochs]).toEqual([run.steps.length, run.epochs_log.length]);
    const answer = (p.model.predict(x.slice(0, 8)) as Tensor).dataSync();
    expect(largestDifference(answer, run.final_prediction_first8)).toBeLessThan(TOLERANCE);
    expect(() => p.strip()).not.toThrow();
  });

  it.each(training.cases.map((c) => [c.name, c] as const))(
    '%s by a loop of one’s own with p.callback()',
    async (_, run) => {
      const { x, y } = goldenData(run);
      const p = pruneLowMagnitude(goldenModel(run), goldenOptions(run));
      const callback = p.callback();
      let step = 0;
      for (let epoch = 0; epoch < run.epochs * run.fits; epoch++) {
        for (let at = 0; at < x.shape[0]; at += run.batch_size) {
          const size = Math.min(run.batch_size, x.shape[0] - at);
          await callback.onBatchBegin();
          const loss = await p.model.trainOnBatch(x.slice(at, size), y.slice(at, size));
          await callback.onBatchEnd();
          compareStep(p, run, step++, Number(loss));
        }
        await callback.onEpochEnd();
      }
      expect(step).toBe(run.steps.length);
    },
  );

  it('without kerasEpsilon Adam is that of tfjs, which drifts from Keras', async () => {
    const run = training.cases.find(({ name }) => name === 'cnn_adam_poly')!;
    const { x, y } = goldenData(run);
    const drift = async (kerasEpsilon: boolean) => {
      const p = pruneLowMagnitude(goldenModel(run), { ...goldenOptions(run), kerasEpsilon });
      await p.fit(x, y, { batchSize: run.batch_size, epochs: run.epochs, shuffle: false, verbose: 0 });
      return largestDifference(kernelOf(p.model, 'c1'), run.epochs_log.at(-1)!.masked_weights['c1']![0]!);
    };
    expect(await drift(true)).toBeLessThan(5e-6);
    expect(await drift(false)).toBeGreaterThan(5e-6);
  });
});
