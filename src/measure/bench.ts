/** `espalier bench`: a network in several engines side by side. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { which } from '../../scripts/lib/tools.mjs';
import type { Program } from '../compile/program.js';
import { EspalierError } from '../errors.js';
import { Child } from './child.js';
import { compete, type Lane, type Settings } from './compete.js';
import { allowedCores, describeMachine, watchLoad } from './machine.js';
import { density, denseProgram } from './matrix.js';
import { toOnnx } from './onnx.js';
import { checkOptions, type BenchOptions } from './options.js';
import { RESULT_FORMAT, RESULT_VERSION, type BenchResult, type NetworkResult } from './result.js';
import type { RivalContext } from './rival.js';
import { roster, type Entry } from './roster.js';
import { fileSize, sizeOf, weightBytes } from './sizes.js';
import { espBytes, readSource } from './source.js';
import { toTfjs } from './tfjs.js';

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
  const say = options.say ?? (() => undefined);
  const watchBefore = watchLoad();
  const source = await readSource(model);
  await sleep(300);
  const before = watchBefore();

  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  try {
    const cores = coresFor(checked.pin, checked.threads);
    const settings: Settings = { ...checked, cores, noiseLimit: NOISE_LIMIT, signal: options.signal, say };
    const emptyRss = await emptyNodeRss(settings);
    const watchDuring = watchLoad();
    const networks: NetworkResult[] = [];
    const variants = checked.sparsity.length === 0 ? [undefined] : checked.sparsity;
    for (const imposed of variants) {
      if (options.signal?.aborted === true) break;
      const program = denseProgram(source.program, imposed);
      const prepared = await prepareFiles(program, entries, folder, {
        esp: imposed === undefined ? source.esp : undefined,
        tfjs: imposed === undefined ? source.tfjs : undefined,
      });
      const { sparsity, weights, nonzeros } = density(program);
      say(`sparsity ${sparsity.toFixed(3)}: ${nonzeros} of ${weights} weights are not zero`);
      const rivals = await compete(program, prepared.lanes, settings, emptyRss);
      if (!rivals.some(({ timings }) => timings.length > 0)) continue;
      const dense = weightBytes(source.program);
      const pruned = imposed === undefined && sparsity > 0;
      networks.push({
        sparsity,
        imposed: imposed ?? null,
        weights,
        nonzeros,
        sizes: {
          // Of a model that came pruned the dense weights are not at hand: float32 weights hardly compress.
          dense: pruned ? { raw: dense.length, gzip: null } : await sizeOf(dense),
          stripped: await sizeOf(weightBytes(program)),
          esp: await sizeOf(prepared.esp),
          source: await fileSize(model),
        },
        rivals,
      });
    }
    const during = watchDuring();
    const complete = options.signal?.aborted !== true;
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
      },
      load: { before, during, noisy: before > 0.5 || during > checked.threads + 0.5 },
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

interface Prepared {
  lanes: Lane[];
  esp: Uint8Array;
}

/** Writes the network in each format that a rival reads. One that cannot be written is that rival's problem only. */
async function prepareFiles(
  program: Program,
  entries: Entry[],
  folder: string,
  given: { esp?: Uint8Array; tfjs?: string },
): Promise<Prepared> {
  const files: RivalContext['files'] = { esp: join(folder, 'model.esp') };
  const esp = given.esp ?? (await espBytes(program));
  await writeFile(files.esp, esp);
  const problems: Partial<Record<'onnx' | 'tfjs', { status: 'unsupported' | 'absent'; message: string }>> =
    {};
  const needed = new Set(entries.flatMap(({ needs }) => needs));
  const attempt = async (format: 'onnx' | 'tfjs', write: () => Promise<string>) => {
    if (!needed.has(format)) return;
    try {
      files[format] = await write();
    } catch (error) {
      const absent = (error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND';
      problems[format] = { status: absent ? 'absent' : 'unsupported', message: (error as Error).message };
    }
  };
  await attempt('onnx', async () => {
    const path = join(folder, 'model.onnx');
    await writeFile(path, await toOnnx(program));
    return path;
  });
  await attempt('tfjs', async () => {
    const { manifest, weights } = toTfjs(program);
    const path = join(folder, 'model.json');
    await writeFile(join(folder, 'weights.bin'), weights);
    await writeFile(path, JSON.stringify(manifest));
    return path;
  });
  if (given.tfjs !== undefined) files.tfjsGiven = given.tfjs;
  const lanes = entries.map((entry): Lane => {
    // A user's own rival reads what it wants of what there is.
    const wanted = entry.needs.length === 1 ? entry.needs[0] : undefined;
    return { entry, files, problem: wanted === undefined ? undefined : problems[wanted] };
  });
  return { lanes, esp };
}
