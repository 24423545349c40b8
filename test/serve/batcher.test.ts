import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Batcher, type BatchOptions } from '../../src/serve/batcher.js';
import { portOf } from '../../src/serve/version.js';
import { fakeModel, type FakeDescription } from './fake.js';

function batcher(description: FakeDescription, options: Partial<BatchOptions> = {}) {
  const model = fakeModel(description);
  const ports = { inputs: model.inputs.map(portOf), outputs: model.outputs.map(portOf) };
  const made = new Batcher(model, ports, {
    maxBatch: 8,
    maxDelayMicros: 200,
    maxQueue: 100,
    concurrency: 1,
    batchSizes: [1, 2, 4, 8],
    ...options,
  });
  return { model, batcher: made };
}

const row = (v: number, rows = 1) => [new Float32Array(4 * rows).fill(v)];
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('dynamic batching', () => {
  test('a lone request runs at its own size', async () => {
    const { model, batcher: b } = batcher({});
    const [y] = await b.submit(row(1, 3), 3, Infinity).outputs;
    expect(Array.from(y!)).toEqual([4, 5, 6, 4, 5, 6, 4, 5, 6]);
    expect(model.runs).toEqual([3]);
  });

  test('what arrives together runs together, padded to a size of the engine', async () => {
    const { model, batcher: b } = batcher({});
    const answers = await Promise.all([1, 2, 3].map((v) => b.submit(row(v), 1, Infinity).outputs));
    expect(answers.map(([y]) => y![0])).toEqual([4, 8, 12]);
    expect(model.runs).toEqual([4]);
  });

  test('never more than maxBatch rows, never more runs than concurrency', async () => {
    const { model, batcher: b } = batcher({ milliseconds: 2 }, { concurrency: 2 });
    const answers = Array.from({ length: 40 }, (_, i) => b.submit(row(i), 1, Infinity).outputs);
    expect((await Promise.all(answers)).map(([y]) => y![0])).toEqual(
      Array.from({ length: 40 }, (_, i) => 4 * i),
    );
    expect(Math.max(...model.runs)).toBeLessThanOrEqual(8);
    expect(model.most()).toBe(2);
  });

  test('a large request runs in slices, in turn with small ones', async () => {
    const { model, batcher: b } = batcher({ milliseconds: 1 });
    const order: string[] = [];
    const large = b.submit([Float32Array.from({ length: 80 }, (_, i) => Math.floor(i / 4))], 20, Infinity);
    const small = b.submit(row(7), 1, Infinity);
    await Promise.all([
      large.outputs.then(([y]) => {
        order.push('large');
        expect(Array.from({ length: 20 }, (_, i) => y![3 * i])).toEqual(
          Array.from({ length: 20 }, (_, i) => 4 * i),
        );
      }),
      small.outputs.then(([y]) => {
        order.push('small');
        expect(y![0]).toBe(28);
      }),
    ]);
    expect(order).toEqual(['small', 'large']);
    expect(Math.max(...model.runs)).toBe(8);
  });

  test('the queue is bounded: more is refused at once', async () => {
    const { batcher: b } = batcher({ milliseconds: 5 }, { maxQueue: 3 });
    const first = b.submit(row(1), 1, Infinity);
    await turn();
    await turn();
    const waiting = [1, 2, 3].map(() => b.submit(row(1), 1, Infinity));
    expect(() => b.submit(row(1), 1, Infinity)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
    await Promise.all([first, ...waiting].map(({ outputs }) => outputs));
  });

  test('a deadline ends the wait; what is cancelled does not run', async () => {
    const { model, batcher: b } = batcher({ milliseconds: 400 });
    const first = b.submit(row(1), 1, Infinity);
    await turn();
    await turn();
    const late = b.submit(row(2), 1, performance.now() + 5);
    const gone = b.submit(row(3), 1, Infinity);
    const cancelled = expect(gone.outputs).rejects.toMatchObject({ code: 'CANCELLED' });
    gone.cancel();
    await cancelled;
    await expect(late.outputs).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await first.outputs;
    await b.idle();
    expect(model.runs).toEqual([1]);
    expect([b.waiting, b.running]).toEqual([0, 0]);
  });

  test('a run that fails fails its requests and no others', async () => {
    const { batcher: b } = batcher({ fails: 'run' });
    for (let i = 0; i < 9; i++) await b.submit(row(1), 1, Infinity).outputs;
    await expect(b.submit(row(1), 1, Infinity).outputs).rejects.toThrow(/secret/);
    expect(b.waiting).toBe(0);
    await b.idle();
  });

  test('any mix of sizes, cancellations and batch limits answers every row with its own', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ rows: fc.integer({ min: 1, max: 30 }), cancel: fc.boolean() }), {
          maxLength: 25,
        }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 3 }),
        async (requests, maxBatch, concurrency) => {
          const { model, batcher: b } = batcher({ outputs: { y: [1], z: [2] } }, { maxBatch, concurrency });
          let next = 0;
          const settled = await Promise.allSettled(
            requests.map(({ rows, cancel }) => {
              const data = Float32Array.from({ length: 4 * rows }, () => next++);
              const ticket = b.submit([data], rows, Infinity);
              if (cancel) ticket.cancel();
              return ticket.outputs.then(([y, z]) => {
                for (let i = 0; i < rows; i++) {
                  const sum = data.subarray(4 * i, 4 * i + 4).reduce((p, c) => p + c, 0);
                  expect([y![i], z![2 * i], z![2 * i + 1]]).toEqual([sum, sum + 1, sum + 2]);
                }
                expect(y!.length).toBe(rows);
              });
            }),
          );
          await b.idle();
          expect(settled.map(({ status }) => status)).toEqual(
            requests.map(({ cancel }) => (cancel ? 'rejected' : 'fulfilled')),
          );
          expect([b.waiting, b.running]).toEqual([0, 0]);
          expect(model.runs.every((size) => size <= maxBatch || size <= 8)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
