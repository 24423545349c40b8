/** A table made ready for a network: encoded inputs, a scaled target, three parts; and its settings in a file. */
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
});
/** All that turns a table into what the model takes: stored beside it as preprocessing.json. */
export type Preprocessing = z.infer<typeof preprocessingSchema>;

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

export function writePreprocessing(folder: string, preprocessing: Preprocessing): Promise<void> {
  return writeFileAtomic(join(folder, PREPROCESSING_FILE), `${JSON.stringify(preprocessing, null, 1)}\n`);
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
  if (parsed.success) return parsed.data;
  throw new EspalierError('INVALID_MODEL', `${path}: ${z.prettifyError(parsed.error)}`, { parameter: path });
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
