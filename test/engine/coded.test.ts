/** Matrices that the addon decodes, held against those that JavaScript decodes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkMatrix } from '../../src/program/check.js';
import type { Matrix } from '../../src/program/program.js';
import { addon } from '../../src/engine/find.js';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import { packBits } from '../../src/file/bits.js';
import { valueBytes } from '../../src/file/coded.js';
import type { CodedMatrix, CodedProgram } from '../../src/program/coded.js';
import { readCodedProgram, readProgram } from '../../src/file/read.js';
import { MAX_BITS, decodeRuns, encodeRuns, runBytes } from '../../src/file/runs.js';
import { decodeValues, encodeValues, fromHalf, topBits, type CodedValues } from '../../src/file/values.js';
import { writeProgram } from '../../src/file/write.js';
import { loadModel } from '../../src/index.js';
import { LINEAR, csr, sharedMatrix, mlp, normal, random } from '../support/programs.js';

const bits32 = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer);

/** y = W x, without a bias. */
function programOf(weight: Matrix | CodedMatrix): CodedProgram {
  const { rows, cols } = weight;
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
        weight: weight as CodedMatrix,
        bias: null,
        activation: LINEAR,
      },
    ],
  };
}

/** The weights that a loaded model holds, row-major: what it answers to the unit vectors. */
function weightsOf(program: CodedProgram, cols: number, rows: number): Float32Array {
  const model = new Model(program, addonOptions({ threads: 1, layout: 'csr' }));
  const weights = new Float32Array(rows * cols);
  for (let col = 0; col < cols; col++) {
    const x = new Float32Array(cols);
    x[col] = 1;
    (model.runSync(x) as Float32Array).forEach((w, row) => (weights[row * cols + col] = w));
  }
  model.dispose();
  return weights;
}

/** The float16 code of a float32 number, by its bits. */
const halves = new Map(
  [...bits32(Float32Array.from({ length: 65_536 }, (_, code) => fromHalf(code)))].map((word, code) => [
    word,
    code,
  ]),
);

/** Every coding of values that are at most 200 different float16 numbers, tiny as they may be. */
function everyCoding(values: Float32Array): CodedValues[] {
  const words = [...bits32(values)];
  const palette = [...new Set(words)];
  const floats = new Float32Array(Uint32Array.from(palette).buffer);
  const indices = words.map((word) => palette.indexOf(word));
  const tops = [...new Set(words.map((word) => word >>> 24))].sort((a, b) => a - b);
  const all: CodedValues[] = [
    { dtype: 'F32', codes: values },
    { dtype: 'F16', codes: Uint16Array.from(words, (word) => halves.get(word) as number) },
    { dtype: 'U8', codes: Uint8Array.from(indices), palette: floats },
    { dtype: 'U16', codes: Uint16Array.from(indices), palette: floats },
  ];
  if (tops.length > 0) {
    const high = packBits(
      Uint8Array.from(words, (word) => tops.indexOf(word >>> 24)),
      topBits(tops.length),
    );
    const codes = Uint8Array.from(
      words.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255]),
    );
    all.push({ dtype: 'split', codes, tops, high });
  }
  return all;
}

/** Codes of float16 numbers below 1: few enough highest bytes to be split. */
const halfCode = fc
  .tuple(fc.integer({ min: 1, max: 0x3bff }), fc.boolean())
  .map(([code, negative]) => code | (negative ? 0x8000 : 0));

