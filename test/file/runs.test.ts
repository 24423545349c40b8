import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_BITS, decodeRuns, encodeRuns, runBytes } from '../../src/file/runs.js';
import { decodeValues, encodeValues, fromHalf } from '../../src/file/values.js';
import { csr } from '../support/programs.js';

const matrix = fc
  .tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 700 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .chain(([rows, cols, density]) =>
    fc
      .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: rows * cols, maxLength: rows * cols })
      .map((draws) =>
        csr(
          draws.map((d) => (d < density ? 1 : 0)),
          rows,
          cols,
        ),
      ),
  );

it('positions come back for every number of bits, in as many bytes as foretold', () => {
  fc.assert(
    fc.property(matrix, (m) => {
      const sizes = runBytes(m, m.rows, m.cols);
      for (let bits = 0; bits <= MAX_BITS; bits++) {
        const bytes = sizes[bits] as number;
        if (bytes === Infinity) continue;
        const codes = encodeRuns(m, m.rows, m.cols, bits, bytes);
        expect(decodeRuns(codes, m.rows, m.cols, bits, m.values.length)).toEqual({
          rowPtr: m.rowPtr,
          colIdx: m.colIdx,
        });
      }
    }),
    { numRuns: 60 },
  );
});

it('no codes make positions outside of the matrix', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: MAX_BITS }),
      fc.integer({ min: 0, max: 60 }),
      (codes, rows, cols, bits, nnz) => {
        let found;
        try {
          found = decodeRuns(codes, rows, cols, bits, nnz);
        } catch (error) {
          expect(error).toMatchObject({ name: 'EspalierError', code: 'INVALID_MODEL' });
          return;
        }
        // What is accepted is the one coding of these positions.
        expect(encodeRuns(found, rows, cols, bits, codes.length)).toEqual(codes);
        expect(found.rowPtr[rows]).toBe(nnz);
        for (let row = 0; row < rows; row++) {
          const columns = found.colIdx.subarray(found.rowPtr[row], found.rowPtr[row + 1]);
          expect([...columns].every((col, at) => col < cols && col > (columns[at - 1] ?? -1))).toBe(true);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

it('a bit mask is runs of one bit', () => {
  const m = csr([0, 1, 1, 0, 0, 1, 0, 0], 2, 4);
  // From the lowest bit: 1 0 0 1 1 0, then ones to fill the byte.
  expect([...encodeRuns(m, 2, 4, 1, 1)]).toEqual([0b11011001]);
});

const toBfloat16 = (value: number): number => {
  const [word] = new Uint32Array(Float32Array.of(value).buffer);
  return new Float32Array(Uint32Array.of((word as number) & 0xffff0000).buffer)[0] as number;
};

it('values come back bit for bit, in two bytes where they are float16 numbers, in one where few differ', () => {
  const halves = Float32Array.from({ length: 65_536 }, (_, code) => fromHalf(code)).filter(Number.isFinite);
  expect(fromHalf(0x7c00)).toBe(Infinity);
  expect([0x3c00, 0x0001, 0xc000, 0x7bff].map(fromHalf)).toEqual([1, 2 ** -24, -2, 65504]);
  const cases: [string, Float32Array, string][] = [
    ['float16', halves, 'F16'],
    ['quantised', Float32Array.from({ length: 5000 }, (_, i) => (i % 200) / 255), 'U8'],
    ['quantised to 16 bits', Float32Array.from({ length: 50_000 }, (_, i) => (i % 2000) / 65535), 'U16'],
    [
      'of like magnitude',
      Float32Array.from({ length: 30_000 }, (_, i) => (i % 2 ? 1 : -1) * Math.sqrt(i + 900)),
      'split',
    ],
    ['any', Float32Array.from({ length: 1000 }, (_, i) => Math.sqrt(i + 2)), 'F32'],
    ['bfloat16', Float32Array.from({ length: 5000 }, (_, i) => Math.sqrt(i + 1)).map(toBfloat16), 'BF16'],
    [
      'int8 of any scale',
      Float32Array.from({ length: 5000 }, (_, i) => ((i % 127) + 1) * 0.0123291015625),
      'I8',
    ],
    ['none', new Float32Array(0), 'F32'],
    ['smallest', Float32Array.of(2 ** -149, 1e-40, 3.4e38), 'F32'],
  ];
  for (const [what, values, dtype] of cases) {
    const rowPtr = Int32Array.of(0, values.length);
    const coded = encodeValues(values, rowPtr);
    expect([what, coded.dtype]).toEqual([what, dtype]);
    expect(new Uint32Array((decodeValues(coded, rowPtr) as Float32Array).slice().buffer)).toEqual(
      new Uint32Array(values.slice().buffer),
    );
  }
});
