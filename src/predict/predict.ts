/** `espalier predict`: batch scoring with constant memory, resumable. */
import { createHash } from 'node:crypto';
import { types } from 'node:util';
import { open, readFile, stat } from 'node:fs/promises';
import { door } from '../door.js';
import { EspalierError, invalid, requireKeys } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { storedEncoder, type StoredEncoder } from '../table/stream/encode.js';
import type { Batch } from '../table/stream/gather.js';
import { Scores, type ScoreName } from './scores.js';
import {
  scoreEncoder,
  fileSink,
  partialName,
  progressName,
  standardOutput,
  type ScoredBatch,
} from './sink.js';
import { formatOf, openSource, type RowSource, type TableFormat } from '../table/stream/source.js';

interface ScorerPort {
  readonly name: string;
  /** The batch first, null. */
  readonly shape: readonly (number | null)[];
}

/** What scoring needs of a model. */
export interface Scorer {
  readonly inputs: readonly ScorerPort[];
  readonly outputs: readonly ScorerPort[];
  /** Has taken its inputs when the call returns: their memory is used again while it computes. */
  run(inputs: { data: Float32Array; shape: number[] }[]): Promise<unknown>;
  dispose(): void;
}

export interface PredictOptions {
  readonly model: string;
  /** "-" is standard input. */
  readonly input: string;
  /** "-" is standard output. */
  readonly output: string;
  readonly inputFormat?: string;
  readonly outputFormat?: string;
  /** The columns of the features in the model's order; default: all of the file in its order. */
  readonly columns?: readonly string[];
  /**
   * A run of `espalier train` or its preprocessing.json: the table has the raw columns and they are encoded as in
   * training. Default: the one beside the model, if it fits the model and `columns` are not given; false: none.
   */
  readonly preprocessing?: string | false;
  /** Columns to copy to the output. */
  readonly keep?: readonly string[];
  /** Rows that are scored together, default 4096. */
  readonly batch?: number;
  readonly threads?: number;
  readonly resume?: boolean;
  readonly progress?: (done: number, total: number, rows: number) => void;
  readonly loader?: (source: string, options: { threads?: number }) => Promise<Scorer>;
}

const PREDICT_OPTIONS = {
  ...{ model: true, input: true, output: true, inputFormat: true, outputFormat: true, columns: true },
  ...{ preprocessing: true, keep: true, batch: true, threads: true, resume: true },
  ...{ progress: true, loader: true },
} satisfies Record<keyof PredictOptions, true>;

interface RecordedProgress {
  readonly settings: string;
  readonly rows: number;
  readonly bytes: number;
}

/** Milliseconds between two records of the progress: what a killed run loses at most. */
const RECORD_EVERY = 500;

const engine = async (source: string, options: { threads?: number }): Promise<Scorer> => {
  const { loadModel } = await import('../load.js');
  return loadModel(source, options);
};

const sizeOf = ({ shape }: ScorerPort) => shape.slice(1).reduce<number>((size, extent) => size * extent!, 1);

/**
 * Scores a table. Throws INVALID_ARGUMENT, INVALID_DATA (with row and column), NOT_FOUND, IO_FAILED. The output
 * appears when it is whole; until then OUTPUT.partial and OUTPUT.progress.json hold what a resumed run needs.
 */
export async function predict(options: PredictOptions): Promise<{ rows: number }> {
  requireKeys('options', options, PREDICT_OPTIONS);
  return door(options.input === '-' ? 'standard input' : options.input, () => scoreFile(options));
}

async function scoreFile(options: PredictOptions): Promise<{ rows: number }> {
  const formats = formatsOf(options);
  const model = await (options.loader ?? engine)(options.model, { threads: options.threads });
  try {
    requireScorable(model);
    return { rows: await scoreTable(model, options, formats) };
  } finally {
    model.dispose();
  }
}

interface Formats {
  readonly input: TableFormat;
  readonly output: TableFormat;
}