describe('a coded matrix is the one that JavaScript decodes, bit for bit', () => {
  it('for every coding of positions and of values', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(0.03, 0.3, 0.8, 1),
        fc.array(halfCode, { minLength: 1, maxLength: 200 }),
        fc.nat(),
        (rows, cols, density, halves, seed) => {
          const next = random(seed);
          const draw = () => fromHalf(halves[Math.floor(next() * halves.length)] as number);
          const dense = Float32Array.from({ length: rows * cols }, () => (next() < density ? draw() : 0));
          const m = csr(dense, rows, cols);
          const sizes = runBytes(m, rows, cols);
          const codings = everyCoding(m.values);
          for (let bits = 0; bits <= MAX_BITS; bits++) {
            if (sizes[bits] === Infinity) continue;
            const runs = encodeRuns(m, rows, cols, bits, sizes[bits] as number);
            // One coding of the values with each of the positions: all pairs come up in time.
            const values = codings[(bits + seed) % codings.length] as CodedValues;
            seen.add(`${bits} ${values.dtype}`);
            const nnz = m.values.length;
            const decoded = { rows, cols, ...decodeRuns(runs, rows, cols, bits, nnz) };
            expect(decoded).toEqual({ rows, cols, rowPtr: m.rowPtr, colIdx: m.colIdx });
            expect(bits32(decodeValues(values, m.rowPtr) as Float32Array)).toEqual(bits32(m.values));
            const coded: CodedMatrix = {
              format: 'coded',
              rows,
              cols,
              nnz,
              bits,
              runs,
              ...valueBytes(values),
            };
            expect(bits32(weightsOf(programOf(coded), cols, rows))).toEqual(bits32(dense));
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(seen.size).toBe((MAX_BITS + 1) * 5);
  });

  it('for whole files, of any alignment', async () => {
    const quantised = (length: number, next: () => number) =>
      normal(length, next).map((w) => Math.round(w * 40) / 64);
    const programs = [
      sharedMatrix(),
      mlp([90, 70, 33, 4], 0.75).program,
      mlp([64, 48, 10], 0.98, 3).program,
      mlp([300, 100, 2], 0.5, 4, quantised).program,
      mlp([20, 9], 0, 5).program,
    ];
    for (const program of programs) {
      const bytes = writeProgram(program);
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      const reference = new Model(readProgram(bytes), addonOptions({ threads: 1 }));
      const next = random(9);
      const inputs = Object.fromEntries(
        reference.inputs.map(({ name, shape }) => [
          name,
          normal(5 * (shape.slice(1) as number[]).reduce((a, b) => a * b, 1), next),
        ]),
      );
      const expected = reference.runSync(inputs);
      for (const source of [bytes, shifted.subarray(1)]) {
        const model = await loadModel(source, { threads: 1 });
        // The model holds what it needs: the file's bytes may change now.
        source.fill(0xa5);
        expect(model.runSync(inputs)).toEqual(expected);
        model.dispose();
      }
      reference.dispose();
    }
  });
});

it('what the addon may consume is detached once it is decoded, and not when it is refused', () => {
  const make = () => {
    const bytes = writeProgram(mlp([40, 9, 2], 0.5).program).slice();
    return { bytes, buffer: bytes.buffer };
  };
  const options = addonOptions({ threads: 1 });
  const x = normal(40, random(3));
  const [kept, given] = [make(), make()];
  const reference = new Model(readCodedProgram(kept.bytes), options);
  const model = new Model(readCodedProgram(given.bytes), options, given.buffer);
  expect(kept.buffer.byteLength).toBeGreaterThan(0);
  expect(given.buffer.byteLength).toBe(0);
  expect(model.runSync(x)).toEqual(reference.runSync(x));
  const wrong = make();
  const program = readCodedProgram(wrong.bytes);
  wrong.bytes.fill(0xff, -8);
  expect(() => new Model(program, options, wrong.buffer)).toThrow(/finite|positions/);
  expect(wrong.buffer.byteLength).toBeGreaterThan(0);
  expect(() => new Model(program, options, wrong.bytes as unknown as ArrayBuffer)).toThrow(/consumed/);
});

it('JavaScript and the addon refuse the same codes', () => {
  const outcome = (call: () => void): string => {
    try {
      call();
      return 'accepted';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.record({
        rows: fc.integer({ min: 1, max: 9 }),
        cols: fc.integer({ min: 1, max: 30 }),
        bits: fc.integer({ min: 0, max: MAX_BITS }),
        runs: fc.uint8Array({ maxLength: 12 }),
        seed: fc.nat(),
        damage: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 2 }),
        words: fc.array(fc.constantFrom(1, 0.5, -3, 0.1, NaN, Infinity, 0, -0, 1e-40), { maxLength: 40 }),
        coding: fc.nat(),
        wild: fc.boolean(),
      }),
      ({ rows, cols, bits, runs: any, seed, damage, words, coding, wild }) => {
        let runs: Uint8Array = any;
        let values: Float32Array = Float32Array.from(words);
        if (!wild) {
          const next = random(seed);
          const m = csr(
            Float32Array.from({ length: rows * cols }, () => (next() < 0.4 ? 0.5 : 0)),
            rows,
            cols,
          );
          const bytes = runBytes(m, rows, cols)[bits] as number;
          if (bytes !== Infinity) runs = encodeRuns(m, rows, cols, bits, bytes);
          values = m.values;
        }
        // Whatever the positions are, their number is right.
        const even = Int32Array.from({ length: rows + 1 }, (_, row) =>
          Math.floor((values.length * row) / rows),
        );
        const all = [{ dtype: 'F32', codes: values } as CodedValues, encodeValues(values, even)];
        const palette = Float32Array.of(1, NaN, 2);
        all.push({
          dtype: 'U8',
          codes: Uint8Array.from(values, (_, i) => (i === seed % 50 ? 3 : 2)),
          palette,
        });
        const chosen = all[coding % all.length] as CodedValues;
        const nnz = values.length;
        if (nnz > rows * cols) return;
        const matrix = { rows, cols, nnz, bits, runs: runs.slice(), ...valueBytes(chosen) };
        for (const [at, byte] of damage)
          if (matrix.runs.length > 0) matrix.runs[at % matrix.runs.length] = byte;
        const javascript = outcome(() => {
          const positions = decodeRuns(matrix.runs, rows, cols, bits, nnz);
          const decoded = decodeValues(chosen, positions.rowPtr);
          if (decoded === null) throw Object.assign(new Error(), { code: 'INVALID_MODEL' });
          checkMatrix({ format: 'csr', rows, cols, ...positions, values: decoded }, 'weight');
        });
        expect(
          outcome(() =>
            new Model(programOf({ format: 'coded', ...matrix }), addonOptions({ threads: 1 })).dispose(),
          ),
        ).toBe(javascript);
        if (javascript === 'accepted') accepted++;
      },
    ),
    { numRuns: 4000 },
  );
  expect(accepted).toBeGreaterThan(100);
});

