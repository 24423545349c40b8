import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileNetwork } from '../../src/convert.js';
import { addon, loadAddon } from '../../src/engine/find.js';
import { Model } from '../../src/engine/model.js';
import type { Outputs } from '../../src/engine/tensors.js';
import { addonOptions } from '../../src/engine/options.js';
import { writeProgram } from '../../src/file/write.js';
import { EspalierError, convertModel, csrFromDense, loadModel } from '../../src/index.js';
import { runReference } from '../../src/reference/index.js';
import { forms, goldenCases, readPort, worstError } from '../import/golden-cases.js';
import { ACTIVATIONS, NetworkBuilder, randomNetwork } from '../support/networks.js';
import { csr, sharedMatrix, mlp, normal, prune, random, scaleOf } from '../support/programs.js';
import { runProgram } from '../support/run-program.js';

/** A golden network of a vector to a vector. */
const mlpFolder = (): string =>
  goldenCases('models').find(({ name }) => name.endsWith('mlp_regression'))?.folder as string;

const ROOT = join(import.meta.dirname, '..', '..');
const load = (program: Parameters<typeof writeProgram>[0], options = {}) =>
  new Model(program, addonOptions({ threads: 1, ...options }));

/** What is thrown, or rejected with. */
async function caught(call: () => unknown): Promise<EspalierError> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError);
    return error as EspalierError;
  }
  throw new Error('nothing was thrown');
}

it('an option of a run that nobody knows is refused by name', async () => {
  const model = load(mlp([6, 4, 2], 0.5).program);
  const x = new Float32Array(6);
  const wrong = { output: new Float32Array(2) } as never;
  for (const call of [() => model.runSync(x, wrong), () => model.run(x, wrong)]) {
    const error = await caught(call);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: 'output' } });
  }
  model.dispose();
});

describe('models give what Keras gives', () => {
  const cases = [...goldenCases('models'), ...goldenCases('quantized'), ...goldenCases('keras3')].filter(
    (golden) => forms(golden).includes('model.json'),
  );
  it.each(cases)('$name: directly, through a file, off the event loop, alike', async (golden) => {
    const source = join(golden.folder, 'model.json');
    const direct = await loadModel(source, { threads: 1 });
    const bytes = await convertModel(source);
    expect(await convertModel(bytes)).toEqual(bytes);
    const stored = await loadModel(bytes, { threads: 2 });
    const inputs = golden.inputs.map((port) => readPort(golden, port));
    const list = (answer: unknown) =>
      (direct.outputs.length === 1 ? [answer] : Object.values(answer as object)) as {
        data: Float32Array;
      }[];
    const answers = list(direct.runSync(inputs));
    golden.outputs.forEach((port, i) => {
      expect(worstError(golden, answers[i]?.data ?? [], readPort(golden, port).data)).toBeLessThanOrEqual(1);
    });
    expect(list(stored.runSync(inputs))).toEqual(answers);
    expect(list(await stored.run(inputs))).toEqual(answers);
    direct.dispose();
    stored.dispose();
  });
});

it('random networks give what the reference executor gives, at every batch', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 1, max: 37 }),
      async (seed, batch) => {
        const network = randomNetwork(seed);
        const next = random(seed + 1);
        const inputs = network.inputs.map(({ value }) => {
          const shape = [batch, ...(network.values[value]?.shape.slice(1) as number[])];
          const length = shape.reduce((product, extent) => product * extent, 1);
          return { shape, data: Float32Array.from({ length }, () => 4 * next() - 2) };
        });
        const expected = runReference(network, inputs);
        fc.pre(expected.every(({ data }) => data.every((value) => Math.abs(value) < 1e6)));
        const model = load(await compileNetwork(network));
        const answer = model.runSync(inputs);
        const found = (network.outputs.length === 1 ? [answer] : Object.values(answer)) as typeof expected;
        expected.forEach(({ shape, data }, index) => {
          expect(found[index]?.shape).toEqual(shape);
          const scale = scaleOf(data);
          data.forEach((value, i) => {
            expect(Math.abs((found[index]?.data[i] as number) - value)).toBeLessThanOrEqual(5e-5 * scale);
          });
        });
        model.dispose();
      },
    ),
    { numRuns: 150 },
  );
});

