/** The contract of src/engine/addon.ts: what the addon computes and promises. */
import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Program } from '../../src/program/program.js';
import type { NativeModel } from '../../src/engine/addon.js';
import { addon, addonPaths } from '../../src/engine/find.js';
import { mlp, noise, OPTIONS, twoByTwo, type Mlp } from './addon-support.js';

const BATCHES = [1, 2, 3, 4, 5, 16, 17, 64, 65, 200];

function check({ expected }: Mlp, batch: number, x: Float32Array, y: Float32Array): void {
  const [inputs, outputs] = [x.length / batch, y.length / batch];
  for (let sample = 0; sample < batch; sample += 1) {
    const want = expected(x.subarray(sample * inputs, (sample + 1) * inputs));
    want.forEach((value, i) => expect(y[sample * outputs + i]).toBeCloseTo(value, 4));
  }
}

describe('cpu', () => {
  it('tells the instruction sets, the best first, and the caches', () => {
    const { isa, available, caches } = addon().cpu();
    expect(available.at(-1)).toBe('portable');
    expect(available).toContain(isa);
    expect(caches.l1d).toBeGreaterThan(0);
    expect(caches.l2).toBeGreaterThanOrEqual(caches.l1d);
  });
});

describe('running', () => {
  const network = mlp([16, 64, 33, 5]);
  for (const isa of addon().cpu().available) {
    for (const threads of [1, 2]) {
      it(`computes the same by runSync, bind and run: ${isa}, ${threads} threads`, async () => {
        const model = addon().load(network.program, { threads, batchSizes: [1], isa });
        for (const batch of BATCHES) {
          const x = noise(batch * 16, batch);
          const [direct, bound] = [new Float32Array(batch * 5), new Float32Array(batch * 5)];
          model.runSync(batch, [x], [direct]);
          model.bind(batch, [x], [bound])();
          const [later] = await model.run(batch, [x]);
          check(network, batch, x, direct);
          expect(bound).toEqual(direct);
          expect(later).toEqual(direct);
        }
        model.dispose();
      });
    }
  }

  it('lets no model wait for the long job of another', async () => {
    const [long, short] = [mlp([512, 2048, 2048, 8]), mlp([4, 8, 2])].map(({ program }) =>
      addon().load(program, { threads: 1, batchSizes: [1] }),
    ) as [NativeModel, NativeModel];
    const done: string[] = [];
    const x = noise(256 * 512, 1);
    // More of them than there are threads, the last ones queued.
    const jobs = Array.from({ length: 40 }, () => long.run(256, [x]).then(() => done.push('long')));
    await new Promise((resolve) => setImmediate(resolve));
    const [answer] = await short.run(1, [noise(4, 2)]);
    expect(answer).toHaveLength(2);
    expect(done.length).toBeLessThan(20);
    await Promise.all(jobs);
    long.dispose();
    short.dispose();
  });

  it('takes several inputs and gives several outputs', async () => {
    const model = addon().load(twoByTwo(), OPTIONS);
    const [a, b] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(10, 20, 30, 40)];
    const outputs = [new Float32Array(4), new Float32Array(8)];
    model.runSync(1, [a, b], outputs);
    expect(outputs.map((output) => [...output])).toEqual([
      [11, 22, 33, 44],
      [1, 2, 3, 4, 10, 20, 30, 40],
    ]);
    expect(await model.run(1, [a, b])).toEqual(outputs);
    const call = model.bind(1, [a, b], outputs);
    a[0] = 5;
    call();
    expect(outputs[0]![0]).toBe(15);
    expect(() => {
      model.runSync(1, [a, b], [outputs[1]!.subarray(0, 4), outputs[1]!]);
    }).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });

  it('computes in place, and with outputs that overlap inputs', () => {
    const square = mlp([40, 40]);
    const model = addon().load(square.program, OPTIONS);
    for (const batch of [1, 3, 70]) {
      const x = noise(batch * 40);
      const expected = new Float32Array(batch * 40);
      model.runSync(batch, [x], [expected]);
      for (const shift of [0, 8]) {
        const memory = new Float32Array(batch * 40 + shift);
        memory.set(x);
        model.runSync(batch, [memory.subarray(0, batch * 40)], [memory.subarray(shift)]);
        expect(memory.subarray(shift)).toEqual(expected);
      }
    }
  });

  it('takes views into larger buffers and shared memory', () => {
    const model = addon().load(network.program, OPTIONS);
    const shared = new Float32Array(new SharedArrayBuffer(4 * 32), 4, 16);
    shared.set(noise(16));
    const room = new Float32Array(20).fill(9);
    model.runSync(1, [shared], [room.subarray(3, 8)]);
    check(network, 1, Float32Array.from(shared), room.slice(3, 8));
    expect([...room.slice(0, 3), ...room.slice(8)]).toEqual(Array(15).fill(9));
  });

  it('copies the inputs of run, and keeps order and samples apart when many are in flight', async () => {
    const model = addon().load(network.program, { threads: 2, batchSizes: [] });
    const x = noise(16);
    const pending = Array.from({ length: 300 }, (_, i) => {
      x[0] = i;
      return model.run(1, [x]);
    });
    x.fill(NaN);
    const answers = await Promise.all(pending);
    const y = new Float32Array(5);
    answers.forEach(([answer], i) => {
      x.set(noise(16));
      x[0] = i;
      model.runSync(1, [x], [y]);
      expect(answer).toEqual(y);
    });
  });

  it('leaves the event loop free during run', async () => {
    const model = addon().load(mlp([512, 1024, 512], 0).program, OPTIONS);
    const x = noise(512 * 256);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    // However fast the machine: work of many milliseconds, and turns of the loop while it is done.
    for (let call = 0; call < 200 && turns <= 3; call++) {
      await Promise.all([model.run(256, [x]), model.run(256, [x]), model.run(256, [x])]);
    }
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    model.dispose();
  });

  it('explains each operation and tells its memory', () => {
    const model = addon().load(network.program, OPTIONS);
    const infos = model.explain(1);
    expect(infos.map(({ name, op, rows, cols }) => [name, op, rows, cols])).toEqual([
      ['dense_1', 'linear', 64, 16],
      ['dense_2', 'linear', 33, 64],
      ['dense_3', 'linear', 5, 33],
    ]);
    for (const info of infos) {
      expect(info.nnz).toBeGreaterThan(0);
      expect(info.kernel).not.toBe('');
      expect(info.reason).not.toBe('');
      expect(info.predictedNs).toBeGreaterThan(0);
    }
    const before = model.memory();
    model.explain(64);
    expect(model.memory()).toBeGreaterThan(before);
  });

  it('forces layouts and instruction sets by name', () => {
    const load = (options: object) => addon().load(network.program, { ...OPTIONS, ...options });
    expect(load({ layout: 'dense' }).explain(1)[0]!.layout).toBe('dense');
    expect(load({ layout: 'csr' }).explain(1)[0]!.layout).toBe('csr');
    expect(() => load({ layout: 'spiral' })).toThrow(/options.layout: expected one of .*dense/);
    expect(load({ isa: 'portable' }).explain(1)[0]!.kernel).toContain('portable');
    expect(() => load({ isa: 'sse9' })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('ESPALIER_ISA', () => {
  const run = (isa: string) =>
    spawnSync(process.execPath, ['-e', 'console.log(require(process.argv[1]).cpu().isa)', addonPaths()[0]!], {
      encoding: 'utf8',
      env: { ...process.env, ESPALIER_ISA: isa },
    });
  it('forces one', () => {
    expect(run('portable').stdout.trim()).toBe('portable');
  });
  it('refuses an unknown name and tells the known and the available', () => {
    const { status, stderr } = run('avx9');
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/ESPALIER_ISA: expected one of .*portable.*avx9.*known are avx512, avx2/s);
    expect(stderr).toContain('INVALID_ARGUMENT');
  });
});

describe('csrFromDense and kthLargestMagnitude', () => {
  it('give CSR whose dense form is the same', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.nat(9), fc.nat(9)).chain(([rows, cols]) =>
          fc.tuple(
            fc.constant(rows),
            fc.constant(cols),
            fc.array(fc.oneof(fc.constant(0), fc.constant(-0), fc.integer({ min: -3, max: 3 })), {
              minLength: rows * cols,
              maxLength: rows * cols,
            }),
          ),
        ),
        ([rows, cols, values]) => {
          const { rowPtr, colIdx, values: kept } = addon().csrFromDense(new Float32Array(values), rows, cols);
          const dense = new Array<number>(rows * cols).fill(0);
          for (let row = 0; row < rows; row += 1) {
            for (let i = rowPtr[row]!; i < rowPtr[row + 1]!; i += 1)
              dense[row * cols + colIdx[i]!] = kept[i]!;
          }
          expect(rowPtr.length).toBe(rows + 1);
          expect(dense).toEqual(values.map((value) => value + 0));
          expect(kept.every((value) => value !== 0)).toBe(true);
        },
      ),
    );
  });

  it('select as sorting does', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, minLength: 1, maxLength: 50 }), fc.nat(), (weights, at) => {
        const k = (at % weights.length) + 1;
        const sorted = [...weights].map(Math.abs).sort((a, b) => b - a);
        expect(addon().kthLargestMagnitude(weights, k)).toBe(sorted[k - 1]);
      }),
    );
    expect(() => addon().kthLargestMagnitude(Float32Array.of(1, NaN), 1)).toThrow(/NaN/);
    expect(() => addon().kthLargestMagnitude(Float32Array.of(1), 2)).toThrow(/k: expected/);
    expect(() => addon().csrFromDense(Float32Array.of(1, NaN), 1, 2)).toThrow(/row 0, column 1/);
    expect(() => addon().csrFromDense(Float32Array.of(1, 2, 3), 1, 2)).toThrow(/length 3/);
  });
});