function formatsOf({ input, output, inputFormat, outputFormat, resume }: PredictOptions): Formats {
  const formats = {
    input: formatOf(input, inputFormat, '--input'),
    output: formatOf(output, outputFormat, '--output'),
  };
  if (resume === true && (input === '-' || output === '-')) {
    throw invalid('INVALID_ARGUMENT', '--resume', 'an input and an output that are files', '-');
  }
  if (output === '-' && formats.output === 'npy') {
    const expected = 'csv, jsonl or arrow: npy tells its length first';
    throw invalid('INVALID_ARGUMENT', '--output-format', expected, 'npy');
  }
  return formats;
}

/** Rows are scored by a model of one input whose sizes are known. */
function requireScorable({ inputs, outputs }: Scorer): void {
  const [port] = inputs;
  if (port === undefined || inputs.length !== 1) {
    throw invalid('INVALID_ARGUMENT', 'MODEL', 'a model with one input', inputs.length);
  }
  if ([port, ...outputs].some(({ shape }) => shape.slice(1).includes(null))) {
    const expected = 'a model whose sizes are fixed, but for the batch';
    throw invalid('INVALID_ARGUMENT', 'MODEL', expected, port.shape);
  }
}

/** Opens both ends, scores from one to the other and answers the rows of the table. */
async function scoreTable(model: Scorer, options: PredictOptions, formats: Formats): Promise<number> {
  const { input, output, columns, keep = [], batch = 4096, resume } = options;
  const names = scoreNames(model);
  const encoder = await scoreEncoder(formats.output, names.length);
  const features = sizeOf(model.inputs[0]!);
  const stored = await encoderFor(options, formats.input, features);
  const source = await openSource(
    { path: input, features, columns, keep, batch, encoder: stored },
    formats.input,
  );
  const settings = await fingerprintOf(options, formats.output, stored);
  const before = resume === true ? await readProgress(output, settings) : { rows: 0, bytes: 0 };
  const sink = output === '-' ? standardOutput() : await fileSink(output, before.bytes);
  try {
    const written = { rows: 0, bytes: before.bytes };
    const record = output === '-' ? undefined : progressRecorder(output, settings);
    for await (const { piece, scored } of scoredPieces(model, names, source, before.rows)) {
      written.rows += piece.rows;
      if (scored === undefined) continue;
      const chunk = encoder.batch(scored, written.bytes === 0);
      await sink.write(chunk);
      written.bytes += chunk.length;
      options.progress?.(piece.done === 0 ? source.total : piece.done, source.total, written.rows);
      await record?.(written);
    }
    if (written.bytes === 0) await sink.write(encoder.batch(emptyBatch(names, keep), true));
    await sink.write(encoder.end());
    await sink.finish(encoder.start?.(written.rows));
    return written.rows;
  } finally {
    await sink.close();
  }
}

/** The batches of a table in order, each with its scores; without where its rows are among the first `done`. */
async function* scoredPieces(model: Scorer, names: readonly ScoreName[], source: RowSource, done: number) {
  const batches = source.batches()[Symbol.asyncIterator]();
  let next = batches.next();
  let rows = 0;
  try {
    for (let found = await next; found.done !== true; found = await next) {
      const piece = found.value;
      rows += piece.rows;
      // Batches are cut alike in every run: those scored before are passed over whole.
      const scoring = rows <= done ? undefined : score(model, names, piece);
      // The model has taken its inputs: the next ones are read while it computes.
      next = batches.next();
      // Where scoring fails first, no one asks for them any more.
      next.catch(() => undefined);
      yield { piece, scored: await scoring };
    }
  } finally {
    await batches.return?.();
  }
}

/** Writes down from time to time how far the output is, for a run that goes on from there. */
function progressRecorder(output: string, settings: string) {
  let recorded = performance.now();
  return async ({ rows, bytes }: { rows: number; bytes: number }): Promise<void> => {
    if (performance.now() - recorded < RECORD_EVERY) return;
    recorded = performance.now();
    const progress: RecordedProgress = { settings, rows, bytes };
    await writeFileAtomic(progressName(output), JSON.stringify(progress));
  };
}

