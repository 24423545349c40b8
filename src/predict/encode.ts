/** The raw columns of a table to the inputs of a model, row by row, as `espalier train` encoded them. */
import { EspalierError, invalid } from '../errors.js';
import type { EncoderSettings } from '../train/encoder.js';

/** Rows as they come, with a place for each input of the model. */
export interface RowEncoder {
  /** The columns that are read. */
  readonly columns: readonly string[];
  /** Numbers a row. */
  readonly width: number;
  readonly settings: EncoderSettings;
  /** Writes one row at `at` of `target`, which is 0 there. Throws INVALID_DATA for a text where training had numbers. */
  write(get: (name: string, index: number) => unknown, target: Float32Array, at: number, row: number): void;
}

/**
 * The encoder stored at `path` (a run of `espalier train`, or its preprocessing.json), or beside a model there.
 * undefined where there is none. Throws INVALID_MODEL for one that cannot be read.
 */
export async function storedEncoder(path: string): Promise<RowEncoder | undefined> {
  const [{ readPreprocessing }, { isMissing }, { inputWidth }] = await Promise.all([
    import('../train/dataset.js'),
    import('../train/table.js'),
    import('../train/encoder.js'),
  ]);
  const stored = await readPreprocessing(path).catch((error: unknown) => {
    // A folder without a model.json has no encoder either.
    if (error instanceof EspalierError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
  if (stored === undefined) return undefined;
  const { encoder: settings } = stored;
  const missing = (value: unknown) =>
    value === null ||
    value === undefined ||
    value !== value ||
    (typeof value === 'string' && isMissing(value));
  const writers = settings.columns.map((column) => {
    if (column.kind === 'text') {
      const places = new Map(column.categories.map((text, i) => [text, i + 1]));
      return {
        width: 1 + column.categories.length,
        write(value: unknown, target: Float32Array, at: number) {
          const text = missing(value) ? '' : String(value).trim();
          // Categories such as "1": a table of numbers may say "1.0". The first place is for all that is not known.
          const place = text === '' ? 0 : (places.get(text) ?? places.get(String(Number(text))) ?? 0);
          target[at + place] = 1;
        },
      };
    }
    const { mean, deviation } = column;
    return {
      width: column.missing ? 2 : 1,
      write(value: unknown, target: Float32Array, at: number, row: number) {
        if (missing(value)) {
          if (column.missing) target[at + 1] = 1;
          return;
        }
        const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value);
        if (!Number.isFinite(number)) {
          throw invalid(
            'INVALID_DATA',
            `row ${row}, column ${column.column}`,
            'a number, as in training',
            value,
          );
        }
        target[at] = (number - mean) / deviation;
      },
    };
  });
  const columns = settings.columns.map(({ column }) => column);
  return {
    columns,
    width: inputWidth(settings),
    settings,
    write(get, target, at, row) {
      let place = at;
      for (let i = 0; i < writers.length; i++) {
        const writer = writers[i]!;
        writer.write(get(columns[i]!, i), target, place, row);
        place += writer.width;
      }
    },
  };
}
