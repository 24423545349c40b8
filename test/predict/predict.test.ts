import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC, tableToIPC, tableFromArrays } from 'apache-arrow';
import { describe, expect, onTestFinished, test } from 'vitest';
import { predict, fingerprintOf, type PredictOptions, type Scorer } from '../../src/predict/predict.js';

const ROWS = 25;
const a = Float32Array.from({ length: ROWS }, (_, i) => i / 4);
const b = Float32Array.from({ length: ROWS }, (_, i) => 100 - i);
const expected = Array.from(a, (v, i) => v + 10 * b[i]!);

/** y = a + 10 b; fails at the run of that number. */
function scorer(failAt = Infinity, outputs = 1): () => Promise<Scorer> {
  let runs = 0;
  return async () => ({
    inputs: [{ name: 'x', shape: [null, 2] }],
    outputs: [{ name: 'y', shape: [null, outputs] }],
    async run(inputs) {
      const { data, shape } = inputs[0]!;
      if (++runs === failAt) throw new Error('the power is gone');
      return Float32Array.from({ length: shape[0]! * outputs }, (_, i) => {
        const row = Math.floor(i / outputs);
        return data[2 * row]! + 10 * data[2 * row + 1]! + (i % outputs);
      });
    },
    dispose: () => undefined,
  });
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'espalier-predict-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  await writeFile(
    join(path, 'in.csv'),
    `id,a,b\n${Array.from(a, (v, i) => `"row, ${i}\n",${v},${b[i]}`).join('\n')}\n`,
  );
  const json = Array.from(a, (v, i) => JSON.stringify({ a: v, b: b[i] }));
  await writeFile(join(path, 'in.jsonl'), json.join('\n'));
  await writeFile(join(path, 'in.arrow'), tableToIPC(tableFromArrays({ b, a }), 'file'));
  await writeFile(join(path, 'in.arrows'), tableToIPC(tableFromArrays({ b, a }), 'stream'));
  const header = Buffer.alloc(128, ' ');
  header.write('\x93NUMPY\x01\x00v\x00', 0, 'latin1');
  header.write(`{'descr': '<f8', 'fortran_order': False, 'shape': (${ROWS}, 2), }`, 10, 'latin1');
  const doubles = Float64Array.from({ length: 2 * ROWS }, (_, i) => (i % 2 === 0 ? a : b)[i >> 1]!);
  await writeFile(join(path, 'in.npy'), Buffer.concat([header, Buffer.from(doubles.buffer)]));
  return path;
}

const run = (at: string, input: string, output: string, more: Partial<PredictOptions> = {}) =>
  predict({
    model: join(at, 'in.csv'),
    input: join(at, input),
    output: join(at, output),
    batch: 4,
    loader: scorer(),
    ...more,
  });

