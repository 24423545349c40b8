/** The scenarios of MLPerf inference beside single stream: queries under a latency bound, and all samples at once. */
import type { Program } from '../../program/program.js';
import type { OfflineResult, ServerResult } from '../result.js';
import { attempt, inputsOf, type Runner, type Settings } from './runner.js';
import { ascending, median, quantile, seededRandom } from './statistics.js';

/** Turns at each batch size: the median of them is told. */
const OFFLINE_ROUNDS = 3;

/** Throughput at each batch size, engines in turns; the best batch size of each is told. */
export async function offlineScenario(
  runners: Runner[],
  program: Program,
  settings: Settings,
): Promise<void> {
  const seconds = settings.minTime / OFFLINE_ROUNDS;
  for (const batch of settings.batches) {
    const rates = new Map<Runner, { rates: number[]; samples: number; seconds: number }>();
    const inputs = inputsOf(program, batch, settings.seed);
    for (const runner of runners) {
      await attempt(runner, async (child) => {
        await child.compute(inputs);
        rates.set(runner, { rates: [], samples: 0, seconds: 0 });
      });
    }
    for (let round = 0; round < OFFLINE_ROUNDS; round++) {
      settings.say(`offline, batch ${batch}: round ${round + 1} of ${OFFLINE_ROUNDS}`);
      for (const runner of runners) {
        await attempt(runner, async (child) => {
          const { samples, callsPerSample } = await child.measure({ warmUp: 5, seconds, atLeast: 3 });
          const own = rates.get(runner);
          if (own === undefined) return;
          const spent = samples.reduce((sum, us) => sum + us * callsPerSample, 0) / 1e6;
          const served = samples.length * callsPerSample * batch;
          own.rates.push(served / spent);
          own.samples += served;
          own.seconds += spent;
        });
      }
    }
    for (const [{ result }, own] of rates) {
      if (own.rates.length === 0) continue;
      const samplesPerSecond = median(own.rates);
      if (samplesPerSecond <= (result.offline?.samplesPerSecond ?? 0)) continue;
      const told: OfflineResult = { batch, samplesPerSecond, samples: own.samples, seconds: own.seconds };
      result.offline = told;
    }
  }
}

/** Seconds at which queries arrive at random, independent of each other: exponential gaps. */
export function poissonArrivals(rate: number, seconds: number, least: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const arrivals: number[] = [];
  let at = 0;
  for (;;) {
    at -= Math.log(1 - random()) / rate;
    if (at > seconds && arrivals.length >= least) return Float64Array.from(arrivals);
    arrivals.push(at);
  }
}

/** Rates that are tried; each halves what is left between the highest that kept the bound and the lowest that did not. */
const PROBES = 8;
/** The 99th percentile of fewer says nothing. */
const LEAST_QUERIES = 200;
const PERCENTILE = 0.99;

interface Search {
  /** Queries a second: kept, and broke, the bound. */
  kept: number;
  broke: number;
  result: ServerResult;
}

/** Doubles as the test of a rate: more than 1 % late, and it does not keep the bound. */
export function keepsBound(
  latencies: ArrayLike<number>,
  boundMs: number,
): { p50: number; p99: number; met: boolean } {
  const sorted = ascending(latencies);
  const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, PERCENTILE)];
  return { p50, p99, met: p99 <= boundMs * 1000 };
}

/**
 * The highest rate of Poisson arrivals at which 99 % of the queries are answered within the bound, waiting included. A
 * query is a batch of the smallest size; the engine answers one after another. Engines take turns with their probes.
 */
export async function serverScenario(runners: Runner[], program: Program, settings: Settings): Promise<void> {
  const { latencyBound: boundMs, minTime, seed, say } = settings;
  const batch = Math.min(...settings.batches);
  const inputs = inputsOf(program, batch, seed);
  const searches = new Map<Runner, Search>();
  for (const runner of runners) {
    await attempt(runner, async (child) => {
      await child.compute(inputs);
      const { samples } = await child.measure({ warmUp: 10, seconds: 0.05, atLeast: 5 });
      const result: ServerResult = {
        ...{ batch, boundMs, queriesPerSecond: null, p50: null, p99: null, probes: [] },
      };
      runner.result.server = result;
      // An engine that takes longer than the bound by itself keeps it at no rate.
      const mean = samples.reduce((sum, us) => sum + us, 0) / samples.length;
      if (mean <= boundMs * 1000) searches.set(runner, { kept: 0, broke: 1e6 / mean, result });
    });
  }
  for (let probe = 0; probe < PROBES; probe++) {
    say(`server, ${boundMs} ms: probe ${probe + 1} of ${PROBES}`);
    for (const [runner, search] of searches) {
      await attempt(runner, async (child) => {
        const rate = (search.kept + search.broke) / 2;
        const seconds = Math.min(minTime, Math.max(minTime / PROBES, LEAST_QUERIES / rate));
        const arrivals = poissonArrivals(rate, seconds, 20, seed + probe);
        const served = await child.serve({ arrivals, giveUpMs: Math.max(10 * boundMs, 100) }, seconds);
        const { p50, p99, met } = keepsBound(served.latencies, boundMs);
        const kept = met && !served.overloaded;
        search.result.probes.push({ rate, queries: served.latencies.length, p50, p99, met: kept });
        if (kept) {
          search.kept = rate;
          Object.assign(search.result, { queriesPerSecond: rate, p50, p99 });
        } else search.broke = rate;
      });
    }
  }
}
