import fc from 'fast-check';
import { expect, test } from 'vitest';
import { end, numberAt } from '../../src/predict/digits.js';

const read = (text: string, exact: boolean) => {
  const value = numberAt(Buffer.from(`${text},`), 0, exact);
  if (value === value) expect(end).toBe(text.length);
  return value;
};

/** What is read is what Number reads, or as float32 the same; the rest is left to Number. */
const same = (text: string) => {
  const wanted = Number(text);
  const exact = read(text, true);
  if (exact === exact) expect(exact, text).toBe(wanted);
  const near = read(text, false);
  if (near === near) expect(Math.fround(near), text).toBe(Math.fround(wanted));
  return near;
};

test('numbers as JavaScript, C and Python print them', () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => void same(String(x))));
  fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => void same(String(x))));
  const places = fc.nat({ max: 40 });
  const values = fc.double({ min: -1e20, max: 1e20, noNaN: true });
  fc.assert(fc.property(values, places, (x, n) => void same(x.toFixed(n))));
  fc.assert(fc.property(values, places, (x, n) => void same(x.toExponential(n))));
  for (const text of ['0', '-0', '+1', '5.', '.5', '007', '1e5', '1E+05', '-2.5e-3']) {
    expect(same(text), text).toBe(Number(text));
  }
});

test('what lies in the middle of two float32, and just beside it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1 << 23, max: (1 << 24) - 1 }),
      fc.integer({ min: -40, max: 40 }),
      (m, e) => {
        const middle = (m + 0.5) * 2 ** (e - 23);
        for (const ulps of [-1, 0, 1]) {
          const value = middle * (1 + ulps * 2 ** -52);
          for (const text of [String(value), value.toPrecision(17), value.toPrecision(19)]) same(text);
        }
      },
    ),
  );
});

test('most numbers are read here, and no other text is', () => {
  let read = 0;
  for (let i = 1; i <= 1000; i++) {
    const text = String(Math.fround(Math.sin(i)));
    if (!Number.isNaN(same(text))) read += 1;
  }
  expect(read).toBeGreaterThan(950);
  for (const text of [
    '',
    '-',
    '.',
    '+.',
    'e5',
    '1e',
    '1e+',
    '1.2.3',
    '1 ',
    ' 1',
    '0x10',
    'NaN',
    'Infinity',
    '1_0',
    '--1',
  ]) {
    expect(numberAt(Buffer.from(`${text},`), 0, false), text).toBeNaN();
  }
});
