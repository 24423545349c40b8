/** Weights in fewer bits: at load, at conversion, in the file; and tuning. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Program } from '../../src/program/program.js';
import { roundValues, VALUE_FORMATS, type ValueFormat } from '../../src/program/value-formats.js';
import { readProgram } from '../../src/file/read.js';
import { writeProgram } from '../../src/file/write.js';
import { convertModel, loadModel } from '../../src/index.js';
import { cacheBytes } from '../../src/measure/race/machine.js';
import { csr, LINEAR, mlp, normal, random } from '../support/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-values-'));
const FEWER = VALUE_FORMATS.filter((format) => format !== 'float32');
/** Half a unit of the last place, relative; of the row's largest magnitude for int8. */
const STEP: Record<string, number> = { bfloat16: 2 ** -8, float16: 2 ** -11, int8: 0.501 / 127 };

function oneLayer(dense: ArrayLike<number>, rows: number, cols: number): Program {
  return {
    version: 1,
    name: 'one',
    values: [{ features: cols }, { features: rows }],
    inputs: [{ name: 'x', shape: [null, cols], dtype: 'float32', value: 0 }],
    outputs: [{ name: 'y', shape: [null, rows], dtype: 'float32', value: 1 }],
    operations: [
      {
        op: 'linear',
        name: 'l',
        input: 0,
        output: 1,
        positions: 1,
        weight: csr(dense, rows, cols),
        bias: null,
        activation: LINEAR,
      },
    ],
  };
}
const weightOf = (program: Program) => (program.operations[0] as { weight: ReturnType<typeof csr> }).weight;

describe('rounding', () => {
  it('stays within half a step of every weight, keeps positions in order, and is done once', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FEWER),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.oneof(fc.float({ noNaN: true, min: -60000, max: 60000 }), fc.constant(0)), {
          minLength: 5,
          maxLength: 60,
        }),
        (format, rows, numbers) => {
          const cols = Math.floor(numbers.length / rows);
          const dense = Float32Array.from(numbers.slice(0, rows * cols));
          const rounded = roundValues(oneLayer(dense, rows, cols), format);
          const { rowPtr, colIdx, values } = weightOf(rounded);
          const found = new Float32Array(rows * cols);
          for (let row = 0; row < rows; row++) {
            for (let i = rowPtr[row] as number; i < (rowPtr[row + 1] as number); i++) {
              expect(values[i]).not.toBe(0);
              found[row * cols + (colIdx[i] as number)] = values[i] as number;
            }
          }
          for (let row = 0; row < rows; row++) {
            const own = dense.subarray(row * cols, (row + 1) * cols);
            const largest = own.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
            own.forEach((w, col) => {
              const size = format === 'int8' ? largest : Math.abs(w);
              const floor = format === 'float16' ? 2 ** -25 : format === 'int8' ? 2 ** -142 : 2 ** -134;
              const error = Math.abs((found[row * cols + col] as number) - w);
              expect(error).toBeLessThanOrEqual(size * (STEP[format] as number) + floor);
            });
          }
          expect(roundValues(rounded, format)).toEqual(rounded);
          expect(readProgram(writeProgram(rounded))).toEqual(rounded);
        },
      ),
    );
  });

  it('is the same in the addon, bit for bit', async () => {
    const dense = normal(40 * 30, random(4)).map((w) => (Math.abs(w) < 0.6 ? 0 : w * 1e-3));
    const program = oneLayer(dense, 40, 30);
    for (const format of FEWER) {
      const weight = weightOf(roundValues(program, format));
      const model = await loadModel(writeProgram(program), { values: format, layout: 'csr' });
      const expected = new Float32Array(40 * 30);
      for (let row = 0; row < 40; row++) {
        for (let i = weight.rowPtr[row] as number; i < (weight.rowPtr[row + 1] as number); i++) {
          expected[row * 30 + (weight.colIdx[i] as number)] = weight.values[i] as number;
        }
      }
      for (let col = 0; col < 30; col++) {
        const x = new Float32Array(30);
        x[col] = 1;
        const y = model.runSync(x) as Float32Array;
        expect([...y]).toEqual(Array.from({ length: 40 }, (_, row) => expected[row * 30 + col]));
      }
      model.dispose();
    }
  });
});

