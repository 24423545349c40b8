/** The reader of CSV against papaparse, over tables and ways to cut them into chunks. */
import fc from 'fast-check';
import papa from 'papaparse';
import { expect, test } from 'vitest';
import { csv } from '../../src/table/stream/csv.js';

async function read(text: string, size: number, batch: number, keep: string[] = []) {
  const bytes = Buffer.from(text);
  const chunks = async function* () {
    // One piece of memory for all of them, as the reader of files has.
    const chunk = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size)
      yield chunk.subarray(0, bytes.copy(chunk, 0, at, at + size));
  };
  const rows: number[][] = [];
  const kept: unknown[] = [];
  const options = { path: '', features: 2, columns: ['a', 'b'], keep, batch };
  for await (const piece of csv(chunks(), options)) {
    for (let row = 0; row < piece.rows; row++) rows.push([...piece.data.subarray(2 * row, 2 * row + 2)]);
    for (const name of keep) kept.push(...piece.kept.get(name)!);
    expect(piece.rows).toBeLessThanOrEqual(batch);
  }
  return { rows, kept };
}

const number = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
);
const text = fc
  .oneof(
    fc.constantFrom('plain', '', 'a,b', 'say "so"', 'two\nlines', 'ä€😀', ' 1 '),
    fc.string({ maxLength: 6 }),
  )
  .filter((value) => !/\r/.test(value));

test('any table, any quotes, any chunks: what papaparse reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(number, text, number), { minLength: 1, maxLength: 30 }),
      fc.constantFrom('\n', '\r\n'),
      fc.constantFrom('', '\uFEFF'),
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (table, newline, mark, size, batch, open) => {
        const whole = papa.unparse([['a', 't', 'b'], ...table], { newline });
        const { rows, kept } = await read(`${mark}${whole}${open ? '' : newline}`, size, batch, ['t']);
        expect(rows).toEqual(table.map(([a, , b]) => [Math.fround(Number(a)), Math.fround(Number(b))]));
        expect(kept).toEqual(table.map(([, own]) => own));
      },
    ),
    { numRuns: 300 },
  );
});

test('lines that end as on an old Mac, empty lines, columns in another order', async () => {
  expect((await read('b,a\r1,2\r3,4\r', 100, 9)).rows).toEqual([
    [2, 1],
    [4, 3],
  ]);
  expect((await read('\n\nb,x,a\n\n1,,2\n\n\n3,,4\n\n', 3, 1)).rows).toEqual([
    [2, 1],
    [4, 3],
  ]);
  expect((await read('a,b\n', 3, 1)).rows).toEqual([]);
});

test.each([
  ['\n\na,b\n1,2\n\n3,x\n', /line 6, row 2, column b: expected a number, received "x"/],
  ['a,b\n1,2\n3,\n', /line 3, row 2, column b: expected a number, received ""/],
  ['a,b\n1,2\n3\n', /line 3, row 2: expected 2 fields, received 1/],
  ['a,b\n1,2,3\n', /line 2, row 1: expected 2 fields, received 3/],
  ['a,b,t\n1,2,"x\ny"\n3,z,""\n', /line 4, row 2, column b: expected a number, received "z"/],
  ['a,b,t\n1,2,"x"\n\n\n3,4\n', /line 5, row 2: expected 3 fields, received 2/],
])('%j is refused with line, row and column', async (table, message) => {
  for (const size of [3, 1000]) {
    await expect(read(table, size, 4)).rejects.toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringMatching(message) as string,
    });
  }
});
