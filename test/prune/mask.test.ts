import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptCount, magnitudeMask, mByNMask, type BlockPooling } from '../../src/prune.js';
import { kthLargestMagnitude, selectInJavaScript } from '../../src/prune/mask/select.js';
import { bits, golden, number } from './golden.js';

interface Outcome {
  w: string;
  mask?: string;
  threshold?: number | string;
  kept?: number;
  error?: { message: string };
}
const file = golden<{
  matrices: Record<string, { shape: number[]; values: (number | string)[] }>;
  elementwise: (Outcome & { sparsity: number; k: number })[];
  block: (Outcome & { sparsity: number; block_size: [number, number]; pooling: BlockPooling })[];
  m_by_n: (Outcome & { m_by_n: [number, number] })[];
  k_table: [number, number, number][];
}>('masks');

const matrix = (name: string) => {
  const { shape, values } = file.matrices[name]!;
  return { shape, weights: Float32Array.from(values, number) };
};

describe('masks are those of tfmot', () => {
  it('element by element', () => {
    for (const c of file.elementwise) {
      const { weights, shape } = matrix(c.w);
      const got = magnitudeMask(weights, shape, c.sparsity);
      const name = `${c.w} at ${c.sparsity}`;
      expect(keptCount(weights.length, c.sparsity), name).toBe(c.k);
      expect(bits(got.mask), name).toBe(c.mask);
      expect(got.threshold, name).toBe(number(c.threshold!));
      expect(got.kept, name).toBe(c.kept);
    }
  });

  it('in the count they keep', () => {
    for (const [size, sparsity, k] of file.k_table)
      expect([size, sparsity, keptCount(size, sparsity)]).toEqual([size, sparsity, k]);
  });

  it('by blocks, and refuses what tfmot refuses', () => {
    for (const c of file.block) {
      const { weights, shape } = matrix(c.w);
      const name = `${c.w} ${c.block_size.join('x')} ${c.pooling} at ${c.sparsity}`;
      const make = () =>
        magnitudeMask(weights, shape, c.sparsity, { blockSize: c.block_size, blockPooling: c.pooling });
      if (c.error) {
        expect(make, name).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
      } else {
        const got = make();
        expect(bits(got.mask), name).toBe(c.mask);
        expect(got.kept, name).toBe(c.kept);
        expect(Math.abs(got.threshold - number(c.threshold!)), name).toBeLessThanOrEqual(
          1e-6 * got.threshold,
        );
      }
    }
  });

  it('m by n, and refuses what tfmot refuses', () => {
    for (const c of file.m_by_n) {
      const { weights, shape } = matrix(c.w);
      const name = `${c.w} ${c.m_by_n.join('x')}`;
      const make = () => mByNMask(weights, shape, ...c.m_by_n);
      if (c.error) {
        expect(make, name).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
      } else {
        const got = make();
        expect(bits(got.mask), name).toBe(c.mask);
        expect(got.kept, name).toBe(c.kept);
      }
    }
  });
});

describe('wrong arguments', () => {
  const four = new Float32Array([1, 2, 3, 4]);
  it.each([
    ['sparsity', () => magnitudeMask(four, [4], -0.1)],
    ['sparsity', () => magnitudeMask(four, [4], 1.1)],
    ['sparsity', () => magnitudeMask(four, [4], NaN)],
    ['sparsity', () => magnitudeMask(four, [4], '0.5' as never)],
    ['weights', () => magnitudeMask([1, 2] as never, [2], 0.5)],
    ['weights', () => magnitudeMask(four, [2, 3], 0.5)],
    ['weights', () => magnitudeMask(new Float32Array([1, NaN]), [2], 0.5)],
    ['shape', () => magnitudeMask(four, 4 as never, 0.5)],
    ['shape', () => magnitudeMask(new Float32Array(0), [0], 0.5)],
    ['shape', () => magnitudeMask(new Float32Array(30), [1, 1, 6, 5], 0.5, { blockSize: [2, 2] })],
    ['blockSize', () => magnitudeMask(four, [2, 2], 0.5, { blockSize: [0, 2] })],
    ['blockSize', () => magnitudeMask(four, [2, 2], 0.5, { blockSize: [1, 2, 3] as never })],
    ['blockPooling', () => magnitudeMask(four, [2, 2], 0.5, { blockPooling: 'SUM' as never })],
    ['exact', () => magnitudeMask(four, [2, 2], 0.5, { exact: 1 as never })],
    ['sparsityMByN', () => mByNMask(four, [2, 2], 2.5, 4)],
    ['sparsityMByN', () => mByNMask(four, [2, 2], -1, 4)],
    ['sparsityMByN', () => mByNMask(four, [2, 2], 0, 0)],
    ['shape', () => mByNMask(new Float32Array(60), [3, 4, 5], 2, 4)],
  ])('%s', (parameter, make) => {
    expect(make).toThrow(expect.objectContaining({ details: expect.objectContaining({ parameter }) }));
  });
});

