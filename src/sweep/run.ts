/**
 * `espalier sweep`: train, prune to several sparsities, convert, measure and report. Each step leaves its result in the
 * output folder with the settings it was made by: what is there with the same settings is not done again.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { convertModel } from '../convert.js';
import { EspalierError, invalid } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { bench } from '../measure/bench.js';
import { trainAndPrune } from '../recipe/train-and-prune.js';
import { reportFiles, type ReportFormat } from '../report/report.js';
import type { Progress } from '../progress.js';
import type { SplitSettings } from '../table/split.js';
import { readTable, type Table } from '../table/table.js';
import { TRAIN_DEFAULTS, train } from '../train/train.js';
import { pruningsOf, type SweepPruning, type SweepRecipe } from './recipe.js';

export interface SweepOptions {
  recipe: SweepRecipe;
  /** Gets a folder a step, and report.html, report.md. */
  output: string;
  /** In place of the recipe's. */
  data?: string;
  /** Of TensorFlow. */
  threads?: number;
  progress?: Progress;
  signal?: AbortSignal;
  /** Told in the results. */
  command?: string;
}

export interface SweepResult {
  /** Of bench, the dense network first. */
  results: string[];
  reports: string[];
  /** Steps that were done before, and now. */
  kept: string[];
  done: string[];
}

interface Step {
  name: string;
  /** Whatever its result depends on. */
  settings: unknown;
  /** `resume`: it was begun with the same settings, and may go on from what is there. */
  work: (folder: string, resume: boolean) => Promise<void>;
}

const DONE = 'done.json';
const BEGUN = 'begun.json';

/** Of a file's bytes; of a folder's, or of nothing, its path: what is there is told when it is read. */
async function contentOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  } catch {
    return path;
  }
  return hash.digest('hex').slice(0, 16);
}

/** Of a model: its file, or the files of its folder. */
async function modelContent(path: string): Promise<string> {
  const names = await readdir(path).catch(() => undefined);
  if (names === undefined) return contentOf(path);
  return digest(await Promise.all(names.sort().map((name) => contentOf(join(path, name)))));
}

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/** Does steps in order; the settings of those before are part of each one's, as its result is made of theirs. */
class Steps {
  readonly kept: string[] = [];
  readonly done: string[] = [];

  constructor(
    private readonly output: string,
    private readonly say: (text: string) => void,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Answers the digest of the step, for those that build on it. */
  async run({ name, settings, work }: Step): Promise<string> {
    if (this.signal?.aborted === true)
      throw new EspalierError('INTERRUPTED', 'interrupted: run again to go on');
    const folder = join(this.output, name);
    const key = digest([name, settings]);
    const keyIn = async (file: string) => keyOf(await readFile(join(folder, file), 'utf8').catch(() => ''));
    if ((await keyIn(DONE)) === key) {
      this.say(`${name}: done before`);
      this.kept.push(name);
      return key;
    }
    this.say(`── ${name}`);
    const resume = (await keyIn(BEGUN)) === key;
    await writeFileAtomic(join(folder, BEGUN), `${JSON.stringify({ key })}\n`);
    await work(folder, resume);
    await writeFileAtomic(join(folder, DONE), `${JSON.stringify({ key, settings }, null, 1)}\n`);
    this.done.push(name);
    return key;
  }
}

function keyOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { key?: string }).key;
  } catch {
    return undefined;
  }
}

async function dataFile(
  recipe: SweepRecipe,
  given: string | undefined,
  say: (text: string) => void,
): Promise<string> {
  if (given !== undefined) return given;
  if (recipe.data.file !== undefined) return recipe.data.file;
  const module = recipe.data.module ?? '';
  const { prepare } = (await import(pathToFileURL(module).href)) as { prepare?: unknown };
  if (typeof prepare !== 'function')
    throw invalid('INVALID_RECIPE', `data.module ${module}`, 'a module with a function `prepare`', prepare);
  const path: unknown = await (prepare as (options: { say: typeof say }) => unknown)({ say });
  if (typeof path !== 'string')
    throw invalid('INVALID_RECIPE', `prepare of ${module}`, 'the path of a file', path);
  return path;
}

