/** `espalier bench`: a network in several engines side by side. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { which } from '../../install/tools.mjs';
import { EspalierError } from '../errors.js';
import { Child } from './race/child.js';
import { accuracyOf, readAccuracyData } from './accuracy.js';
import { compete } from './race/compete.js';
import { prepareFiles } from './formats.js';
import { lookInside, type Look } from './look.js';
import { allowedCores, cacheBytes, describeMachine, watchLoad } from './race/machine.js';
import { density, denseProgram } from '../program/dense.js';
import { checkOptions, type BenchOptions } from './options.js';
import { RESULT_FORMAT, RESULT_VERSION, type BenchResult, type NetworkResult } from './result.js';
import { roster } from './race/roster.js';
import type { Settings } from './race/runner.js';
import { fileSize, sizeOf, weightSize } from '../inspect/sizes.js';
import { readSource } from './source.js';

export type { BenchOptions } from './options.js';

/** Spread between rounds above which a figure is marked. */
const NOISE_LIMIT = 0.1;

/**
 * Measures a model. Rejects only for the caller's mistakes and where espalier itself cannot run the model: what
 * befalls a rival is in the result. When `signal` aborts, the answer holds the rounds that were finished; INTERRUPTED
 * is thrown where there is none.
 */
export async function bench(model: string, options: BenchOptions = {}): Promise<BenchResult> {
  const checked = checkOptions(options);
  const entries = roster(checked.against, checked.rivals);
  const aborted = () => options.signal?.aborted === true;
  const say = options.say ?? (() => undefined);
  const watchBefore = watchLoad();
  const source = await readSource(model);
  const data = await readAccuracyData(options, checked.threads);
  await sleep(300);
  const before = watchBefore();

  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  try {
    const cores = coresFor(checked.pin, checked.threads);
    const settings: Settings = {
      ...checked,
      cores,
      noiseLimit: NOISE_LIMIT,
      signal: options.signal,
      say,
      // Twice the last cache: what is written pushes everything else out of it.
      flushBytes: checked.cold ? 2 * cacheBytes() : 0,
    };
    const emptyRss = await emptyNodeRss(settings);
    const watchDuring = watchLoad();
    const networks: NetworkResult[] = [];
    let roofs: Look['roofs'] | undefined;
    const variants = checked.sparsity.length === 0 ? [undefined] : checked.sparsity;
    for (const imposed of variants) {
      if (aborted()) break;
      const program = denseProgram(source.program, imposed);
      const prepared = await prepareFiles(program, entries, folder, checked.python, {
        esp: imposed === undefined ? source.esp : undefined,
        tfjs: imposed === undefined ? source.tfjs : undefined,
      });
      const { sparsity, weights, nonzeros } = density(program);
      say(`sparsity ${sparsity.toFixed(3)}: ${nonzeros} of ${weights} weights are not zero`);
      const rivals = await compete(program, prepared.lanes, settings, emptyRss);
      if (!rivals.some(({ timings }) => timings.length > 0)) continue;
      const look =
        checked.layers && !aborted()
          ? await lookInside(program, prepared.espFile, settings, { roofs, breakEven: networks.length === 0 })
          : undefined;
      roofs ??= look?.roofs;
      const accuracy =
        data === undefined || aborted()
          ? undefined
          : await accuracyOf(
              model,
              prepared.espFile,
              options.dense ?? (imposed === undefined ? undefined : model),
              data,
            );
      const stripped = await weightSize(program);
      const pruned = imposed === undefined && sparsity > 0;
      networks.push({
        sparsity,
        imposed: imposed ?? null,
        weights,
        nonzeros,
        sizes: {
          // Of a model that came pruned the dense weights are not at hand: float32 weights hardly compress.
          dense: pruned ? { raw: stripped.raw, gzip: null } : await weightSize(source.program),
          stripped,
          esp: await sizeOf(prepared.esp),
          source: await fileSize(model),
        },
        rivals,
        ...(look === undefined ? {} : { layers: look.layers }),
        ...(look === undefined || look.breakEven.length === 0 ? {} : { breakEven: look.breakEven }),
        ...(accuracy === undefined ? {} : { accuracy }),
      });
    }
    const during = watchDuring();
    const complete = !aborted();
    if (networks.length === 0)
      throw new EspalierError('INTERRUPTED', 'interrupted before a round was finished');
    return {
      format: RESULT_FORMAT,
      version: RESULT_VERSION,
      created: new Date().toISOString(),
      command: options.command ?? `bench ${model}`,
      model,
      machine: await describeMachine(),
      settings: {
        threads: checked.threads,
        cores: cores ?? null,
        batches: checked.batches,
        rounds: checked.rounds,
        minTime: checked.minTime,
        warmUp: checked.warmUp,
        seed: checked.seed,
        noiseLimit: NOISE_LIMIT,
        scenarios: checked.scenarios,
        cold: checked.cold,
      },
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