describe('properties', () => {
  const weights = fc.float32Array({ minLength: 1, maxLength: 200, noNaN: true });
  const coarse = fc
    .array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 200 })
    .map((v) => Float32Array.from(v));

  it('selection finds what a sort finds', () => {
    fc.assert(
      fc.property(fc.oneof(weights, coarse), fc.nat(), (w, at) => {
        const k = (at % w.length) + 1;
        const sorted = Float32Array.from(w, Math.abs).sort().reverse();
        expect(kthLargestMagnitude(w, k)).toBe(sorted[k - 1]);
      }),
    );
  });

  it('large tensors have the same threshold wherever it is selected', () => {
    const w = Float32Array.from({ length: 70_000 }, (_, i) => Math.sin(i * i) * (i % 7));
    for (const k of [1, 2, 35_000, 69_999, 70_000])
      expect(kthLargestMagnitude(w, k)).toBe(selectInJavaScript(w, k));
  });

  it('exact masks keep exactly the asked count, ties by index, and are part of the mask of tfmot', () => {
    fc.assert(
      fc.property(coarse, fc.float({ min: 0, max: 1, noNaN: true }), (w, sparsity) => {
        const exact = magnitudeMask(w, [w.length], sparsity, { exact: true });
        const loose = magnitudeMask(w, [w.length], sparsity);
        expect(exact.kept).toBe(keptCount(w.length, sparsity));
        expect(loose.kept).toBeGreaterThanOrEqual(exact.kept);
        expect(exact.threshold).toBe(loose.threshold);
        const ties = [...w.keys()]
          .filter((i) => Math.abs(w[i]!) === exact.threshold)
          .map((i) => exact.mask[i]!);
        expect(ties).toEqual([...ties].sort((a, b) => b - a));
        expect(exact.mask.every((bit, i) => bit <= loose.mask[i]!)).toBe(true);
      }),
    );
  });

  it('m-by-n masks have m zeros in each full group', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(),
        (ins, outs, n, some) => {
          const m = some % n;
          const w = Float32Array.from({ length: ins * outs }, (_, i) => Math.sin(i * 7 + some));
          const { mask } = mByNMask(w, [ins, outs], m, n);
          for (let o = 0; o < outs; o++) {
            for (let first = 0; first < ins; first += n) {
              const group = [...mask.keys()].filter(
                (i) => i % outs === o && i / outs >= first && i / outs < first + n,
              );
              const kept = group.reduce((sum, i) => sum + mask[i]!, 0);
              expect(kept).toBe(Math.min(n - m, Math.min(n, ins - first)));
            }
          }
        },
      ),
    );
  });

  it('blocks live and die together where the block divides the matrix', () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 96, maxLength: 96, noNaN: true }), (w) => {
        const { mask } = magnitudeMask(w, [8, 12], 0.5, { blockSize: [2, 3], exact: true });
        const block = (i: number) => Math.floor(i / 24) * 4 + Math.floor((i % 12) / 3);
        const sums = new Map<number, number>();
        for (const [i, bit] of mask.entries()) sums.set(block(i), (sums.get(block(i)) ?? 0) + bit);
        expect([...sums.values()].every((sum) => sum === 0 || sum === 6)).toBe(true);
        expect([...sums.values()].filter((sum) => sum === 6)).toHaveLength(8);
      }),
    );
  });
});
