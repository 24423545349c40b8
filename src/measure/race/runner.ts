/** One rival in the race: its process, whether it agrees with espalier, and what befell it. */
import type { Program } from '../../program/program.js';
import { EspalierError } from '../../errors.js';
import { Child, RivalError } from './child.js';
import type { CheckedOptions } from '../options.js';
import type { RivalResult } from '../result.js';
import type { RivalContext, RivalInput, RivalOutputs } from './rival.js';
import { OWN, type Entry } from './roster.js';
import { seededRandom } from './statistics.js';

export interface Settings extends CheckedOptions {
  cores?: string;
  noiseLimit: number;
  signal?: AbortSignal;
  say: (line: string) => void;
  /** Bytes that are written between calls, so that nothing of the network is left in the caches; 0: warm. */
  flushBytes: number;
}

/** A rival that is to take part. */
export interface Lane {
  entry: Entry;
  files: RivalContext['files'];
  /** Why it cannot, known before it starts. */
  problem?: { status: 'unsupported' | 'absent'; message: string };
}

export interface Runner {
  lane: Lane;
  child?: Child;
  result: RivalResult;
}

export const REFERENCE = OWN[0]?.id;

export function newRunner(lane: Lane): Runner {
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
export async function attempt(runner: Runner, work: (child: Child) => Promise<void>): Promise<void> {
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

export async function start(
  runner: Runner,
  program: Program,
  settings: Settings,
  emptyRss: number,
): Promise<void> {
  const { lane, result } = runner;
  if (result.status !== 'ok') return;
  settings.say(`starting ${lane.entry.name}`);
  runner.child = new Child({
    cores: settings.cores,
    env: rivalEnvironment(settings.threads),
    timeout: settings.timeout,
    python: lane.entry.python === true ? settings.python : undefined,
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
        cold: settings.flushBytes > 0,
      },
    });
    result.name = loaded.name;
    result.versions = loaded.versions;
    result.note = loaded.note ?? null;
    result.loadMs = loaded.loadMs;
    const first = await child.compute(inputsOf(program, settings.batches[0] ?? 1, settings.seed));
    result.firstMs = first.firstMs;
    const memory = await child.memory();
    result.rssBytes = memory.rss - emptyOf(lane, emptyRss);
    result.peakRssBytes = memory.peakRss - emptyOf(lane, emptyRss);
  });
}

/** What the process takes with nothing in it; a Python process has taken its own away already. */
export const emptyOf = ({ entry }: Lane, emptyRss: number): number => (entry.python === true ? 0 : emptyRss);

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
export async function agree(
  runners: Runner[],
  program: Program,
  batch: number,
  settings: Settings,
): Promise<void> {
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
