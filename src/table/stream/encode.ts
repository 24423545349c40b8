/** The raw columns of a table to the inputs of a model, as `espalier train` encoded them. */
import { EspalierError } from '../../errors.js';
import type { Column } from '../table.js';
import type { EncoderSettings } from '../encoder.js';
import { rawCells, type Cells } from './cells.js';

/** What training stored for a model. */
export interface StoredEncoder {
  /** The columns that are read. */
  readonly columns: readonly string[];
  /** Numbers a row. */
  readonly width: number;
  readonly settings: EncoderSettings;
  /** For batches of up to that many rows. */
  start(batch: number): BatchEncoder;
}

export interface BatchEncoder {
  /** A column's values of a batch, in the order of `columns`. */
  readonly cells: readonly Cells[];
  /** The inputs for the first rows of the cells: rows × width float32. */
  encode(rows: number): Float32Array;
}

/**
 * The encoder stored at `path` (a run of `espalier train`, or its preprocessing.json), or beside a model there.
 * undefined where there is none. Throws INVALID_MODEL for one that cannot be read.
 */
export async function storedEncoder(path: string): Promise<StoredEncoder | undefined> {
  const [{ readPreprocessing }, { isMissing }, { Encoder, inputWidth }] = await Promise.all([
    import('../dataset.js'),
    import('../table.js'),
    import('../encoder.js'),
  ]);
  const stored = await readPreprocessing(path).catch((error: unknown) => {
    // A folder without a model.json has no encoder either.
    if (error instanceof EspalierError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
  if (stored === undefined) return undefined;
  const { encoder: settings } = stored;
  return {
    columns: settings.columns.map(({ column }) => column),
    width: inputWidth(settings),
    settings,
    start(batch) {
      const cells = settings.columns.map((column) => rawCells(column, batch, isMissing));
      // The cells are a table to the encoder of training, whose rule it is: one of the same arrays for every batch.
      const columns = new Map<string, Column>(
        cells.map((cell, i) => {
          const encoding = settings.columns[i]!;
          return [
            cell.name,
            cell.kind === 'text'
              ? {
                  kind: 'text',
                  codes: cell.codes,
                  texts: encoding.kind === 'text' ? encoding.categories : [],
                }
              : { kind: 'number', values: cell.target as Float64Array },
          ];
        }),
      );
      const encoder = new Encoder(settings, { path, rows: batch, columns });
      const all = Uint32Array.from({ length: batch }, (_, row) => row);
      return { cells, encode: (rows) => encoder.encode(all, 0, rows) };
    },
  };
}
