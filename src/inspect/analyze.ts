/** How good one model is on held-out data, and a second beside it: predictions by our own engine, no TensorFlow. */
import type { Program } from '../program/program.js';
import { programOf } from '../convert.js';
import { Model } from '../engine/model.js';
import { roundValues, type ValueFormat } from '../program/value-formats.js';
import { addonOptions, valueFormat } from '../engine/options.js';
import { invalid } from '../errors.js';
import { writeProgram } from '../file/write.js';
import {
  Dataset,
  checkShapes,
  plainPreprocessing,
  readPreprocessing,
  type Preprocessing,
} from '../table/dataset.js';
import { metricsOf, type Metrics } from '../metrics.js';
import { shuffled } from '../random.js';
import type { SplitSettings } from '../table/split.js';
import { readTable, type Table } from '../table/table.js';
import { sizeOf, weightSize, type Size } from './sizes.js';

export interface AnalyzeOptions {
  /** Anything that loadModel takes. */
  a: string;
  b?: string;
  data: string | Table;
  target: string;
  /** Held-out rows drawn for the first comparison, by `seed`; default 1000. */
  samples?: number;
  seed?: number;
  /** Default: the split that A was trained with. */
  split?: SplitSettings;
  /** Every row of the table is held out. Default false. */
  allRows?: boolean;
  threads?: number;
  /**
   * Rounds the weights of B; without a B, B is A rounded, and the comparison tells what fewer bits cost. Default: as
   * they are.
   */
  values?: ValueFormat;
  say?: (text: string) => void;
}

export interface LayerSparsity {
  name: string;
  weights: number;
  nonZero: number;
  sparsity: number;
}

export interface ModelAnalysis {
  source: string;
  /** What the weights were rounded to for this analysis; absent: they were not. */
  values?: ValueFormat;
  /** On the drawn samples, and on all held-out rows. */
  samples: Metrics;
  all: Metrics;
  layers: LayerSparsity[];
  /** Of all weight matrices together. */
  sparsity: number;
  /** All weights as dense float32, zeros included; and as an .esp file. */
  sizes: { dense: Size; esp: Size };
}

export interface Comparison {
  /** B over A: 1.01 is one percent more. */
  rmse: { samples: number; all: number };
  /** pred/true of B over that of A. */
  ratio: { samples: number; all: number };
  /** Mean and largest absolute difference of the two predictions, in units of the target, over all held-out rows. */
  difference: { mean: number; largest: number };
}

export interface Analysis {
  format: 'espalier-analysis';
  version: 1;
  target: string;
  rows: { total: number; heldOut: number };
  a: ModelAnalysis;
  b?: ModelAnalysis;
  comparison?: Comparison;
}

const BATCH = 4096;

function layersOf(program: Program): LayerSparsity[] {
  return program.operations.flatMap((operation) => {
    if (operation.op !== 'linear') return [];
    const { rows, cols, values } = operation.weight;
    const nonZero = values.reduce((count, value) => (value === 0 ? count : count + 1), 0);
    const weights = rows * cols;
    return [{ name: operation.name, weights, nonZero, sparsity: 1 - nonZero / weights }];
  });
}

async function predict(model: Model, dataset: Dataset, rows: Uint32Array): Promise<Float32Array> {
  const predicted = new Float32Array(rows.length);
  for (let from = 0; from < rows.length; from += BATCH) {
    const to = Math.min(rows.length, from + BATCH);
    predicted.set((await model.run(dataset.encoder.encode(rows, from, to))) as Float32Array, from);
  }
  return predicted;
}

/** What models are measured on: the rows that were held out, and which of them the samples are. */
interface HeldOut {
  readonly dataset: Dataset;
  readonly rows: Uint32Array;
  readonly drawn: Uint32Array;
  readonly threads: number | undefined;
}