describe('predict', () => {
  test('every input format gives the same scores', async () => {
    const at = await folder();
    for (const input of ['in.csv', 'in.jsonl', 'in.arrow', 'in.arrows', 'in.npy']) {
      const columns = input === 'in.npy' ? undefined : ['a', 'b'];
      expect(await run(at, input, 'out.csv', { columns })).toEqual({ rows: ROWS });
      const text = await readFile(join(at, 'out.csv'), 'utf8');
      expect(text).toBe(`y\n${expected.join('\n')}\n`);
    }
  });

  test('an npy shape that no array has is refused before anything is made', async () => {
    const at = await folder();
    for (const shape of ['(-1, 2)', '(1.5, 2)', '(9007199254740993, 2)', '(x, 2)']) {
      const header = Buffer.alloc(128, ' ');
      header.write('\x93NUMPY\x01\x00v\x00', 0, 'latin1');
      header.write(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`, 10, 'latin1');
      await writeFile(join(at, 'odd.npy'), Buffer.concat([header, Buffer.alloc(64)]));
      await expect(run(at, 'odd.npy', 'o.csv')).rejects.toMatchObject({
        code: 'INVALID_DATA',
        message: expect.stringContaining(shape),
      });
    }
  });

  test('a foreign error leaves as one of ours; an option that nobody knows is refused', async () => {
    const at = await folder();
    const columns = ['a', 'b'];
    await expect(run(at, 'in.csv', 'o.csv', { columns, loader: scorer(1) })).rejects.toMatchObject({
      name: 'EspalierError',
      code: 'INTERNAL',
      message: expect.stringContaining('the power is gone'),
    });
    await expect(run(at, 'in.csv', 'o.csv', { column: columns } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('"column"'),
    });
  });

  test('parquet of several row groups, with integers, texts and a gap', async () => {
    const at = await folder();
    // Written by pyarrow 26: row groups of 10 rows, small pages, snappy. "gap" is null in row 18 only.
    await copyFile(new URL('../golden/predict/table.parquet', import.meta.url), join(at, 'in.parquet'));
    for (const batch of [4, 7, 100]) {
      await run(at, 'in.parquet', 'out.jsonl', { columns: ['a', 'b'], keep: ['id', 'kind', 'b'], batch });
      const lines = (await readFile(join(at, 'out.jsonl'), 'utf8')).trim().split('\n');
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
        expected.map((y, i) => ({ id: `row, ${i}\n`, kind: ['red', 'blue', null][i % 3], b: b[i], y })),
      );
    }
    await expect(run(at, 'in.parquet', 'o.csv', { columns: ['a', 'gap'] })).rejects.toThrow(
      /row 18, column gap: expected a number, received null/,
    );
    await expect(run(at, 'in.parquet', 'o.csv', { columns: ['a', 'none'] })).rejects.toThrow(/column "none"/);
    const whole = await readFile(join(at, 'in.parquet'));
    await writeFile(join(at, 'cut.parquet'), whole.subarray(0, whole.length - 20));
    await expect(run(at, 'cut.parquet', 'o.csv')).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });

  test('every output format, with columns kept', async () => {
    const at = await folder();
    const options = { keep: ['id'], columns: ['a', 'b'] };
    await run(at, 'in.csv', 'out.jsonl', options);
    const lines = (await readFile(join(at, 'out.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { y: number }).y)).toEqual(expected);
    expect(JSON.parse(lines[3]!)).toEqual({ id: 'row, 3\n', y: expected[3] });
    await run(at, 'in.csv', 'out.arrow', options);
    const table = tableFromIPC(await readFile(join(at, 'out.arrow')));
    expect(Array.from(table.getChild('y')!)).toEqual(expected);
    expect(table.getChild('id')!.get(24)).toBe('row, 24\n');
    await run(at, 'in.npy', 'out.npy', { loader: scorer(Infinity, 2) });
    const npy = await readFile(join(at, 'out.npy'));
    expect(npy.toString('latin1', 10, 80)).toContain(`(${ROWS}, 2)`);
    expect(npy.length).toBe(128 + 8 * ROWS);
    expect(npy.readFloatLE(128 + 8 * 7 + 4)).toBe(expected[7]! + 1);
  });

  test('an interrupted run leaves no output, and goes on to the same bytes', async () => {
    const at = await folder();
    const { length } = await readFile(join(at, 'in.npy'));
    expect(length).toBeGreaterThan(0);
    for (const output of ['out.csv', 'out.npy', 'out.arrow']) {
      await run(at, 'in.npy', output);
      const whole = await readFile(join(at, output));
      await rm(join(at, output));
      await expect(run(at, 'in.npy', output, { loader: scorer(4) })).rejects.toThrow(/power/);
      await expect(stat(join(at, output))).rejects.toThrow();
      // The record is made every megabyte of output: here by hand, after three batches of four rows.
      const partial = await readFile(join(at, `${output}.partial`));
      const files = { model: join(at, 'in.csv'), input: join(at, 'in.npy'), output };
      const settings = await fingerprintOf({ ...files, batch: 4 }, output.split('.')[1]!);
      const record = { settings, rows: 12, bytes: partial.length };
      await writeFile(join(at, `${output}.progress.json`), JSON.stringify(record));
      let rowsRun = 0;
      const loader = async () => {
        const made = await scorer()();
        const inner = made.run.bind(made);
        return {
          ...made,
          run: (x: Parameters<Scorer['run']>[0]) => ((rowsRun += x[0]!.shape[0]!), inner(x)),
        };
      };
      await run(at, 'in.npy', output, { resume: true, loader });
      expect(rowsRun).toBe(ROWS - 12);
      expect((await readFile(join(at, output))).equals(whole)).toBe(true);
      await expect(stat(join(at, `${output}.progress.json`))).rejects.toThrow();
    }
  });

  test('bad tables are refused with row and column', async () => {
    const at = await folder();
    await writeFile(join(at, 'bad.csv'), 'a,b\n1,2\n3,x\n');
    await expect(run(at, 'bad.csv', 'o.csv')).rejects.toThrow(
      /row 2, column b: expected a number, received "x"/,
    );
    await writeFile(join(at, 'short.csv'), 'a,b\n1,2\n3\n');
    await expect(run(at, 'short.csv', 'o.csv')).rejects.toThrow(/row 2: expected 2 fields/);
    await expect(run(at, 'in.csv', 'o.csv', { columns: ['a', 'q'] })).rejects.toThrow(/column "q"/);
    await expect(run(at, 'in.csv', 'o.csv')).rejects.toThrow(/expected 2, one for each feature/);
    await writeFile(join(at, 'cut.npy'), (await readFile(join(at, 'in.npy'))).subarray(0, 300));
    await expect(run(at, 'cut.npy', 'o.csv')).rejects.toThrow(/whole npy file/);
    await expect(run(at, 'none.csv', 'o.csv')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(run(at, 'in.csv', 'o.parquet')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('raw columns are encoded as training stored it, found beside the model or named', async () => {
    const at = await folder();
    const encoder = {
      columns: [
        { kind: 'number', column: 'n', mean: 10, deviation: 4, missing: true },
        { kind: 'text', column: 'c', categories: ['1', 'red'] },
      ],
      dropped: {},
    };
    const stored = {
      format: 'espalier-preprocessing',
      version: 1,
      target: 't',
      scale: { mean: 0, deviation: 1 },
      split: { seed: 1, validation: 0.1, test: 0.1 },
      encoder,
    };
    await writeFile(join(at, 'preprocessing.json'), JSON.stringify(stored));
    const lines = ['t,c,n,id', '0,red,14,a', '0,1.0,NA,b', '0,blue,10,c', '0,,6,d', '0, 1 ,10,e'];
    await writeFile(join(at, 'raw.csv'), `${lines.join('\n')}\n`);
    // y is 1, 10, 100, … times the inputs: value, missing; other, "1", "red".
    const loader = async (): Promise<Scorer> => ({
      inputs: [{ name: 'x', shape: [null, 5] }],
      outputs: [{ name: 'y', shape: [null, 1] }],
      run: async (inputs) => {
        const { data, shape } = inputs[0]!;
        return Float32Array.from({ length: shape[0]! }, (_, row) =>
          data.subarray(5 * row, 5 * row + 5).reduce((sum, value, i) => sum + value * 10 ** i, 0),
        );
      },
      dispose: () => undefined,
    });
    const wanted = ['a,10001', 'b,1010', 'c,100', 'd,99', 'e,1000'];
    await run(at, 'raw.csv', 'out.csv', { keep: ['id'], loader });
    expect(await readFile(join(at, 'out.csv'), 'utf8')).toBe(`id,y\n${wanted.join('\n')}\n`);
    const named = { keep: ['id'], loader, preprocessing: join(at, 'preprocessing.json') };
    const json = [
      { c: 'red', n: 14, id: 'a' },
      { c: 1, n: null, id: 'b' },
      { c: 'blue', n: 10, id: 'c' },
      { c: null, n: 6, id: 'd' },
      { c: '1', n: '10', id: 'e' },
    ];
    await writeFile(join(at, 'raw.jsonl'), json.map((row) => JSON.stringify(row)).join('\n'));
    await run(at, 'raw.jsonl', 'out.csv', named);
    expect(await readFile(join(at, 'out.csv'), 'utf8')).toBe(`id,y\n${wanted.join('\n')}\n`);

    await writeFile(join(at, 'wrong.csv'), 'n,c\n1,red\nmany,red\n');
    await expect(run(at, 'wrong.csv', 'out.csv', { loader })).rejects.toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringMatching(/row 2, column n: expected a number, as in training/) as string,
    });
    await expect(run(at, 'raw.csv', 'out.csv', { loader, preprocessing: false })).rejects.toThrow(
      /5, one for each feature/,
    );
    await expect(
      run(at, 'raw.csv', 'out.csv', { loader, preprocessing: join(at, 'nowhere') }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // One that is not of this model is passed over where it was not asked for.
    await run(at, 'in.csv', 'out.csv', { columns: ['a', 'b'] });
    await expect(
      run(at, 'in.csv', 'out.csv', { preprocessing: join(at, 'preprocessing.json') }),
    ).rejects.toThrow(/2 inputs, as the model has/);
  });
});
