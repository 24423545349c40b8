/** The contest: every rival in its process, answers compared first, then rounds in which each has its turn. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Program } from '../../program/program.js';
import type { RivalResult, Timing } from '../result.js';
import { OWN } from './roster.js';
import {
  REFERENCE,
  agree,
  attempt,
  emptyOf,
  newRunner,
  start,
  type Lane,
  type Runner,
  type Settings,
} from './runner.js';
import { offlineScenario, serverScenario } from './scenarios.js';
import { median, quantile, ratioOfRounds, spread, summarize } from './statistics.js';

/** Samples of one rival at one batch size, a round an entry. */
interface Rounds {
  samples: Float64Array[];
  callsPerSample: number;
}

const ABORTED = Symbol('aborted');

/** Rivals in the order of the lanes. Throws only where espalier itself does not run. */
export async function compete(
  program: Program,
  lanes: Lane[],
  settings: Settings,
  emptyRss: number,
): Promise<RivalResult[]> {
  const runners = lanes.map(newRunner);
  const abort = abortion(settings.signal);
  try {
    for (const runner of runners) {
      await Promise.race([start(runner, program, settings, emptyRss), abort.promise]);
    }
    for (const batch of settings.batches) {
      const rounds = new Map<Runner, Rounds>();
      try {
        await Promise.race([agree(runners, program, batch, settings), abort.promise]);
        await runRounds(runners, batch, settings, rounds, abort.promise);
      } finally {
        addTimings(runners, rounds, batch, settings);
      }
    }
    if (settings.scenarios.includes('offline')) {
      await Promise.race([offlineScenario(runners, program, settings), abort.promise]);
    }
    if (settings.scenarios.includes('server')) {
      await Promise.race([serverScenario(runners, program, settings), abort.promise]);
    }
    for (const runner of runners) {
      await attempt(runner, async (child) => {
        runner.result.peakRssBytes = (await child.memory()).peakRss - emptyOf(runner.lane, emptyRss);
      });
    }
  } catch (error) {
    if (error !== ABORTED) throw error;
  } finally {
    abort.stop();
    const aborted = settings.signal?.aborted === true;
    for (const { child } of runners) {
      if (aborted) child?.kill();
      else await child?.end();
    }
  }
  return runners.map(({ result }) => result);
}

/** A promise that rejects with ABORTED when the signal aborts, and never resolves. */
function abortion(signal: AbortSignal | undefined): { promise: Promise<never>; stop: () => void } {
  let stop = () => undefined as void;
  const promise = new Promise<never>((_, reject) => {
    // The reason is a mark, not an error to be shown.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const onAbort = () => reject(ABORTED);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    stop = () => signal?.removeEventListener('abort', onAbort);
  });
  promise.catch(() => undefined);
  return { promise, stop };
}

/** Rounds: in each, every rival is timed for its share of the time, and the one that begins changes. */
async function runRounds(
  runners: Runner[],
  batch: number,
  settings: Settings,
  rounds: Map<Runner, Rounds>,
  aborted: Promise<never>,
): Promise<void> {
  const { warmUp, minTime, say } = settings;
  const seconds = minTime / settings.rounds;
  for (let round = 0; round < settings.rounds; round++) {
    say(`batch ${batch}: round ${round + 1} of ${settings.rounds}`);
    for (let place = 0; place < runners.length; place++) {
      const runner = runners[(place + round) % runners.length];
      if (runner === undefined) continue;
      const work = attempt(runner, async (child) => {
        // Later rounds: what others computed has pushed its weights out of the caches.
        const measured = await child.measure({
          ...{ warmUp: round === 0 ? warmUp : 5, seconds, atLeast: 3 },
          flushBytes: settings.flushBytes,
        });
        const kept = rounds.get(runner) ?? { samples: [], callsPerSample: measured.callsPerSample };
        kept.samples.push(measured.samples);
        kept.callsPerSample = Math.max(kept.callsPerSample, measured.callsPerSample);
        rounds.set(runner, kept);
      });
      await Promise.race([work, aborted]);
      await turn();
    }
  }
}

function addTimings(runners: Runner[], rounds: Map<Runner, Rounds>, batch: number, settings: Settings): void {
  const mediansOf = (id: string | undefined) => {
    const runner = runners.find(({ result }) => result.id === id);
    return runner === undefined ? undefined : rounds.get(runner)?.samples.map(median);
  };
  const reference = mediansOf(REFERENCE);
  const bound = mediansOf(OWN[1]?.id);
  for (const [runner, kept] of rounds) {
    const medians = kept.samples.map(median);
    runner.result.timings.push(timing(kept, medians, batch, settings, reference, bound));
  }
}

function timing(
  { samples, callsPerSample }: Rounds,
  roundMedians: number[],
  batch: number,
  settings: Settings,
  reference: number[] | undefined,
  bound: number[] | undefined,
): Timing {
  const count = samples.reduce((sum, { length }) => sum + length, 0);
  const all = new Float64Array(count);
  let offset = 0;
  for (const part of samples) {
    all.set(part, offset);
    offset += part.length;
  }
  all.sort();
  const { count: _, ...summary } = summarize(all);
  const between = spread(roundMedians);
  return {
    batch,
    calls: count * callsPerSample,
    callsPerSample,
    ...summary,
    samplesPerSecond: (batch * 1e6) / summary.mean,
    quantiles: Array.from({ length: 101 }, (__, percent) => quantile(all, percent / 100)),
    roundMedians,
    spread: between ?? null,
    noisy: between !== undefined && between > settings.noiseLimit,
    vsEspalier: reference === undefined ? null : ratioOfRounds(roundMedians, reference),
    vsEspalierBind: bound === undefined ? null : ratioOfRounds(roundMedians, bound),
  };
}