async function analyzeOne(
  source: string,
  program: Program,
  { dataset, rows, drawn, threads }: HeldOut,
  values?: ValueFormat,
): Promise<{ analysis: ModelAnalysis; predicted: Float32Array }> {
  const model = new Model(program, addonOptions({ threads }));
  try {
    if (model.inputs.length !== 1 || model.outputs.length !== 1) {
      const received = `${model.inputs.length} inputs, ${model.outputs.length} outputs`;
      throw invalid('INVALID_MODEL', source, 'a model with one input and one output', received);
    }
    checkShapes(dataset, model.inputs[0]?.shape.at(-1), model.outputs[0]?.shape.at(-1));
    const predicted = await predict(model, dataset, rows);
    const truth = Float64Array.from(rows, (row) => dataset.target[row]!);
    const pick = (values: ArrayLike<number>) => Float64Array.from(drawn, (place) => values[place]!);
    const layers = layersOf(program);
    const sum = (of: (layer: LayerSparsity) => number) =>
      layers.reduce((total, layer) => total + of(layer), 0);
    return {
      predicted,
      analysis: {
        source,
        ...(values === undefined ? {} : { values }),
        samples: metricsOf(pick(predicted), pick(truth)),
        all: metricsOf(predicted, truth),
        layers,
        sparsity: layers.length === 0 ? 0 : 1 - sum(({ nonZero }) => nonZero) / sum(({ weights }) => weights),
        sizes: { dense: await weightSize(program), esp: await sizeOf(writeProgram(program)) },
      },
    };
  } finally {
    model.dispose();
  }
}

function compare(
  a: { analysis: ModelAnalysis; predicted: Float32Array },
  b: { analysis: ModelAnalysis; predicted: Float32Array },
): Comparison {
  let mean = 0;
  let largest = 0;
  a.predicted.forEach((value, i) => {
    const difference = Math.abs(value - b.predicted[i]!);
    mean += difference / a.predicted.length;
    if (difference > largest) largest = difference;
  });
  const over = (of: (metrics: Metrics) => number) => ({
    samples: of(b.analysis.samples) / of(a.analysis.samples),
    all: of(b.analysis.all) / of(a.analysis.all),
  });
  return {
    rmse: over(({ rmse }) => rmse),
    ratio: over(({ ratio }) => ratio.mean),
    difference: { mean, largest },
  };
}

async function preprocessingFor(options: AnalyzeOptions, table: Table): Promise<Preprocessing> {
  const { a, b, target } = options;
  // An .esp file has it beside it too, if it was put there; none is no mistake.
  const stored = (await readPreprocessing(a)) ?? (b === undefined ? undefined : await readPreprocessing(b));
  const split = options.split ?? stored?.split ?? { seed: 1, validation: 0.1, test: 0.1 };
  return stored === undefined ? plainPreprocessing(table, target, split) : { ...stored, split, target };
}

/**
 * Compares predictions with the truth on held-out rows. Throws INVALID_DATA, INVALID_MODEL, INVALID_ARGUMENT, NOT_FOUND
 * and what loading a model throws.
 */
export async function analyze(options: AnalyzeOptions): Promise<Analysis> {
  const { a, target, samples = 1000, seed = 1, threads, say } = options;
  const values = options.values === undefined ? undefined : valueFormat(options.values);
  const b = options.b ?? (values === undefined ? undefined : a);
  if (!Number.isSafeInteger(samples) || samples < 1) {
    throw invalid('INVALID_ARGUMENT', 'samples', 'a whole number from 1', samples);
  }
  if (typeof options.data === 'string') say?.(`reading ${options.data}`);
  const table = typeof options.data === 'string' ? await readTable(options.data) : options.data;
  const first = await programOf(a);
  const second = b === undefined || b === a ? first : await programOf(b);
  const preprocessing = await preprocessingFor(options, table);
  const all = options.allRows === true;
  const heldOutAll = { seed: 1, validation: 0.1, test: 0 };
  const dataset = new Dataset(
    table,
    all ? { ...preprocessing, split: heldOutAll } : preprocessing,
    all ? [] : ['test'],
  );
  const rows = all ? Uint32Array.from({ length: table.rows }, (_, row) => row) : dataset.split.test;
  const drawn = shuffled(Uint32Array.from(rows.keys()), seed).slice(0, samples);
  const heldOut: HeldOut = { dataset, rows, drawn, threads };
  const one = await analyzeOne(a, first, heldOut);
  const rounded = values === undefined ? second : roundValues(second, values);
  const two = b === undefined ? undefined : await analyzeOne(b, rounded, heldOut, values);
  return {
    format: 'espalier-analysis',
    version: 1,
    target,
    rows: { total: table.rows, heldOut: rows.length },
    a: one.analysis,
    ...(two === undefined ? {} : { b: two.analysis, comparison: compare(one, two) }),
  };
}