describe('a file in fewer bits', () => {
  const { program } = mlp([256, 200, 100], 0.75, 9);
  const whole = writeProgram(program);

  it('is smaller, stable when converted again, and runs as the model rounded at load', async () => {
    const x = normal(256 * 3, random(5));
    let before = whole.length;
    for (const format of ['bfloat16', 'int8'] as const) {
      const path = join(folder, `${format}.esp`);
      const bytes = await convertModel(whole, path, { values: format });
      expect(bytes.length).toBeLessThan(before * 0.85);
      before = bytes.length;
      expect(await convertModel(path, undefined, { values: format })).toEqual(bytes);
      expect(await convertModel(path)).toEqual(bytes);
      const [one, two] = [await loadModel(path), await loadModel(whole, { values: format })];
      expect(one.runSync(x)).toEqual(two.runSync(x));
      expect(one.explain(1)).toEqual(two.explain(1));
      const float32 = await loadModel(path, { values: 'float32' });
      expect(float32.explain(1).map(({ values }) => values)).toEqual(['float32', 'float32']);
      for (const model of [one, two, float32]) model.dispose();
    }
  });

  it('is refused where it is damaged', async () => {
    const bytes = await convertModel(whole, undefined, { values: 'int8' });
    const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const json = JSON.parse(Buffer.from(bytes.subarray(8, header)).toString());
    const [begin] = json.scales.data_offsets as [number];
    for (const scale of [0, NaN, Infinity, 3e38]) {
      const broken = bytes.slice();
      new DataView(broken.buffer).setFloat32(header + begin, scale, true);
      await expect(loadModel(broken)).rejects.toMatchObject({ code: 'INVALID_MODEL' });
      expect(() => readProgram(broken)).toThrow(expect.objectContaining({ code: 'INVALID_MODEL' }));
    }
  });
});

describe('options', () => {
  const { program } = mlp([60, 50, 8], 0.8, 3);
  const bytes = writeProgram(program);

  it('tune measures, tells it, and changes nothing but speed', async () => {
    const x = normal(60 * 20, random(2));
    const tuned = await loadModel(bytes, { tune: true, batchSizes: [1, 20] });
    const plain = await loadModel(bytes, { layout: 'csr' });
    for (const batch of [1, 20]) {
      for (const layer of tuned.explain(batch)) {
        expect(layer).toMatchObject({ why: 'measured at load', batch });
        expect(layer.measuredNs).toBeGreaterThan(0);
      }
      const [a, b] = [tuned, plain].map((model) => model.runSync(x.subarray(0, 60 * batch)) as Float32Array);
      (a as Float32Array).forEach((value, i) =>
        expect(value).toBeCloseTo((b as Float32Array)[i] as number, 4),
      );
    }
    expect(plain.explain(1)[0]).toMatchObject({ measuredNs: null, values: 'float32', why: 'forced' });
    tuned.dispose();
    plain.dispose();
  });

  it('cold counts the reading of weights from memory, and changes nothing but speed', async () => {
    const { program: wide } = mlp([512, 512, 8], 0.5, 5);
    const x = normal(512, random(3));
    const models = await Promise.all(
      [{}, { cold: true }, { cold: true, tune: true }].map((options) =>
        loadModel(writeProgram(wide), options),
      ),
    );
    const [hot, cold] = models.map((model) => model.explain(1)[0]);
    expect(cold?.predictedNs).toBeGreaterThan(hot?.predictedNs as number);
    expect(models[2]?.explain(1)[0]?.measuredNs).toBeGreaterThan(0);
    const [a, b, c] = models.map((model) => model.runSync(x) as Float32Array);
    a?.forEach((value, i) => {
      expect(b?.[i]).toBeCloseTo(value, 3);
      expect(c?.[i]).toBeCloseTo(value, 3);
    });
    for (const model of models) model.dispose();
  });

  it('takes a model that exceeds the last-level cache to be cold', async () => {
    const cols = 4096;
    const rows = Math.ceil(cacheBytes() / 4 / cols) + 16;
    const { program: small } = mlp([cols, 64], 0.5, 5);
    const [layer] = small.operations;
    const large: Program = {
      ...small,
      values: [...small.values, { features: rows }],
      operations: [
        layer as Program['operations'][number],
        {
          op: 'linear',
          name: 'large',
          input: 0,
          output: small.values.length,
          positions: 1,
          weight: csr(new Float32Array(rows * cols).fill(0.5), rows, cols),
          bias: null,
          activation: LINEAR,
        },
      ],
    };
    const predicted: number[] = [];
    for (const [program, options] of [
      [small, {}],
      [small, { cold: true }],
      [large, {}],
    ] as const) {
      const model = await loadModel(writeProgram(program), options);
      predicted.push(model.explain(1)[0]?.predictedNs as number);
      model.dispose();
    }
    expect(predicted[1]).toBeGreaterThan(predicted[0] as number);
    expect(predicted[2]).toBe(predicted[1]);
  });

  it('are refused by name', async () => {
    const wrong: [object, string][] = [
      [{ tune: 'yes' }, 'tune'],
      [{ tune: 1 }, 'tune'],
      [{ cold: 'no' }, 'cold'],
      [{ values: 'int4' }, 'values'],
      [{ values: 8 }, 'values'],
      [{ values: null }, 'values'],
    ];
    for (const [options, parameter] of wrong) {
      await expect(loadModel(bytes, options)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { parameter },
      });
    }
    await expect(convertModel(bytes, undefined, { values: 'toString' as ValueFormat })).rejects.toMatchObject(
      { code: 'INVALID_ARGUMENT', details: { parameter: 'values' } },
    );
  });
});
