import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  pruneLowMagnitude,
  PruningSchedule,
  resumePruning,
  type PruneOptions,
  type Pruned,
} from '../../src/prune.js';
import { goldenData, goldenModel, goldenOptions, toyData, toyModel, training } from './models.js';
import { seal } from '../../src/safetensors.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'espalier-resume-'))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

const everything = (p: Pruned) => ({
  weights: p.model.getWeights().map((w) => Buffer.from(w.dataSync().slice().buffer).toString('hex')),
  state: p.state(),
});

describe('stop and resume equals unbroken, bit for bit', () => {
  it.each(training.cases.map((c) => [c.name, c] as const))(
    '%s, saved after each epoch',
    async (name, run) => {
      const { x, y } = goldenData(run);
      const epochs = run.epochs * run.fits;
      const args = { batchSize: run.batch_size, shuffle: false, verbose: 0 };
      const options = {
        ...goldenOptions(run),
        totalSteps: run.steps.length,
        onUnreachedEnd: 'warn',
      } as PruneOptions;
      const whole = pruneLowMagnitude(goldenModel(run), options);
      await whole.fit(x, y, { ...args, epochs });
      let p = pruneLowMagnitude(goldenModel(run), options);
      for (let epoch = 0; epoch < epochs; epoch++) {
        await p.fit(x, y, { ...args, epochs: 1 });
        const dir = join(folder, `${name}-${epoch}`);
        await p.save(dir);
        p.release();
        p = await resumePruning(dir, { onWarning: () => undefined });
      }
      expect(everything(p)).toEqual(everything(whole));
    },
  );

  it('in the middle of an epoch, where what the optimizer made of pruned weights is not zero', async () => {
    const run = training.cases[0]!;
    const { x, y } = goldenData(run);
    const batch = async (p: Pruned, i: number) => p.trainOnBatch(x.slice(i * 8, 8), y.slice(i * 8, 8));
    const whole = pruneLowMagnitude(goldenModel(run), goldenOptions(run));
    let p = pruneLowMagnitude(goldenModel(run), goldenOptions(run));
    for (let i = 0; i < 5; i++) {
      await batch(whole, i);
      await batch(p, i);
      const dir = join(folder, `middle-${i}`);
      await p.save(dir);
      expect(everything(p)).toEqual(everything(whole));
      p.release();
      p = await resumePruning(dir);
    }
    expect(everything(p)).toEqual(everything(whole));
  });

  it('with schedules of one’s own, global scope, a loss function', async () => {
    class Half extends PruningSchedule {
      constructor() {
        super({ beginStep: 2, endStep: 6, frequency: 2 });
      }
      at(step: number) {
        return { shouldPrune: this.shouldPruneInStep(step), sparsity: 0.5 };
      }
    }
    const { x, y } = toyData();
    const model = toyModel();
    const loss = (a: tf.Tensor, b: tf.Tensor) => tf.losses.absoluteDifference(a, b);
    model.compile({ optimizer: tf.train.rmsprop(0.01), loss });
    const p = pruneLowMagnitude(model, {
      schedule: new Half(),
      scope: 'global',
      exact: true,
      totalSteps: 16,
    });
    const args = { batchSize: 16, epochs: 2, shuffle: false, verbose: 0 };
    await p.fit(x, y, args);
    const dir = join(folder, 'own');
    await p.save(dir);
    await expect(resumePruning(dir)).rejects.toThrow(/loss/);
    await expect(resumePruning(dir, { loss: loss as never })).rejects.toThrow(/Half/);
    const q = await resumePruning(dir, { loss: loss as never, schedules: { Half } });
    await p.fit(x, y, args);
    await q.fit(x, y, args);
    expect(everything(q)).toEqual(everything(p));
  });
});

describe('what is saved', () => {
  it('is always masked, whoever saves and whenever', async () => {
    const run = training.cases[0]!;
    const { x, y } = goldenData(run);
    const p = pruneLowMagnitude(goldenModel(run), goldenOptions(run));
    for (let i = 0; i < 2; i++) await p.trainOnBatch(x.slice(i * 8, 8), y.slice(i * 8, 8));
    const before = everything(p);
    const { mask } = p.state().weights[0]!;
    const isMasked = (values: ArrayLike<number>) => mask.every((bit, i) => bit === 1 || values[i] === 0);
    expect(isMasked(p.model.getWeights()[0]!.dataSync())).toBe(true);
    for (const [name, save] of [
      ['p', (dir: string) => p.save(dir)],
      ['model', (dir: string) => p.model.save(`file://${dir}`)],
    ] as const) {
      const dir = join(folder, `masked-${name}`);
      await save(dir);
      const again = await tf.loadLayersModel(`file://${join(dir, 'model.json')}`);
      expect(isMasked(again.getWeights()[0]!.dataSync())).toBe(true);
    }
    expect(everything(p)).toEqual(before);
  });

  it('is refused when damaged', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { onUnreachedEnd: 'warn', onWarning: () => undefined });
    await p.fit(x, y, { epochs: 1, verbose: 0 });
    const dir = join(folder, 'damaged');
    await p.save(dir);
    const file = join(dir, 'pruning.safetensors');
    const bytes = await readFile(file);
    for (const bad of [bytes.subarray(0, 5), bytes.subarray(0, bytes.length - 9), Buffer.from('{}')]) {
      await writeFile(file, bad);
      await expect(resumePruning(dir)).rejects.toThrow(expect.objectContaining({ code: 'INVALID_DATA' }));
    }
    const renamed = Buffer.from(
      bytes.toString('latin1').replace('model/d1/kernel', 'model/d9/kernel'),
      'latin1',
    );
    await writeFile(file, renamed);
    await expect(resumePruning(dir)).rejects.toThrow(/it was changed since/);
    // With a checksum that fits, by what it lacks.
    seal(renamed, 8 + Number(renamed.readBigUInt64LE()));
    await writeFile(file, renamed);
    await expect(resumePruning(dir)).rejects.toThrow(/model\/d1\/kernel/);
    await expect(resumePruning(join(folder, 'nowhere'))).rejects.toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    await expect(resumePruning('')).rejects.toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