it('every activation is computed, at sizes around those of registers', async () => {
  for (const activation of ACTIVATIONS) {
    for (const units of [1, 2, 7, 8, 9, 17, 33]) {
      const b = new NetworkBuilder(random(units));
      const network = b.finish(b.add('Dense', { units, useBias: true, activation }, b.input([units])));
      const data = normal(3 * units, random(9));
      const [expected] = runReference(network, [{ shape: [3, units], data }]);
      const found = load(await compileNetwork(network)).runSync(data) as Float32Array;
      found.forEach((value, i) => {
        const wanted = expected?.data[i] as number;
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(2e-5 * Math.max(1, Math.abs(wanted)));
      });
    }
  }
});

it('a file gives the same program as what was written, for one of every operation', () => {
  const program = sharedMatrix();
  const inputs = [normal(6, random(1)), normal(6, random(2))];
  const model = load(program);
  const answer = model.runSync(inputs) as Record<string, Float32Array>;
  expect(Object.keys(answer)).toEqual(['probabilities', 'score', 'again']);
  runProgram(program, inputs).forEach((expected, index) => {
    const found = Object.values(answer)[index] as Float32Array;
    expected.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 4));
  });
  // An input may be named as a record never should be.
  const record = Object.fromEntries([
    ['a', inputs[0]],
    ['__proto__', inputs[1]],
  ]) as Record<string, Float32Array>;
  expect(model.runSync(record)).toEqual(answer);
});

describe('inputs and outputs', () => {
  const { program } = mlp([3, 4, 2], 0.3);
  const model = load(program);
  const x = Float32Array.of(1, 2, 3, -4, 5, 0);
  const y = model.runSync(x) as Float32Array;

  it('take any numbers, in any form', async () => {
    expect(y).toHaveLength(4);
    const same = [
      [x],
      { input_1: x },
      Array.from(x),
      Float64Array.from(x),
      Int8Array.from(x),
      BigInt64Array.from([...x].map(BigInt)),
      [Array.from(x)],
      { data: x },
    ];
    for (const form of same) {
      expect(model.runSync(form as unknown as Float32Array)).toEqual(y);
      expect(await model.run(form as unknown as Float32Array)).toEqual(y);
    }
    expect(model.runSync({ data: Int32Array.from(x), shape: [2, 3] })).toEqual({ data: y, shape: [2, 2] });
    expect(await model.run({ input_1: { data: x, shape: [2, 3] } })).toEqual({ data: y, shape: [2, 2] });
    expect(model.runSync(new Float32Array(0))).toEqual(new Float32Array(0));
    expect(await model.run({ data: [], shape: [0, 3] })).toEqual({
      data: new Float32Array(0),
      shape: [0, 2],
    });
  });

  it('write into the arrays that are given, and only there', async () => {
    const room = new Float32Array(6).fill(9);
    const into = room.subarray(1, 5);
    const forms: Outputs[] = [into, [into], { dense_1: into }, { data: into }];
    for (const outputs of forms) {
      into.fill(0);
      expect(model.runSync(x, { outputs })).toBe(into);
      expect(into).toEqual(y);
      into.fill(0);
      expect(await model.run([x], { outputs })).toBe(into);
      expect(into).toEqual(y);
    }
    expect([room[0], room[5]]).toEqual([9, 9]);
  });

  it('are copied by run before it returns', async () => {
    const changing = Float32Array.from(x);
    const answer = model.run(changing);
    changing.fill(NaN);
    expect(await answer).toEqual(y);
  });

  it('let NaN and Infinity through as dense arithmetic does', () => {
    const answer = model.runSync(Float32Array.of(NaN, 1, 1, 1, 1, 1)) as Float32Array;
    const clean = model.runSync(Float32Array.of(1, 1, 1)) as Float32Array;
    expect(answer.subarray(2)).toEqual(clean);
  });

  it('bind: each call computes from and into the same memory', async () => {
    const inputs = Float32Array.from(x);
    const outputs = new Float32Array(4);
    const call = model.bind({ inputs, outputs });
    call();
    expect(outputs).toEqual(y);
    inputs.set([3, 2, 1], 0);
    call();
    expect(outputs).toEqual(model.runSync(inputs));
    expect(await caught(() => model.bind({ inputs: Array.from(x), outputs }))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('to be read at each call'),
    });
    structuredClone(inputs, { transfer: [inputs.buffer] });
    expect((await caught(call)).code).toBe('INVALID_INPUT');
  });

  it('that are wrong are named, with what was expected and what came', async () => {
    const cases: [unknown, unknown, RegExp][] = [
      [undefined, undefined, /^inputs: expected tensors for input_1, received undefined/],
      [7, undefined, /^inputs: .* received 7/],
      [
        new Float32Array(4),
        undefined,
        /^input_1: expected \[batch, 3\]: a multiple of 3 numbers, received 4 numbers/,
      ],
      [[x, x], undefined, /^inputs: expected 1 tensor \(input_1\), received an array of length 2/],
      [{ other: x }, undefined, /^inputs: expected the names input_1, received "other"/],
      [
        { data: x, shape: [3, 2] },
        undefined,
        /^input_1: expected shape \[batch, 3\], received shape \[3, 2\]/,
      ],
      [
        { data: x, shape: [1, 3] },
        undefined,
        /^input_1: expected 3 numbers for shape \[1, 3\], received 6 numbers/,
      ],
      [{ data: x, shape: [2] }, undefined, /received shape \[2\]/],
      [{ data: x, shape: 'no' }, undefined, /received shape "no"/],
      [[1, 2, '3'], undefined, /^input_1: expected numbers, received "3" at 2/],
      [[1, , 3], undefined, /received undefined at 1/],
      [new DataView(new ArrayBuffer(12)), undefined, /received DataView/],
      [{ data: new DataView(new ArrayBuffer(12)) }, undefined, /a typed array or an array of numbers/],
      [x, new Float64Array(4), /^dense_1: expected a Float32Array to write into, received Float64Array/],
      [x, new Float32Array(5), /^dense_1: expected 2 x 2 = 4 numbers, received Float32Array of length 5/],
      [x, [new Float32Array(4), y], /^outputs: expected 1 tensor/],
      [x, { dense_1: new Float32Array(4), b: y }, /^outputs: .* received "b"/],
    ];
    for (const [inputs, outputs, message] of cases) {
      const options = outputs === undefined ? undefined : { outputs: outputs as Float32Array };
      for (const call of [
        () => model.runSync(inputs as Float32Array, options),
        () => model.run(inputs as Float32Array, options),
      ]) {
        const error = await caught(call);
        expect(error.code).toBe('INVALID_INPUT');
        expect(error.message).toMatch(message);
        expect(error.details.parameter).toBeDefined();
      }
    }
  });
});

