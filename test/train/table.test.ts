import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Dataset, fitPreprocessing } from '../../src/table/dataset.js';
import { Encoder, fitEncoder, inputWidth } from '../../src/table/encoder.js';
import { splitRows } from '../../src/table/split.js';
import { columnOf, readTable, targetValues } from '../../src/table/table.js';
import { temporaryFolder, writeSmallTable } from './tables.js';

const folder = temporaryFolder();
let count = 0;
function csv(text: string): string {
  count += 1;
  const path = join(folder, `t${count}.csv`);
  writeFileSync(path, text);
  return path;
}
const rows = (...numbers: number[]) => Uint32Array.from(numbers);

describe('reading a table', () => {
  test('numbers, texts, quotes, missing values and an empty last line', async () => {
    const table = await readTable(csv('n,"te, xt",m\n1,"a ""b""",NA\n-2e3,,4\n 3 ,c,\n\n'));
    expect(table.rows).toBe(3);
    const n = columnOf(table, 'n');
    expect(n.kind === 'number' && [...n.values]).toEqual([1, -2000, 3]);
    const text = columnOf(table, 'te, xt');
    expect(text.kind === 'text' && [text.texts, [...text.codes]]).toEqual([
      ['a "b"', 'c'],
      [0, -1, 1],
    ]);
    const m = columnOf(table, 'm');
    expect(m.kind === 'number' && [...m.values]).toEqual([NaN, 4, NaN]);
  });

  test('a text late in a column keeps the earlier values as they were written', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `00${i}`);
    const table = await readTable(csv(`id\n${lines.join('\n')}\nx1\n`));
    const id = columnOf(table, 'id');
    expect(id.kind).toBe('text');
    expect(id.kind === 'text' && id.texts[7]).toBe('007');
  });

  test.each([
    ['a row too short', 'a,b\n1,2\n3\n', /expected 2 values in data row 2, received 1/],
    ['a row too long', 'a,b\n1,2,3\n', /received 3/],
    ['two columns of one name', 'a,a\n1,2\n', /names that differ/],
    ['no rows', 'a,b\n', /at least one row/],
    ['nothing', '', /at least one row/],
    ['a quote that never ends', 'a,b\n"1,2\n', /quote/i],
  ])('%s is refused', async (_, text, message) => {
    await expect(readTable(csv(text))).rejects.toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringMatching(message),
    });
  });

  test('a file that is not there, and a folder', async () => {
    await expect(readTable(join(folder, 'none.csv'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readTable(folder)).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });

  test('a missing column is named, as is a target that is no number', async () => {
    const table = await readTable(csv('a,b,c\n1,x,1\n2,y,\n'));
    expect(() => targetValues(table, 'price')).toThrow(/expected a column "price", found a, b, c/);
    expect(() => targetValues(table, 'b')).toThrow(/target b, data row 1: expected a number, received "x"/);
    expect(() => targetValues(table, 'c')).toThrow(/target c, data row 2: expected a number/);
  });
});

