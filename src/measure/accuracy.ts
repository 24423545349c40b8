/** How good the measured network is on a table of held-out rows, beside the dense one: for `espalier bench --data`. */
import type { Program } from '../program/program.js';
import { programOf } from '../convert.js';
import { Model } from '../engine/model.js';
import { addonOptions } from '../engine/options.js';
import { invalid } from '../errors.js';
import { Dataset, plainPreprocessing, readPreprocessing } from '../table/dataset.js';
import type { Metrics } from '../metrics.js';
import { readTable, type Table } from '../table/table.js';
import { analyze } from '../inspect/analyze.js';
import type { BenchOptions } from './options.js';
import type { Accuracy } from './result.js';

type Quality = Accuracy['model'];

export interface AccuracyData {
  table: Table;
  path: string;
  target: string;
  split: BenchOptions['split'];
  threads: number;
}

export async function readAccuracyData(
  options: BenchOptions,
  threads: number,
): Promise<AccuracyData | undefined> {
  const { data, target, split } = options;
  if (data === undefined || target === undefined) return undefined;
  options.say?.(`reading ${data}`);
  return { table: await readTable(data), path: data, target, split, threads };
}

const outputsOf = (program: Program): number =>
  (program.outputs[0]?.shape.slice(1) ?? []).reduce((product: number, extent) => product * (extent ?? 1), 1);

const regression = ({ rmse, mae, r2, ratio }: Metrics): Quality => ({
  ...{ rmse, mae, r2, accuracy: null },
  ratio: { mean: ratio.mean, deviation: ratio.deviation },
});

/**
 * One output: RMSE and pred/true of `esp` on the held-out rows, beside `dense`. Several: the share of rows whose largest
 * output is the class in the target column (0, 1, …). `model` is the model as named, which may know its split and its
 * inputs' encoding. Throws what analyze throws.
 */
export async function accuracyOf(
  model: string,
  esp: string,
  dense: string | undefined,
  data: AccuracyData,
): Promise<Accuracy> {
  const { table, path, target, split, threads } = data;
  const program = await programOf(esp);
  if (outputsOf(program) > 1) return classification(program, model, dense, data);
  const { a, b, comparison, rows } = await analyze({
    ...{ a: dense ?? model, b: esp, data: table, target, threads },
    ...(split === undefined ? {} : { split }),
  });
  if (b === undefined) throw invalid('INVALID_ARGUMENT', 'model', 'a second model', undefined);
  return {
    ...{ data: path, target, rows: rows.heldOut, kind: 'regression' },
    model: regression(b.all),
    dense: dense === undefined ? null : regression(a.all),
    maxAbsDifference: dense === undefined ? null : (comparison?.difference.largest ?? null),
  };
}

const BATCH = 1024;

async function predictions(program: Program, dataset: Dataset, rows: Uint32Array, threads: number) {
  const model = new Model(program, addonOptions({ threads }));
  try {
    const width = outputsOf(program);
    const all = new Float32Array(rows.length * width);
    for (let from = 0; from < rows.length; from += BATCH) {
      const to = Math.min(rows.length, from + BATCH);
      all.set((await model.run(dataset.encoder.encode(rows, from, to))) as Float32Array, from * width);
    }
    return all;
  } finally {
    model.dispose();
  }
}

function accurate(outputs: Float32Array, width: number, truth: Float64Array): Quality {
  let right = 0;
  truth.forEach((label, row) => {
    const own = outputs.subarray(row * width, (row + 1) * width);
    let best = 0;
    own.forEach((value, at) => {
      if (value > (own[best] ?? 0)) best = at;
    });
    if (best === label) right++;
  });
  return { rmse: null, mae: null, r2: null, ratio: null, accuracy: right / truth.length };
}

async function classification(
  program: Program,
  model: string,
  dense: string | undefined,
  { table, path, target, split, threads }: AccuracyData,
): Promise<Accuracy> {
  const stored = await readPreprocessing(model);
  const settings = split ?? stored?.split ?? { seed: 1, validation: 0.1, test: 0.1 };
  const preprocessing =
    stored === undefined
      ? plainPreprocessing(table, target, settings)
      : { ...stored, split: settings, target };
  const dataset = new Dataset(table, preprocessing, ['test']);
  const inputs = program.inputs.map(({ value }) => program.values[value]?.features ?? 0);
  if (inputs.length !== 1 || inputs[0] !== dataset.encoder.width) {
    throw invalid(
      'INVALID_DATA',
      `${path}, inputs of the model`,
      `${inputs.join(' + ')} inputs a sample`,
      dataset.encoder.width,
    );
  }
  const rows = dataset.split.test;
  const truth = Float64Array.from(rows, (row) => dataset.target[row] ?? Number.NaN);
  const width = outputsOf(program);
  const wrong = truth.find((label) => !Number.isInteger(label) || label < 0 || label >= width);
  if (wrong !== undefined) {
    throw invalid('INVALID_DATA', target, `classes from 0 to ${width - 1}, as the model has outputs`, wrong);
  }
  const own = await predictions(program, dataset, rows, threads);
  let beside: Float32Array | undefined;
  if (dense !== undefined) {
    const other = await programOf(dense);
    if (outputsOf(other) !== width)
      throw invalid('INVALID_MODEL', '--dense', `a model with ${width} outputs`, outputsOf(other));
    beside = await predictions(other, dataset, rows, threads);
  }
  return {
    ...{ data: path, target, rows: rows.length, kind: 'classification' },
    model: accurate(own, width, truth),
    dense: beside === undefined ? null : accurate(beside, width, truth),
    maxAbsDifference:
      beside === undefined
        ? null
        : own.reduce((most, value, at) => Math.max(most, Math.abs(value - (beside[at] ?? 0))), 0),
  };
}