/** What training stored for this model; undefined: the table has the model's own inputs. */
async function encoderFor(
  { model, columns, preprocessing }: PredictOptions,
  format: string,
  features: number,
): Promise<StoredEncoder | undefined> {
  if (preprocessing === false) return undefined;
  if (preprocessing === undefined) {
    // Named features are the model's own; npy has no names.
    if (columns !== undefined || format === 'npy') return undefined;
    const beside = await storedEncoder(model);
    return beside?.width === features ? beside : undefined;
  }
  const encoder = await storedEncoder(preprocessing);
  if (encoder === undefined) {
    throw new EspalierError('NOT_FOUND', `--preprocessing: no preprocessing.json at ${preprocessing}`, {
      parameter: '--preprocessing',
      received: preprocessing,
    });
  }
  if (columns !== undefined || format === 'npy') {
    throw invalid('INVALID_ARGUMENT', '--preprocessing', 'a table of raw columns, without --columns', format);
  }
  if (encoder.width !== features) {
    throw invalid(
      'INVALID_ARGUMENT',
      '--preprocessing',
      `${features} inputs, as the model has`,
      encoder.width,
    );
  }
  return encoder;
}

/** "y" for one number, "y_0", "y_1", … for several. */
function scoreNames(model: Scorer): ScoreName[] {
  return model.outputs.flatMap((port, output) => {
    const size = sizeOf(port);
    return Array.from({ length: size }, (_, feature) => ({
      output,
      feature,
      name: size === 1 ? port.name : `${port.name}_${feature}`,
    }));
  });
}

async function score(model: Scorer, names: readonly ScoreName[], piece: Batch): Promise<ScoredBatch> {
  const { rows, data, kept } = piece;
  const shape = [rows, ...(model.inputs[0]!.shape.slice(1) as number[])];
  const answer = await model.run([{ data, shape }]);
  const outputs = model.outputs.map(({ name }) => {
    const own = model.outputs.length === 1 ? answer : (answer as Record<string, unknown>)[name];
    return types.isFloat32Array(own) ? own : (own as { data: Float32Array }).data;
  });
  return { rows, kept, scores: new Scores(rows, names, outputs) };
}

function emptyBatch(names: readonly ScoreName[], keep: readonly string[]): ScoredBatch {
  return {
    rows: 0,
    kept: new Map(keep.map((name) => [name, []])),
    scores: new Scores(0, names, []),
  };
}

/** All that decides the output: a run goes on only where none of it has changed. */
export async function fingerprintOf(
  options: PredictOptions,
  outputFormat: string,
  encoding?: StoredEncoder,
): Promise<string> {
  const tell = async (path: string) => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || !found.isFile()) return [path, found?.mtimeMs];
    return [path, found.size, found.mtimeMs, await sampledDigest(path, found.size)];
  };
  const { columns, keep, batch, inputFormat } = options;
  const rest = { columns, keep, batch, inputFormat, outputFormat, encoder: encoding?.settings };
  return JSON.stringify([await tell(options.model), await tell(options.input), rest]);
}

const SAMPLES = 64;
const SAMPLE_BYTES = 64 * 1024;

/** Of the whole of a file of up to 4 MiB; of a larger one, of 64 pieces spread over it: the time of its change is told too. */
async function sampledDigest(path: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(SAMPLE_BYTES);
    const last = Math.max(0, size - SAMPLE_BYTES);
    for (let sample = 0; sample < SAMPLES; sample++) {
      const at = Math.floor((last * sample) / (SAMPLES - 1));
      const { bytesRead } = await file.read(buffer, 0, SAMPLE_BYTES, at);
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex').slice(0, 16);
}

async function readProgress(output: string, settings: string): Promise<{ rows: number; bytes: number }> {
  const fresh = { rows: 0, bytes: 0 };
  const text = await readFile(progressName(output), 'utf8').catch(() => undefined);
  const partial = await stat(partialName(output)).catch(() => undefined);
  if (text === undefined || partial === undefined) return fresh;
  let progress: RecordedProgress;
  try {
    progress = JSON.parse(text) as RecordedProgress;
  } catch {
    return fresh;
  }
  if (progress.settings !== settings) {
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `--resume: ${output} was begun with another model, input or settings; run without --resume`,
      { parameter: '--resume' },
    );
  }
  return partial.size >= progress.bytes ? { rows: progress.rows, bytes: progress.bytes } : fresh;
}