it('the addon refuses numbers that the bytes do not bear out, and memory that is shared', () => {
  const program = readCodedProgram(writeProgram(mlp([6, 4], 0.5).program));
  const first = program.operations[0] as { weight: CodedMatrix };
  const given = (change: object): string => {
    const changed = { ...program, operations: [{ ...first, weight: { ...first.weight, ...change } }] };
    try {
      addon().load(changed as unknown as CodedProgram, addonOptions({ threads: 1 }));
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_MODEL' });
      return (error as Error).message;
    }
    return 'accepted';
  };
  const shared = (bytes: Uint8Array) => {
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
    copy.set(bytes);
    return copy;
  };
  const { weight } = first;
  expect(given({})).toBe('accepted');
  const cases: [object, RegExp][] = [
    [{ nnz: weight.nnz + 1 }, /must be nnz/],
    [{ nnz: 2 ** 31 }, /weight.nnz: expected an integer/],
    [{ nnz: -1 }, /weight.nnz: expected an integer/],
    [{ rows: 2 ** 30 }, /of 4 features/],
    [{ rows: 0 }, /a row and a column/],
    [{ cols: 5 }, /of 6 features/],
    [{ bits: 17 }, /weight.bits: expected an integer/],
    [{ bits: 0 }, /without zeros/],
    [{ dtype: 'F64' }, /no coding "F64"/],
    [{ dtype: 'U8' }, /must be nnz/],
    [{ dtype: 'split', codes: new Uint8Array(weight.nnz * 3) }, /highest bytes must be 1 to 32/],
    [{ tops: Uint8Array.of(1) }, /only values that are split/],
    [{ dtype: 'I8', codes: new Uint8Array(weight.nnz).fill(1) }, /scales must be one a row/],
    [{ scales: new Uint8Array(16) }, /scales must be one a row/],
    [{ dtype: 'BF16', codes: new Uint8Array(weight.nnz * 2) }, /finite and not zero/],
    [
      { dtype: 'I8', codes: new Uint8Array(weight.nnz).fill(1), scales: new Uint8Array(16) },
      /finite and not zero/,
    ],
    [{ palette: new Uint8Array(4) }, /palette/],
    [{ codes: new Float32Array(weight.nnz) }, /weight.codes: expected a Uint8Array/],
    [{ runs: undefined }, /weight.runs: expected a Uint8Array/],
    [{ codes: weight.codes.subarray(1) }, /must be nnz/],
    [{ codes: shared(weight.codes) }, /not shared/],
    [{ runs: shared(weight.runs) }, /not shared/],
    [{ runs: weight.runs.subarray(1) }, /positions/],
    [{ format: 'dense' }, /"csr" or "coded", received "dense"/],
  ];
  for (const [change, message] of cases) expect(given(change)).toMatch(message);
});
