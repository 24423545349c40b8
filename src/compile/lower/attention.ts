/** MultiHeadAttention and Dot: products of computed values; the projections are linear operations, sparse as any. */
import type { MultiHeadAttentionSettings } from '../../network/layers/attention.js';
import { dotAxes, type DotSettings } from '../../network/layers/dot.js';
import { permuted } from './arrange.js';
import { transpose } from './dense.js';
import { LINEAR, featuresOf, type Lowering, type LoweringContext } from './lowering.js';
import { unitLength } from './normalize.js';

interface Input {
  readonly value: number;
  readonly steps: number;
  readonly depth: number;
}

/** x W + b, times `by`, for each step; the kernel is [depth, columns] in Keras's order. */
function project(
  context: LoweringContext,
  name: string,
  input: Input,
  columns: number,
  useBias: boolean,
  by = 1,
): number {
  const scaled = (values: Float32Array): Float32Array => (by === 1 ? values : values.map((v) => v * by));
  return context.add(
    {
      op: 'linear',
      input: input.value,
      positions: input.steps,
      weight: context.once(`${name}/kernel`, () => ({
        ...{ format: 'dense', rows: columns, cols: input.depth },
        values: scaled(transpose(context.weight(`${name}/kernel`), input.depth, columns)),
      })),
      bias: useBias ? scaled(context.weight(`${name}/bias`)) : null,
      activation: LINEAR,
    },
    input.steps * columns,
  );
}

export const multiHeadAttention: Lowering = (context) => {
  const settings = context.layer.settings as MultiHeadAttentionSettings;
  const { heads, keyDim, valueDim, useBias, causal, maskedQuery, maskedValue } = settings;
  const masks = context.inputs.slice(context.inputs.length - Number(maskedQuery) - Number(maskedValue));
  const inputs = context.inputs.slice(0, context.inputs.length - masks.length).map((value, i): Input => {
    const [, steps, depth] = context.inputShapes[i] as [number, number, number];
    return { value, steps, depth };
  });
  const [query, value, key = value] = inputs as [Input, Input, Input?];
  const [rows, sources] = [query.steps, value.steps];
  // The queries carry the 1 / sqrt(key_dim) of the scores.
  const q = project(context, 'query', query, heads * keyDim, useBias, 1 / Math.sqrt(keyDim));
  const k = project(context, 'key', key, heads * keyDim, useBias);
  const v = project(context, 'value', value, heads * valueDim, useBias);
  const size = heads * rows * sources;
  let scores = context.add(
    {
      ...{ op: 'matmul', inputs: [q, k], heads, rows, columns: sources, depth: keyDim },
      ...{ aHead: keyDim, aRow: heads * keyDim, aCol: 1, bHead: keyDim, bRow: heads * keyDim, bCol: 1 },
      ...{ yHead: rows * sources, yRow: sources },
    },
    size,
  );
  if (causal || masks.length > 0) {
    scores = context.add(
      {
        ...{ op: 'mask_scores', inputs: [scores, ...masks], heads, targets: rows, sources },
        ...{ causal, queryMask: maskedQuery, valueMask: maskedValue },
      },
      size,
    );
  }
  scores = context.add({ op: 'softmax', input: scores, group: sources }, size);
  const depth = heads * valueDim;
  const seen = context.add(
    {
      ...{ op: 'matmul', inputs: [scores, v], heads, rows, columns: valueDim, depth: sources },
      ...{ aHead: rows * sources, aRow: sources, aCol: 1, bHead: valueDim, bRow: 1, bCol: depth },
      ...{ yHead: valueDim, yRow: depth },
    },
    rows * depth,
  );
  const columns = settings.outputDim ?? query.depth;
  const y = project(context, 'attention_output', { value: seen, steps: rows, depth }, columns, useBias);
  return settings.returnScores ? [y, scores] : [y];
};

/** A factor of Dot: how its rows and the summed axis lie. */
interface Factor {
  readonly value: number;
  readonly rows: number;
  readonly row: number;
  readonly col: number;
}

function factor(context: LoweringContext, at: number, axis: number, normalize: boolean): Factor {
  const shape = context.inputShapes[at] as readonly number[];
  const depth = shape[axis] as number;
  const rows = featuresOf(shape) / depth;
  const input = context.inputs[at] as number;
  const value = normalize ? unitLength(context, input, shape, [axis]) : input;
  if (axis === shape.length - 1) return { value, rows, row: depth, col: 1 };
  if (axis === 1) return { value, rows, row: 1, col: rows };
  const order = [...[...shape.keys()].filter((other) => other !== axis), axis];
  return { value: permuted(context, value, shape, order), rows, row: depth, col: 1 };
}

export const dot: Lowering = (context) => {
  const settings = context.layer.settings as DotSettings;
  const [left, right] = context.inputShapes as [readonly number[], readonly number[]];
  const [i, j] = dotAxes(settings, left, right);
  const a = factor(context, 0, i, settings.normalize);
  const b = factor(context, 1, j, settings.normalize);
  return context.add(
    {
      ...{ op: 'matmul', inputs: [a.value, b.value], heads: 1, rows: a.rows, columns: b.rows },
      ...{ depth: left[i] as number, aHead: 0, aRow: a.row, aCol: a.col, bHead: 0, bRow: b.row, bCol: b.col },
      ...{ yHead: 0, yRow: b.rows },
    },
    a.rows * b.rows,
  );
};
