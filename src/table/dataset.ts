/** A table made ready for a network: encoded inputs, a scaled target, three parts; and its settings in a file. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { EspalierError, invalid } from '../errors.js';
import { modelJsonPath, writeFileAtomic } from '../files.js';
import { Encoder, encoderSchema, fitEncoder, plainEncoder } from './encoder.js';
import { splitRows, type Part, type Split, type SplitSettings } from './split.js';
import { targetValues, type Table } from './table.js';

const PREPROCESSING_FILE = 'preprocessing.json';

const preprocessingSchema = z.strictObject({
  format: z.literal('espalier-preprocessing'),
  version: z.literal(1),
  target: z.string(),
  /** Mean and deviation of the target over the training rows: what training scales it by. */
  scale: z.strictObject({ mean: z.number(), deviation: z.number().positive() }),
  split: z.strictObject({
    column: z.string().optional(),
    group: z.string().optional(),
    seed: z.number().int(),
    validation: z.number(),
    test: z.number(),
  }),
  encoder: encoderSchema,
  /** The file of the weights that it was written with: those of another run it does not fit. */
  weights: z.string().optional(),
});
/** All that turns a table into what the model takes: stored beside it as preprocessing.json. */
export type Preprocessing = Omit<z.infer<typeof preprocessingSchema>, 'weights'>;

function fitScale(target: Float64Array, rows: Uint32Array): { mean: number; deviation: number } {
  let mean = 0;
  for (const row of rows) mean += target[row]! / rows.length;
  let squares = 0;
  for (const row of rows) squares += (target[row]! - mean) ** 2;
  const deviation = Math.sqrt(squares / rows.length);
  return { mean, deviation: deviation > 0 ? deviation : 1 };
}

/** What training fits, on training rows only. Throws INVALID_DATA, INVALID_ARGUMENT. */
export function fitPreprocessing(table: Table, target: string, settings: SplitSettings): Preprocessing {
  const values = targetValues(table, target);
  const split = splitRows(table, settings);
  const leaveOut = [target, ...[settings.column, settings.group].filter((name) => name !== undefined)];
  return {
    format: 'espalier-preprocessing',
    version: 1,
    target,
    scale: fitScale(values, split.train),
    split: settings,
    encoder: fitEncoder(table, split.train, leaveOut),
  };
}

/** For a model that came without preprocessing.json: the table's numbers as they are, the target unscaled. */
export function plainPreprocessing(table: Table, target: string, settings: SplitSettings): Preprocessing {
  targetValues(table, target);
  const leaveOut = [target, ...[settings.column, settings.group].filter((name) => name !== undefined)];
  return {
    format: 'espalier-preprocessing',
    version: 1,
    target,
    scale: { mean: 0, deviation: 1 },
    split: settings,
    encoder: plainEncoder(table, leaveOut),
  };
}

/** @param weights the name of the weights' file of the model that it is written with. */
export function writePreprocessing(
  folder: string,
  preprocessing: Preprocessing,
  weights: string,
): Promise<void> {
  const text = JSON.stringify({ ...preprocessing, weights }, null, 1);
  return writeFileAtomic(join(folder, PREPROCESSING_FILE), `${text}\n`);
}

/** What lies beside a model (its folder, or any file in it); undefined if nothing does. Throws INVALID_MODEL. */
export async function readPreprocessing(model: string): Promise<Preprocessing | undefined> {
  const folder = dirname(await modelJsonPath(model));
  const path = join(folder, PREPROCESSING_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EspalierError(
      'INVALID_MODEL',
      `${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
  const parsed = preprocessingSchema.safeParse(value);
  if (!parsed.success) {
    throw new EspalierError('INVALID_MODEL', `${path}: ${z.prettifyError(parsed.error)}`, {
      parameter: path,
    });
  }
  const { weights, ...preprocessing } = parsed.data;
  await requirePair(folder, path, preprocessing, weights);
  return preprocessing;
}

/**
 * Model and preprocessing carry each other's mark: the model's file the digest of the preprocessing, that the name of the
 * weights, which has their digest. Throws INVALID_MODEL for a pair of different runs, as a crash between the two writes or
 * a copy by hand leaves it. Files without marks, of before December 2026 or of others, are taken as they are.
 */
async function requirePair(
  folder: string,
  path: string,
  preprocessing: Preprocessing,
  weights: string | undefined,
): Promise<void> {
  const text = await readFile(join(folder, 'model.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return;
  let model: {
    userDefinedMetadata?: { espalier?: { preprocessing?: string } };
    weightsManifest?: { paths?: string[] }[];
  };
  try {
    model = JSON.parse(text) as typeof model;
  } catch {
    // Whoever reads the model says what is wrong with it.
    return;
  }
  const mark = model.userDefinedMetadata?.espalier?.preprocessing;
  const files = (model.weightsManifest ?? []).flatMap(({ paths = [] }) => paths);
  const other =
    (mark !== undefined && mark !== preprocessingMark(preprocessing)) ||
    (mark !== undefined && weights !== undefined && !files.includes(weights));
  if (!other) return;
  throw new EspalierError(
    'INVALID_MODEL',
    `${path}: expected the preprocessing of the model.json beside it, received that of another run; train with --resume ` +
      'to have both written again, or copy both from one run',
    { parameter: path },
  );
}

/** What a model carries of its preprocessing. */
export function preprocessingMark(preprocessing: Preprocessing): string {
  return createHash('sha256').update(JSON.stringify(preprocessing)).digest('hex').slice(0, 16);
}

export class Dataset {
  readonly split: Split;
  readonly encoder: Encoder;
  /** In the target's own units, a value a row of the table. */
  readonly target: Float64Array;

  /** Throws INVALID_DATA naming a column that is missing or of another kind than in training. */
  constructor(
    readonly table: Table,
    readonly preprocessing: Preprocessing,
    needed: readonly Part[] = ['train', 'validation'],
  ) {
    this.target = targetValues(table, preprocessing.target);
    this.encoder = new Encoder(preprocessing.encoder, table);
    this.split = splitRows(table, preprocessing.split, needed);
  }

  /** The target of one part's rows, in its own units. */
  targets(part: Part): Float64Array {
    return Float64Array.from(this.split[part], (row) => this.target[row]!);
  }
}

/** Fails if a model does not take what the encoder gives, or gives more than one number. */
export function checkShapes(
  dataset: Dataset,
  input: number | null | undefined,
  output: number | null | undefined,
): void {
  if (input !== dataset.encoder.width) {
    throw invalid(
      'INVALID_DATA',
      `${dataset.table.path}, inputs of the model`,
      `${input ?? 'a fixed number of'} inputs a sample`,
      dataset.encoder.width,
    );
  }
  if (output !== 1) throw invalid('INVALID_MODEL', 'outputs of the model', 'one output a sample', output);
}