it('explain tells what was chosen for each layer, and why', () => {
  const model = load(mlp([300, 200, 10], 0.9).program);
  expect(model.explain()).toMatchObject([
    { name: 'dense', op: 'linear', rows: 200, cols: 300, nnz: 6000, sparsity: 0.9, batch: 1 },
    { name: 'dense_1', rows: 10, cols: 200, nnz: 200, sparsity: 0.9 },
  ]);
  for (const { layout, kernel, why, bytes } of model.explain(64)) {
    expect([layout, kernel, why].every((text) => text.length > 1)).toBe(true);
    expect(bytes).toBeGreaterThan(0);
  }
  const dense = load(mlp([300, 200, 10], 0.9).program, { layout: 'dense' });
  expect(dense.explain().map(({ layout }) => layout)).toEqual(['dense', 'dense']);
});

it('a disposed model says so, whatever is called, and ends calls in flight', async () => {
  const model = load(mlp([64, 64], 0.5).program);
  const call = model.bind({ inputs: new Float32Array(64), outputs: new Float32Array(64) });
  const flying = model.run(new Float32Array(64 * 100));
  model.dispose();
  model.dispose();
  expect(await flying).toHaveLength(6400);
  const x = new Float32Array(64);
  for (const use of [
    call,
    () => model.runSync(x),
    () => model.run(x),
    () => model.explain(),
    () => model.memory(),
  ]) {
    expect((await caught(use)).code).toBe('DISPOSED');
  }
});