describe('the encoder', () => {
  test('is fitted on training rows only, and knows missing and unknown values', async () => {
    const table = await readTable(csv('y,n,t,same\n0,1,a,5\n0,3,b,5\n0,,a,5\n0,100,z,5\n0,3,,5\n'));
    const settings = fitEncoder(table, rows(0, 1, 2), ['y']);
    expect(settings.columns).toEqual([
      { kind: 'number', column: 'n', mean: 2, deviation: 1, missing: true },
      { kind: 'text', column: 't', categories: ['a', 'b'] },
    ]);
    expect(settings.dropped).toEqual({ same: 'every value is the same' });
    expect(inputWidth(settings)).toBe(5);
    const encoder = new Encoder(settings, table);
    expect(encoder.width).toBe(5);
    const encoded = [...encoder.encode(rows(0, 1, 2, 3, 4))];
    expect(encoded.slice(0, 5)).toEqual([-1, 0, 0, 1, 0]);
    expect(encoded.slice(5, 10)).toEqual([1, 0, 0, 0, 1]);
    expect(encoded.slice(10, 15)).toEqual([0, 1, 0, 1, 0]);
    expect(encoded.slice(15, 20)).toEqual([98, 0, 1, 0, 0]);
    expect(encoded.slice(20, 25)).toEqual([1, 0, 1, 0, 0]);
    expect([...encoder.encode(rows(0, 1, 2, 3), 1, 3)]).toEqual(encoded.slice(5, 15));
  });

  test('names are left out, frequent categories kept', async () => {
    const lines = Array.from({ length: 900 }, (_, i) => `${i % 7},name${i},cat${i % 300}`);
    const settings = fitEncoder(
      await readTable(csv(`y,id,cat\n${lines.join('\n')}\n`)),
      Uint32Array.from({ length: 900 }, (_, i) => i),
      ['y'],
    );
    expect(settings.dropped.id).toMatch(/names, not categories/);
    expect(settings.columns).toHaveLength(1);
    expect(inputWidth(settings)).toBe(257);
  });

  test('another table must have the columns, with numbers where training had numbers', async () => {
    const settings = fitEncoder(await readTable(csv('y,n\n0,1\n0,2\n')), rows(0, 1), ['y']);
    const without = await readTable(csv('y,m\n0,1\n'));
    expect(() => new Encoder(settings, without)).toThrow(/expected a column "n", found y, m/);
    const texts = await readTable(csv('y,n\n0,1\n0,two\n'));
    expect(() => new Encoder(settings, texts)).toThrow(
      /column n, data row 2: expected a number, as in training, received "two"/,
    );
  });

  test('the target is scaled by training rows only', async () => {
    const table = await readTable(csv('y,n,part\n1,1,train\n3,2,train\n100,3,validation\n900,4,test\n'));
    const preprocessing = fitPreprocessing(table, 'y', {
      column: 'part',
      seed: 1,
      validation: 0.1,
      test: 0.1,
    });
    expect(preprocessing.scale).toEqual({ mean: 2, deviation: 1 });
    expect(preprocessing.encoder.columns.map(({ column }) => column)).toEqual(['n']);
    expect([...new Dataset(table, preprocessing).targets('test')]).toEqual([900]);
  });
});

describe('the split', () => {
  const shares = { seed: 3, validation: 0.2, test: 0.2 };

  test('by rows: each row in one part, shares about right, the same every time', async () => {
    const table = await readTable(writeSmallTable(folder, 2000));
    const split = splitRows(table, shares);
    const all = [...split.train, ...split.validation, ...split.test].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    expect(split.test.length).toBeGreaterThan(320);
    expect(split.test.length).toBeLessThan(480);
    expect(splitRows(table, shares)).toEqual(split);
    expect(splitRows(table, { ...shares, seed: 4 }).test).not.toEqual(split.test);
  });

  test('by group: no group in two parts', async () => {
    const table = await readTable(writeSmallTable(folder, 400, 'groups.csv'));
    const split = splitRows(table, { ...shares, group: 'day' });
    const days = (part: Uint32Array) => new Set([...part].map((row) => row % 20));
    const [train, validation, held] = [days(split.train), days(split.validation), days(split.test)];
    expect(train.size + validation.size + held.size).toBe(20);
  });

  test('by column; other words, a missing column and an empty part are refused', async () => {
    const settings = { column: 'part', seed: 1, validation: 0.1, test: 0.1 };
    const table = await readTable(csv('y,part\n1,train\n2,Validation\n3,held-out\n4,train\n'));
    expect(splitRows(table, settings)).toEqual({ train: rows(0, 3), validation: rows(1), test: rows(2) });
    const odd = await readTable(csv('y,part\n1,train\n2,constructor\n'));
    expect(() => splitRows(odd, settings)).toThrow(
      /column part, data row 2: expected train, validation or test/,
    );
    expect(() => splitRows(odd, { ...settings, column: 'fold' })).toThrow(/expected a column "fold"/);
    const empty = await readTable(csv('y,part\n1,train\n2,test\n'));
    expect(() => splitRows(empty, settings)).toThrow(/expected rows to validate on, found none/);
    expect(() => splitRows(empty, { seed: 1, validation: 0.5, test: 0.5 })).toThrow(/together below 1/);
  });
});