describe('dispose', () => {
  it('waits for calls in flight, then refuses all; twice does no harm', async () => {
    const model = addon().load(mlp([256, 512, 64]).program, OPTIONS);
    const x = noise(256 * 64);
    const y = new Float32Array(64 * 64);
    model.runSync(64, [x], [y]);
    const bound = model.bind(64, [x], [y]);
    const pending = [model.run(64, [x]), model.run(64, [x])];
    model.dispose();
    model.dispose();
    for (const [answer] of await Promise.all(pending)) expect(answer).toEqual(y);
    const disposed = expect.objectContaining({ code: 'DISPOSED' }) as Error;
    expect(bound).toThrow(disposed);
    expect(() => {
      model.runSync(64, [x], [y]);
    }).toThrow(disposed);
    expect(() => model.run(64, [x])).toThrow(disposed);
    expect(() => model.bind(64, [x], [y])).toThrow(disposed);
    expect(() => model.explain(1)).toThrow(disposed);
    expect(() => model.memory()).toThrow(disposed);
  });

  it('may come in the middle of a call', () => {
    const model = addon().load(twoByTwo(), OPTIONS);
    const inputs = [noise(4), noise(4)];
    Object.defineProperty(inputs, 1, {
      get() {
        model.dispose();
        return noise(4);
      },
    });
    expect(() => {
      model.runSync(1, inputs, [noise(4), noise(8)]);
    }).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  });
});

