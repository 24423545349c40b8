/** What callers hand in: arrays of another realm are as good as ours, and detached ones are refused wherever they come. */
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Inputs } from '../../src/engine/tensors.js';
import { loadModel, type Model } from '../../src/index.js';
import { writeProgram } from '../../src/file/write.js';
import { isDetached } from '../../src/arrays.js';
import { mlp } from '../support/programs.js';

const bytes = writeProgram(mlp([4, 8, 3], 0.5).program);
let model: Model;
beforeAll(async () => {
  model = await loadModel(bytes);
});

/** An array of a realm with constructors of its own. */
function foreign<T>(type: string, values: readonly number[]): T {
  return runInNewContext(`new ${type}(values)`, { values }) as T;
}

function detached<T extends Float32Array | Float64Array | Uint8Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

const refusal = (name: string) => ({
  code: 'INVALID_INPUT',
  message: expect.stringMatching(new RegExp(`^${name}: expected .*, received .*detached`)) as unknown,
});

describe('arrays of another realm', () => {
  const numbers = [0.5, -1, 2, 0.25];
  it('are inputs, outputs, bound buffers and models', async () => {
    const x = foreign<Float32Array>('Float32Array', numbers);
    expect(x instanceof Float32Array).toBe(false);
    const expected = Array.from(model.runSync(Float32Array.from(numbers)) as Float32Array);
    for (const type of ['Float32Array', 'Float64Array', 'Array']) {
      const given =
        type === 'Array'
          ? (runInNewContext('[0.5, -1, 2, 0.25]') as number[])
          : foreign<Float32Array>(type, numbers);
      expect(Array.from(model.runSync(given) as Float32Array)).toEqual(expected);
      expect(
        Array.from(((await model.run({ data: given, shape: [1, 4] })) as { data: Float32Array }).data),
      ).toEqual(expected);
    }
    const y = foreign<Float32Array>('Float32Array', [0, 0, 0]);
    expect(model.runSync(x, { outputs: y })).toBe(y);
    expect(Array.from(y)).toEqual(expected);
    y.fill(0);
    expect(await model.run(x, { outputs: { dense_1: y } })).toBe(y);
    expect(Array.from(y)).toEqual(expected);
    y.fill(0);
    model.bind({ inputs: x, outputs: y })();
    expect(Array.from(y)).toEqual(expected);
    const source = foreign<Uint8Array>('Uint8Array', Array.from(bytes));
    const other = await loadModel(source);
    expect(Array.from(other.runSync(x) as Float32Array)).toEqual(expected);
    other.dispose();
  });
});

describe('detached arrays', () => {
  it('are told from empty ones', () => {
    expect(isDetached(new Float32Array(0))).toBe(false);
    expect(isDetached(detached(new Float32Array(4)))).toBe(true);
    expect(isDetached(detached(foreign<Float32Array>('Float32Array', [1])))).toBe(true);
  });

  it('are refused as inputs and outputs of every way to run', async () => {
    for (const x of [detached(new Float32Array(4)), detached(new Float64Array(4))]) {
      const forms: Inputs[] = [x, { data: x, shape: [0, 4] }, [x], { input_1: x }];
      for (const given of forms) {
        expect(() => model.runSync(given)).toThrow(expect.objectContaining(refusal('input_1')) as Error);
        await expect(model.run(given)).rejects.toMatchObject(refusal('input_1'));
        expect(() => model.bind({ inputs: given, outputs: new Float32Array(0) })).toThrow(
          expect.objectContaining(refusal('input_1')) as Error,
        );
      }
    }
    const y = detached(new Float32Array(3));
    for (const x of [new Float32Array(4), new Float32Array(0)]) {
      const error = expect.objectContaining(refusal('dense_1')) as Error;
      expect(() => model.runSync(x, { outputs: y })).toThrow(error);
      await expect(model.run(x, { outputs: y })).rejects.toMatchObject(refusal('dense_1'));
      expect(() => model.bind({ inputs: x, outputs: y })).toThrow(error);
    }
    expect(model.runSync(new Float32Array(0))).toHaveLength(0);
  });

  it('are refused as the bytes of a model', async () => {
    await expect(loadModel(detached(new Uint8Array(bytes)))).rejects.toMatchObject(refusal('source'));
    await expect(loadModel(new Uint8Array(0))).rejects.toMatchObject({ code: 'INVALID_MODEL' });
  });
});
