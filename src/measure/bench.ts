/** `espalier bench`: a network in several engines side by side. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { which } from '../../install/tools.mjs';
import { EspalierError } from '../errors.js';
import { Child } from './race/child.js';
import { accuracyOf, readAccuracyData, type AccuracyData } from './accuracy.js';
import { compete } from './race/compete.js';
import { prepareFiles } from './formats.js';
import { lookInside, type Look } from './look.js';
import { allowedCores, cacheBytes, describeMachine, watchLoad } from './race/machine.js';
import { density, denseProgram } from '../program/dense.js';
import { checkOptions, type BenchOptions, type CheckedOptions } from './options.js';
import { RESULT_FORMAT, RESULT_VERSION, type BenchResult, type NetworkResult } from './result.js';
import { roster, type Entry } from './race/roster.js';
import type { Settings } from './race/runner.js';
import { fileSize, sizeOf, weightSize } from '../inspect/sizes.js';
import { readSource, type Source } from './source.js';

export type { BenchOptions } from './options.js';

/** Spread between rounds above which a figure is marked. */
const NOISE_LIMIT = 0.1;

/** What every network of one bench is measured with. */
interface Bench {
  readonly model: string;
  readonly options: BenchOptions;
  readonly checked: CheckedOptions;
  readonly settings: Settings;
  readonly entries: readonly Entry[];
  readonly source: Source;
  readonly data: AccuracyData | undefined;
  /** Where the files of rivals go. */
  readonly folder: string;
  readonly emptyRss: number;
}

/**
 * Measures a model. Rejects only for the caller's mistakes and where espalier itself cannot run the model: what
 * befalls a rival is in the result. When `signal` aborts, the answer holds the rounds that were finished; INTERRUPTED
 * is thrown where there is none.
 */
export async function bench(model: string, options: BenchOptions = {}): Promise<BenchResult> {
  const checked = checkOptions(options);
  const entries = roster(checked.against, checked.rivals);
  const watchBefore = watchLoad();
  const source = await readSource(model);
  const data = await readAccuracyData(options, checked.threads);
  await sleep(300);
  const before = watchBefore();
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  try {
    const settings = settingsOf(checked, options);
    const emptyRss = await emptyNodeRss(settings);
    const watchDuring = watchLoad();
    const { networks, roofs } = await measureNetworks({
      ...{ model, options, checked, settings, entries, source, data, folder, emptyRss },
    });
    const during = watchDuring();
    const complete = !isAborted(options);
    if (networks.length === 0)
      throw new EspalierError('INTERRUPTED', 'interrupted before a round was finished');
    return {
      format: RESULT_FORMAT,
      version: RESULT_VERSION,
      created: new Date().toISOString(),
      command: options.command ?? `bench ${model}`,
      model,
      machine: await describeMachine(),
      settings: toldSettings(settings),
      load: { before, during, noisy: before > 0.5 || during > checked.threads + 0.5 },
      ...(roofs === undefined ? {} : { roofs }),
      emptyNodeRssBytes: emptyRss,
      complete,
      networks,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const isAborted = ({ signal }: BenchOptions): boolean => signal?.aborted === true;

function settingsOf(checked: CheckedOptions, options: BenchOptions): Settings {
  return {
    ...checked,
    cores: coresFor(checked.pin, checked.threads),
    noiseLimit: NOISE_LIMIT,
    signal: options.signal,
    say: options.say ?? (() => undefined),
    // Twice the last cache: what is written pushes everything else out of it.
    flushBytes: checked.cold ? 2 * cacheBytes() : 0,
  };
}

/** What the result tells of the settings. */
function toldSettings(settings: Settings): BenchResult['settings'] {
  const { threads, cores, batches, rounds, minTime, warmUp, seed, noiseLimit, scenarios, cold } = settings;
  return {
    ...{ threads, cores: cores ?? null, batches, rounds, minTime, warmUp, seed },
    ...{ noiseLimit, scenarios, cold },
  };
}

/** The model as it is, or with each of the sparsities that are to be imposed; those that came to a round. */
async function measureNetworks(all: Bench): Promise<{ networks: NetworkResult[]; roofs?: Look['roofs'] }> {
  const { sparsity } = all.checked;
  const networks: NetworkResult[] = [];
  let roofs: Look['roofs'] | undefined;
  for (const imposed of sparsity.length === 0 ? [undefined] : sparsity) {
    if (isAborted(all.options)) break;
    const measured = await measureNetwork(all, imposed, { roofs, breakEven: networks.length === 0 });
    if (measured === undefined) continue;
    networks.push(measured.network);
    roofs ??= measured.look?.roofs;
  }
  return { networks, ...(roofs === undefined ? {} : { roofs }) };
}

/** The race, then a look inside and the accuracy; undefined where no rival finished a round. */
async function measureNetwork(
  all: Bench,
  imposed: number | undefined,
  known: Parameters<typeof lookInside>[3],
): Promise<{ network: NetworkResult; look: Look | undefined } | undefined> {
  const { model, options, checked, settings, entries, source, data, folder, emptyRss } = all;
  const asItIs = imposed === undefined;
  const program = denseProgram(source.program, imposed);
  const given = asItIs ? { esp: source.esp, tfjs: source.tfjs } : {};
  const prepared = await prepareFiles(program, entries, folder, checked.python, given);
  const { sparsity, weights, nonzeros } = density(program);
  settings.say(`sparsity ${sparsity.toFixed(3)}: ${nonzeros} of ${weights} weights are not zero`);
  const rivals = await compete(program, prepared.lanes, settings, emptyRss);
  if (!rivals.some(({ timings }) => timings.length > 0)) return undefined;
  const look =
    checked.layers && !isAborted(options)
      ? await lookInside(program, prepared.espFile, settings, known)
      : undefined;
  const dense = options.dense ?? (asItIs ? undefined : model);
  const accuracy =
    data === undefined || isAborted(options)
      ? undefined
      : await accuracyOf(model, prepared.espFile, dense, data);
  const stripped = await weightSize(program);
  const network: NetworkResult = {
    sparsity,
    imposed: imposed ?? null,
    weights,
    nonzeros,
    sizes: {
      // Of a model that came pruned the dense weights are not at hand: float32 weights hardly compress.
      dense: asItIs && sparsity > 0 ? { raw: stripped.raw, gzip: null } : await weightSize(source.program),
      stripped,
      esp: await sizeOf(prepared.esp),
      source: await fileSize(model),
    },
    rivals,
    ...(look === undefined ? {} : { layers: look.layers }),
    ...(look === undefined || look.breakEven.length === 0 ? {} : { breakEven: look.breakEven }),
    ...(accuracy === undefined ? {} : { accuracy }),
  };
  return { network, look };
}

/** The cores to pin rivals to: the last ones, as the first serve most interrupts. Undefined: not pinned. */
function coresFor(pin: boolean | string, threads: number): string | undefined {
  if (pin === false || process.platform !== 'linux' || which('taskset') === undefined) return undefined;
  if (typeof pin === 'string') return pin;
  const cores = allowedCores();
  return cores.length < threads ? undefined : cores.slice(-threads).join(',');
}

/** Peak RSS of a process that has loaded nothing but the worker: what Node itself takes. */
async function emptyNodeRss(settings: Settings): Promise<number> {
  const child = new Child({ cores: settings.cores, timeout: settings.timeout });
  try {
    return (await child.memory()).peakRss;
  } finally {
    await child.end();
  }
}