/** Two entries with the same sparsity are two networks. */
function stepNames(prunings: readonly SweepPruning[]): string[] {
  const seen = new Map<string, number>();
  return prunings.map(({ sparsity }) => {
    const name = `sparse-${sparsity}`;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name}-${times}`;
  });
}

/** What every step of a sweep is made of. */
interface Work {
  options: SweepOptions;
  steps: Steps;
  say: (text: string) => void;
  /** The data's path. */
  data: string;
  /** The data, read once and only if something is to be trained. */
  table: () => Promise<Table>;
  split: SplitSettings | undefined;
}

/** A network and the digest of the step that made it. */
interface Made {
  path: string;
  key: string;
}

/** The dense network: the recipe's, or one that is trained. */
async function denseNetwork({ options, steps, data, table, split }: Work): Promise<Made> {
  const { recipe, output, progress = {}, signal, threads } = options;
  const content = await contentOf(data);
  if (recipe.model !== undefined) {
    return { path: recipe.model, key: digest([await modelContent(recipe.model), content]) };
  }
  const { target } = recipe.data;
  const { network = [...TRAIN_DEFAULTS.hidden], ...given } = recipe.train ?? {};
  const settings = { ...TRAIN_DEFAULTS, ...given, hidden: network, split: split ?? TRAIN_DEFAULTS.split };
  const key = await steps.run({
    name: 'dense',
    settings: { ...settings, data, content, target },
    work: async (folder, resume) => {
      await train({
        ...settings,
        ...{ data: await table(), target, output: folder, resume, threads, progress, signal },
      });
    },
  });
  return { path: join(output, 'dense'), key };
}

async function prunedNetwork(
  { options, steps, table, split }: Work,
  dense: Made,
  name: string,
  pruning: SweepPruning,
): Promise<Made> {
  const { recipe, output, progress = {}, signal, threads } = options;
  const { target } = recipe.data;
  const key = await steps.run({
    name,
    settings: { from: dense.key, pruning, target },
    work: async (folder, resume) => {
      await trainAndPrune({
        ...{ model: dense.path, data: await table(), target, recipe: pruning, split, output: folder, resume },
        ...{ threads, progress, signal },
      });
    },
  });
  return { path: join(output, name), key };
}

async function convertedNetwork({ options, steps }: Work, name: string, source: Made): Promise<Made> {
  const path = join(options.output, `${name}-esp`, `${name}.esp`);
  const key = await steps.run({
    name: `${name}-esp`,
    settings: [source.key],
    work: async () => void (await convertModel(source.path, path)),
  });
  return { path, key };
}

/** Answers the path of the result. */
async function benchResult({ options, steps, say, data, split }: Work, name: string, esp: Made, dense: Made) {
  const { recipe, output, signal, command } = options;
  const result = join(output, `${name}-bench`, 'result.json');
  await steps.run({
    name: `${name}-bench`,
    settings: [esp.key, recipe.bench ?? {}],
    work: async () => {
      const answer = await bench(esp.path, {
        ...recipe.bench,
        ...{ data, target: recipe.data.target, dense: dense.path, split, signal, say },
        command: command ?? `sweep, ${name}`,
      });
      if (!answer.complete) throw new EspalierError('INTERRUPTED', 'interrupted: run again to go on');
      await writeFileAtomic(result, `${JSON.stringify(answer, null, 1)}\n`);
    },
  });
  return result;
}

/** Answers the paths of the reports. */
async function writeReports({ recipe, output }: SweepOptions, results: readonly string[]): Promise<string[]> {
  const reports: string[] = [];
  for (const format of recipe.formats ?? (['html', 'md'] satisfies ReportFormat[])) {
    const file = join(output, `report.${format}`);
    const charts = format === 'md' ? { chartFolder: join(output, 'charts') } : {};
    await writeFileAtomic(
      file,
      await reportFiles(results, { format, title: recipe.name, output: file, ...charts }),
    );
    reports.push(file);
  }
  return reports;
}

/**
 * Safe to interrupt: run again it goes on, training too, epoch by epoch. Throws what its steps throw, and INTERRUPTED.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { recipe, output, progress = {}, signal } = options;
  const say = (text: string) => progress.say?.(text);
  const steps = new Steps(output, say, signal);
  const data = await dataFile(recipe, options.data, say);
  let read: Promise<Table> | undefined;
  const table = () => (read ??= (say(`reading ${data}`), readTable(data)));
  const { split: column } = recipe.data;
  const split = column === undefined ? undefined : { ...TRAIN_DEFAULTS.split, column };
  const work: Work = { options, steps, say, data, table, split };

  const dense = await denseNetwork(work);
  const models = [{ name: 'dense', esp: await convertedNetwork(work, 'dense', dense) }];
  const prunings = pruningsOf(recipe);
  for (const [index, name] of stepNames(prunings).entries()) {
    const pruned = await prunedNetwork(work, dense, name, prunings[index]!);
    models.push({ name, esp: await convertedNetwork(work, name, pruned) });
  }
  const results: string[] = [];
  for (const { name, esp } of models) results.push(await benchResult(work, name, esp, dense));
  const reports = await writeReports(options, results);
  return { results, reports, kept: steps.kept, done: steps.done };
}