describe('many calls', () => {
  it('grow nothing', async () => {
    const { program } = mlp([16, 64, 5]);
    const model = addon().load(program, OPTIONS);
    const [x, y] = [noise(16), new Float32Array(5)];
    const bound = model.bind(1, [x], [y]);
    const round = async () => {
      for (let i = 0; i < 100_000; i += 1) {
        model.runSync(1, [x], [y]);
        bound();
      }
      for (let i = 0; i < 50; i += 1) {
        await Promise.all(Array.from({ length: 40 }, () => model.run(1, [x])));
        addon().load(program, OPTIONS).dispose();
      }
    };
    await round();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 3; i += 1) await round();
    // A leak of 100 bytes a call would be 60 MB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(40e6);
  });
});

describe('worker threads', () => {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = require(workerData.addon);
    const model = addon.load(workerData.program, { threads: 2, batchSizes: [1, 64] });
    const outputs = Array.from({ length: 20 }, (_, i) => {
      const y = new Float32Array(64 * 5);
      model.runSync(64, [workerData.x], [y]);
      return y;
    });
    (async () => {
      const later = await Promise.all(Array.from({ length: 20 }, () => model.run(64, [workerData.x])));
      parentPort.postMessage([...outputs, ...later.map(([y]) => y)]);
      if (workerData.leave) { for (let i = 0; i < 200; i++) model.run(64, [workerData.x]); process.exit(0); }
    })();`;
  const start = (program: Program, x: Float32Array, leave: boolean) =>
    new Promise<Float32Array[]>((resolve, reject) => {
      const worker = new Worker(source, {
        eval: true,
        workerData: { addon: addonPaths()[0], program, x, leave },
      });
      let answer: Float32Array[] = [];
      worker.on('message', (message: Float32Array[]) => (answer = message));
      worker.on('error', reject);
      worker.on('exit', () => {
        resolve(answer);
      });
    });

  it('compute at the same time, and may end with calls in flight', async () => {
    const { program } = mlp([16, 256, 256, 5]);
    const x = noise(64 * 16);
    const y = new Float32Array(64 * 5);
    addon().load(program, OPTIONS).runSync(64, [x], [y]);
    const answers = await Promise.all([false, true, false, true].map((leave) => start(program, x, leave)));
    for (const answer of answers) {
      expect(answer).toHaveLength(40);
      for (const output of answer) expect(output).toEqual(y);
    }
  });

  it('may be the only ones that load the addon, and leave it behind', () => {
    const script = `
      const { Worker } = require('node:worker_threads');
      const source = ${JSON.stringify(source)};
      const run = () => new Promise((resolve) => new Worker(source, { eval: true, workerData: JSON.parse(process.argv[2], (k, v) =>
        v && v.f32 ? Float32Array.from(v.f32) : v && v.i32 ? Int32Array.from(v.i32) : v) }).on('exit', resolve));
      (async () => { await run(); await run(); await new Promise((r) => setTimeout(r, 50)); await Promise.all([run(), run()]); console.log('alive'); })();`;
    const data = JSON.stringify(
      { addon: addonPaths()[0], program: mlp([16, 256, 5]).program, x: noise(64 * 16), leave: true },
      (_, value: unknown) =>
        value instanceof Float32Array
          ? { f32: [...value] }
          : value instanceof Int32Array
            ? { i32: [...value] }
            : value,
    );
    const { stdout, status, stderr, signal } = spawnSync(process.execPath, ['-e', script, 'x', data], {
      encoding: 'utf8',
    });
    expect({ status, signal, stderr, stdout: stdout.trim() }).toEqual({
      status: 0,
      signal: null,
      stderr: '',
      stdout: 'alive',
    });
  });
});
