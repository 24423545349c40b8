/** Results that no machine measured: every part of the schema filled in, numbers easy to check by hand. */
import { resultSchema, type BenchResult, type RivalResult } from '../../src/measure/result.js';
import {
  quantile,
  ratioOfRounds,
  seededRandom,
  spread,
  summarize,
} from '../../src/measure/race/statistics.js';

const machine: BenchResult['machine'] = {
  ...{ cpu: 'Test CPU', architecture: 'x64', cores: 2, isa: ['avx2', 'fma'] },
  caches: { l1d: 32768, l2: 524288, l3: 33554432 },
  ...{ memoryBytes: 8 * 1024 ** 3, governor: null, virtual: true, system: 'Linux 6.1', node: 'v20.20.2' },
  ...{ espalier: '0.1.0', commit: 'abcdef012345' },
};

const ROUNDS = 8;

/** Rounds of lognormal samples around a median of `us`. */
function samplesOf(us: number, seed: number, sigma = 0.02): number[][] {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: ROUNDS }, () =>
    Array.from({ length: 50 }, () => us * Math.exp(sigma * normal())),
  );
}

const medianOf = (values: number[]) =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

function rivalOf(
  id: string,
  name: string,
  timesUs: Record<number, number>,
  reference: Record<number, number>,
  seed: number,
): RivalResult {
  return {
    ...{ id, name, status: 'ok', message: null, versions: { [id]: '1.2.3' }, note: null },
    ...{ loadMs: 12, firstMs: 3, rssBytes: 20e6, peakRssBytes: 30e6, maxAbsDifference: 1e-6 },
    timings: Object.entries(timesUs).map(([batch, us]) => {
      const rounds = samplesOf(us, seed + Number(batch));
      const own = samplesOf(reference[Number(batch)] ?? us, 1000 + Number(batch));
      const all = rounds.flat().sort((a, b) => a - b);
      const { count, ...summary } = summarize(all);
      const medians = rounds.map(medianOf);
      const ratio = ratioOfRounds(medians, own.map(medianOf));
      const between = spread(medians) ?? 0;
      return {
        ...{ batch: Number(batch), calls: count, callsPerSample: 1, ...summary },
        samplesPerSecond: (Number(batch) * 1e6) / summary.mean,
        quantiles: Array.from({ length: 101 }, (_, percent) => quantile(all, percent / 100)),
        ...{ roundMedians: medians, spread: between, noisy: between > 0.1 },
        ...{ vsEspalier: ratio, vsEspalierBind: ratio },
      };
    }),
    server: {
      ...{ batch: 1, boundMs: 10, queriesPerSecond: 5e5 / (timesUs[1] ?? 1), p50: 20, p99: 9000 },
      probes: [{ rate: 5e5 / (timesUs[1] ?? 1), queries: 1000, p50: 20, p99: 9000, met: true }],
    },
    offline: { batch: 64, samplesPerSecond: 1e6, samples: 64000, seconds: 0.064 },
  };
}

/** Batch 1 and 64, four engines; `factor` makes espalier slower. */
export function resultFixture(
  options: { model?: string; factor?: number; sparsities?: number[]; loadNoisy?: boolean } = {},
): BenchResult {
  const { model = 'models/flights.esp', factor = 1, sparsities = [0.5, 0.9], loadNoisy = false } = options;
  const networks = sparsities.map((sparsity, index): BenchResult['networks'][number] => {
    const own = { 1: 20 * (1 - sparsity) * factor, 64: 800 * (1 - sparsity) * factor };
    const weights = 100_000;
    const nonzeros = Math.round(weights * (1 - sparsity));
    const layers = [1, 64].map((batch) => ({
      ...{ batch, totalUs: own[batch as 1 | 64], otherUs: 0.1, repeats: batch === 1 ? 4 : 1 },
      operations: ['dense_0', 'dense_1'].map((name) => {
        const us = (own[batch as 1 | 64] - 0.1) / 2;
        const flops = nonzeros * batch;
        return {
          ...{ name, op: 'linear', rows: 200, cols: 250, nnz: nonzeros / 2, sparsity, layout: 'pb4' },
          ...{ kernel: 'pb4_avx2', us, denseUs: us * 2, share: 0.49, flops, denseFlops: weights * batch },
          ...{ bytes: nonzeros * 3, gflops: flops / us / 1e3, denseGflops: (weights * batch) / us / 1e3 },
          ...{ intensity: (flops / (nonzeros * 3)) * 1, roof: 'cache' as const, attainableGflops: 60 },
          bound: batch === 1 ? ('memory' as const) : ('compute' as const),
        };
      }),
    }));
    return {
      ...{ sparsity, imposed: null, weights, nonzeros },
      sizes: {
        dense: { raw: 400_000, gzip: 360_000 },
        stripped: { raw: 400_000, gzip: nonzeros * 5 },
        esp: { raw: nonzeros * 4 + 4000, gzip: nonzeros * 4 },
        source: null,
      },
      rivals: [
        rivalOf('espalier', 'espalier runSync', own, own, 1000),
        rivalOf('tfjs-node', 'tfjs-node predict', { 1: 200, 64: 600 }, own, 3000),
        rivalOf('onnxruntime', 'onnxruntime-node', { 1: 15, 64: 500 }, own, 4000),
        {
          ...rivalOf('keras', 'Keras', {}, own, 1),
          ...{ status: 'absent', message: 'No module named keras. Install it with: pip install tensorflow' },
          ...{ server: undefined, offline: undefined, loadMs: null, firstMs: null },
        },
      ],
      layers,
      breakEven: [
        {
          ...{ name: 'dense_0', op: 'linear', rows: 200, cols: 250, batch: 1, sparsity: 0.4, denseUs: 10 },
          points: [{ sparsity: 0.5, us: 8, layout: 'pb4' }],
        },
        {
          ...{ name: 'dense_1', op: 'linear', rows: 4, cols: 2, batch: 1, sparsity: null, denseUs: 0.1 },
          points: [],
        },
      ],
      accuracy: {
        ...{ data: 'flights.csv', target: 'air_time', rows: 1000, kind: 'regression' },
        model: {
          ...{ rmse: 8.9 + index * 0.2, mae: 6, r2: 0.99, ratio: { mean: 1.001, deviation: 0.07 } },
          accuracy: null,
        },
        dense: { rmse: 8.8, mae: 6, r2: 0.99, ratio: { mean: 1, deviation: 0.07 }, accuracy: null },
        maxAbsDifference: 12.5,
      },
    };
  });
  return resultSchema.parse({
    ...{ format: 'espalier-bench', version: 1, created: '2026-11-25T10:00:00.000Z' },
    command: `espalier bench ${model}`,
    ...{ model, machine },
    settings: {
      ...{ threads: 1, cores: '1', batches: [1, 64], rounds: ROUNDS, minTime: 2, warmUp: 10, seed: 1 },
      ...{ noiseLimit: 0.1, scenarios: ['single-stream', 'server', 'offline'], cold: false },
    },
    load: { before: loadNoisy ? 1.8 : 0.1, during: 1, noisy: loadNoisy },
    roofs: { threads: 1, fmaGflops: 80, cacheGBs: 60, memoryGBs: 15 },
    ...{ emptyNodeRssBytes: 45e6, complete: true, networks },
  });
}
