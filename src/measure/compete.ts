/** The contest: every rival in its process, answers compared first, then rounds in which each has its turn. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Program } from '../compile/program.js';
import { EspalierError } from '../errors.js';
import { Child, RivalError } from './child.js';
import type { CheckedOptions } from './options.js';
import type { RivalResult, Timing } from './result.js';
import type { RivalContext, RivalInput, RivalOutputs } from './rival.js';
import { OWN, type Entry } from './roster.js';
import { median, quantile, ratioOfRounds, seededRandom, spread, summarize } from './statistics.js';

export interface Settings extends CheckedOptions {
  cores?: string;
  noiseLimit: number;
  signal?: AbortSignal;
  say: (line: string) => void;
}

/** A rival that is to take part. */
export interface Lane {
  entry: Entry;
  files: RivalContext['files'];
  /** Why it cannot, known before it starts. */
  problem?: { status: 'unsupported' | 'absent'; message: string };
}

interface Runner {
  lane: Lane;
  child?: Child;
  result: RivalResult;
}

/** Samples of one rival at one batch size, a round an entry. */
interface Rounds {
  samples: Float64Array[];
  callsPerSample: number;
}

const ABORTED = Symbol('aborted');
const REFERENCE = OWN[0]?.id;

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
    for (const runner of runners) {
      await attempt(runner, async (child) => {
        runner.result.peakRssBytes = (await child.memory()).peakRss - emptyRss;
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

function newRunner(lane: Lane): Runner {
  const { entry, problem } = lane;
  return {
    lane,
    result: {
      id: entry.id,
      name: entry.name,
      status: problem?.status ?? 'ok',
      message: problem === undefined ? null : withRemedy(entry, problem.status, problem.message),
      versions: {},
      note: null,
      loadMs: null,
      firstMs: null,
      rssBytes: null,
      peakRssBytes: null,
      maxAbsDifference: null,
      timings: [],
    },
  };
}

function withRemedy(entry: Entry, status: RivalResult['status'], message: string): string {
  const remedy = status === 'absent' ? entry.install : status === 'failed' ? (entry.repair ?? '') : '';
  return remedy === '' ? message : `${message.split('\n')[0]}. Install it with: ${remedy}`;
}

/** Does something with a rival that is still in the race; its failure takes it out and nothing else. */
async function attempt(runner: Runner, work: (child: Child) => Promise<void>): Promise<void> {
  const { child, result, lane } = runner;
  if (child === undefined || result.status !== 'ok') return;
  try {
    await work(child);
  } catch (error) {
    if (!(error instanceof RivalError)) throw error;
    result.status = error.problem;
    result.message = withRemedy(lane.entry, error.problem, error.message);
    child.kill();
    if (lane.entry.id === REFERENCE) {
      throw new EspalierError('INTERNAL', `espalier itself does not run this model: ${error.message}`, {
        parameter: 'model',
        received: error.problem,
      });
    }
  }
}

function rivalEnvironment(threads: number): Record<string, string> {
  const count = String(threads);
  return {
    TF_NUM_INTRAOP_THREADS: count,
    TF_NUM_INTEROP_THREADS: count,
    OMP_NUM_THREADS: count,
    TF_CPP_MIN_LOG_LEVEL: '2',
  };
}

async function start(runner: Runner, program: Program, settings: Settings, emptyRss: number): Promise<void> {
  const { lane, result } = runner;
  if (result.status !== 'ok') return;
  settings.say(`starting ${lane.entry.name}`);
  runner.child = new Child({
    cores: settings.cores,
    env: rivalEnvironment(settings.threads),
    timeout: settings.timeout,
  });
  await attempt(runner, async (child) => {
    const ports = (list: Program['inputs']) => list.map(({ name, shape }) => ({ name, shape: [...shape] }));
    const loaded = await child.load({
      module: lane.entry.module,
      variant: lane.entry.variant,
      context: {
        files: lane.files,
        inputs: ports(program.inputs),
        outputs: ports(program.outputs),
        threads: settings.threads,
      },
    });
    result.name = loaded.name;
    result.versions = loaded.versions;
    result.note = loaded.note ?? null;
    result.loadMs = loaded.loadMs;
    const first = await child.compute(inputsOf(program, settings.batches[0] ?? 1, settings.seed));
    result.firstMs = first.firstMs;
    const memory = await child.memory();
    result.rssBytes = memory.rss - emptyRss;
    result.peakRssBytes = memory.peakRss - emptyRss;
  });
}

/** Seeded, uniform in [-1, 1). */
export function inputsOf(program: Program, batch: number, seed: number): RivalInput[] {
  const random = seededRandom(seed);
  return program.inputs.map(({ name, shape, value }) => ({
    name,
    shape: shape.map((extent) => extent ?? batch),
    data: Float32Array.from(
      { length: batch * (program.values[value]?.features ?? 0) },
      () => random() * 2 - 1,
    ),
  }));
}

/** Gives every rival the inputs of this batch size and compares its outputs with those of the first. */
async function agree(runners: Runner[], program: Program, batch: number, settings: Settings): Promise<void> {
  const inputs = inputsOf(program, batch, settings.seed);
  let expected: RivalOutputs | undefined;
  for (const runner of runners) {
    await attempt(runner, async (child) => {
      const { outputs } = await child.compute(inputs);
      expected ??= outputs;
      const difference = compareOutputs(outputs, expected);
      const { result } = runner;
      result.maxAbsDifference = Math.max(result.maxAbsDifference ?? 0, difference.maxAbs);
      if (difference.problem !== undefined) throw new RivalError('differs', difference.problem);
    });
  }
}

/**
 * Float32 sums in another order differ a little: accepted are 1e-4 of the largest magnitude of the output, and of 1
 * where all are smaller.
 */
export function compareOutputs(
  outputs: RivalOutputs,
  expected: RivalOutputs,
): { maxAbs: number; problem?: string } {
  if (outputs.length !== expected.length) {
    return { maxAbs: 0, problem: `${outputs.length} outputs where espalier has ${expected.length}` };
  }
  let maxAbs = 0;
  let problem: string | undefined;
  outputs.forEach((output, index) => {
    const wanted = expected[index] ?? new Float32Array();
    if (output.length !== wanted.length) {
      problem ??= `output ${index} has ${output.length} numbers where espalier has ${wanted.length}`;
      return;
    }
    const scale = wanted.reduce((most, value) => (Math.abs(value) > most ? Math.abs(value) : most), 1);
    for (let i = 0; i < wanted.length; i++) {
      const [got, want] = [output[i] ?? 0, wanted[i] ?? 0];
      if (Object.is(got, want) || got === want) continue;
      const difference = Math.abs(got - want);
      if (difference > maxAbs) maxAbs = difference;
      if (!(difference <= 1e-4 * scale)) {
        problem ??= `output ${index} at ${i} is ${got} where espalier has ${want}`;
      }
    }
  });
  return { maxAbs, problem };
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
        const measured = await child.measure({ warmUp: round === 0 ? warmUp : 5, seconds, atLeast: 3 });
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