it('options and sources that are wrong are refused', async () => {
  const bytes = writeProgram(mlp([2, 2], 0).program);
  const cases: [unknown, unknown, string, RegExp][] = [
    [bytes, { threads: 0 }, 'INVALID_ARGUMENT', /threads: expected a whole number from 1 to 1024/],
    [bytes, { threads: '2' }, 'INVALID_ARGUMENT', /threads/],
    [bytes, { batchSizes: [0] }, 'INVALID_ARGUMENT', /batchSizes/],
    [bytes, { isa: 'sse' }, 'INVALID_ARGUMENT', /isa/],
    [bytes, { layout: 'nice' }, 'INVALID_ARGUMENT', /layout/],
    [bytes, null, 'INVALID_ARGUMENT', /options/],
    [5, undefined, 'INVALID_ARGUMENT', /source/],
    ['', undefined, 'INVALID_ARGUMENT', /source/],
    ['/nowhere/model.esp', undefined, 'NOT_FOUND', /no model at/],
    ['bad\0path', undefined, 'NOT_FOUND', /no model at/],
    [bytes.subarray(0, 100), undefined, 'INVALID_MODEL', /./],
    [new Uint8Array(0), undefined, 'INVALID_MODEL', /./],
  ];
  for (const [source, options, code, message] of cases) {
    const error = await caught(() => loadModel(source as string, options as object));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  }
});

it('csrFromDense: zeros of either sign are left out, bad weights refused', async () => {
  const weights = prune(normal(35, random(4)), 0.6);
  weights[3] = -0;
  const { rowPtr, colIdx, values } = csr(weights, 5, 7);
  expect(csrFromDense(weights, 5, 7)).toEqual({ rowPtr, colIdx, values });
  for (const [call, code] of [
    [() => csrFromDense(weights, 5, 8), 'INVALID_ARGUMENT'],
    [() => csrFromDense(weights, -5, -7), 'INVALID_ARGUMENT'],
    [() => csrFromDense(Array.from(weights) as unknown as Float32Array, 5, 7), 'INVALID_ARGUMENT'],
    [() => csrFromDense(Float32Array.of(1, NaN), 1, 2), 'INVALID_INPUT'],
  ] as const) {
    expect((await caught(call)).code).toBe(code);
  }
});

it('an addon that is not there or does not load is told with the remedy', async () => {
  const error = await caught(() => loadAddon(['/nowhere/espalier.node', join(ROOT, 'package.json', 'x')]));
  expect(error.code).toBe('ADDON_MISSING');
  expect(error.message).toMatch(/\/nowhere\/espalier.node: not there[^]*npm rebuild espalier/);
});

// What follows runs the built package, as users do.
const ENTRY = JSON.stringify(pathToFileURL(join(ROOT, 'dist', 'index.js')).href);

it('every instruction set of this machine gives the same within rounding; an unknown one is refused', () => {
  const source = join(mlpFolder(), 'model.json');
  const script = `
    const { loadModel } = await import(${ENTRY});
    const model = await loadModel(${JSON.stringify(source)}, { threads: 1 });
    const length = model.inputs[0].shape[1];
    const answer = model.runSync(Float32Array.from({ length: 3 * length }, (_, i) => Math.sin(i)));
    console.log(JSON.stringify([...answer]));`;
  const run = (isa: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, ESPALIER_ISA: isa },
    });
  const [first, ...others] = addon()
    .cpu()
    .available.map((isa) => JSON.parse(run(isa).stdout) as number[]);
  for (const other of others) other.forEach((value, i) => expect(value).toBeCloseTo(first?.[i] as number, 4));
  expect(first?.length).toBeGreaterThan(0);
  expect(run('mmx').stderr).toMatch(/ESPALIER_ISA: expected one of/);
});

it('models run in worker threads, several at once, and after a thread has ended', async () => {
  const bytes = writeProgram(mlp([20, 30, 4], 0.7).program);
  const x = normal(100, random(5));
  const script = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { loadModel } = await import(${ENTRY});
    const model = await loadModel(workerData.bytes);
    parentPort.postMessage([model.runSync(workerData.x), await model.run(workerData.x)]);`;
  const here = (await loadModel(bytes)).runSync(x);
  const answers = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise((resolve, reject) => {
          const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
          const worker = new Worker(url, { workerData: { bytes, x } });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  for (const answer of answers) expect(answer).toEqual([here, here]);
  expect((await loadModel(bytes)).runSync(x)).toEqual(here);
});
