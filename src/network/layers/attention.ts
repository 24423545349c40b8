/** MultiHeadAttention. */
import { unsupported, wrong } from '../untrusted.js';
import { known, showShape } from '../shapes.js';
import type { Value } from '../tensors.js';
import type { Arr, LayerKind, WeightSpec } from './kind.js';
import { float32 } from './kind.js';

/**
 * Inputs of a node: query [batch, T, D], value [batch, S, E], key [batch, S, F] if given (else the value is the key),
 * then the masks that `maskedQuery` [batch, T] and `maskedValue` [batch, S] tell of.
 */
export interface MultiHeadAttentionSettings {
  readonly heads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly useBias: boolean;
  /** The features of the output; null: those of the query. */
  readonly outputDim: number | null;
  readonly causal: boolean;
  /** The scores [batch, heads, T, S] are a second output. */
  readonly returnScores: boolean;
  readonly maskedQuery: boolean;
  readonly maskedValue: boolean;
}

function split<T extends { readonly shape: readonly (number | null)[] }>(
  settings: MultiHeadAttentionSettings,
  inputs: readonly T[],
): { query: T; value: T; key: T; queryMask: T | undefined; valueMask: T | undefined } {
  const masks = Number(settings.maskedQuery) + Number(settings.maskedValue);
  const [query, value, key, ...more] = inputs.slice(0, inputs.length - masks);
  if (query === undefined || value === undefined || more.length > 0) {
    throw wrong('inputs', 'query, value and perhaps key', `${inputs.length - masks} inputs`);
  }
  for (const input of [query, value, key ?? value]) {
    if (input.shape.length !== 3) {
      throw unsupported(
        'input',
        `the shape ${showShape(input.shape)}`,
        'attend over [batch, time, features]',
      );
    }
  }
  return {
    query,
    value,
    key: key ?? value,
    queryMask: settings.maskedQuery ? inputs[inputs.length - masks] : undefined,
    valueMask: settings.maskedValue ? inputs[inputs.length - 1] : undefined,
  };
}

/** y[b, t, j] = bias[j] + sum over k of x[b, t, k] * w[k, j]. */
function project(
  { shape, data }: Arr,
  w: Float32Array,
  bias: Float32Array | undefined,
  columns: number,
): Float64Array {
  const depth = shape[shape.length - 1]!;
  const rows = data.length / depth;
  const out = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < columns; j++) out[row * columns + j] = bias?.[j] ?? 0;
    for (let k = 0; k < depth; k++) {
      const x = data[row * depth + k]!;
      for (let j = 0; j < columns; j++) out[row * columns + j]! += x * w[k * columns + j]!;
    }
  }
  return out;
}

/** What Keras adds to the score of a masked position before the softmax, in float32. */
const MASKED = -1e9;

/**
 * softmax(Q K^T / sqrt(key_dim)) V by head, then a projection. Weights: query, key and value kernels
 * [in, heads, dim] and biases [heads, dim], attention_output/kernel [heads, value_dim, out] and bias [out].
 */
const multiHeadAttention: LayerKind<MultiHeadAttentionSettings> = {
  weights: (settings, inputs) => {
    const { heads, keyDim, valueDim, useBias } = settings;
    const { query, value, key } = split(settings, inputs);
    const depth = (input: Value): number => known(input.shape[2], 'the features of the input');
    const pair = (name: string, kernel: number[], bias: number[], holder: string): WeightSpec[] => [
      { name: `${name}/kernel`, shape: kernel, trainable: true, holder },
      ...(useBias ? [{ name: `${name}/bias`, shape: bias, trainable: true, holder }] : []),
    ];
    const output = settings.outputDim ?? depth(query);
    return [
      ...pair('query', [depth(query), heads, keyDim], [heads, keyDim], '_query_dense'),
      ...pair('key', [depth(key), heads, keyDim], [heads, keyDim], '_key_dense'),
      ...pair('value', [depth(value), heads, valueDim], [heads, valueDim], '_value_dense'),
      ...pair('attention_output', [heads, valueDim, output], [output], '_output_dense'),
    ];
  },
  outputs: (settings, inputs) => {
    const { query, value, key } = split(settings, inputs);
    const [batch, steps, depth] = query.shape;
    if (value.shape[1] !== key.shape[1])
      throw wrong('key', 'as many steps as the value', showShape(key.shape));
    const y = float32([batch ?? null, steps ?? null, settings.outputDim ?? depth ?? null]);
    const scores = float32([batch ?? null, settings.heads, steps ?? null, value.shape[1] ?? null]);
    return settings.returnScores ? [y, scores] : [y];
  },
  run: (settings, weights, inputs) => {
    const { heads, keyDim, valueDim, causal } = settings;
    const { query, value, key, queryMask, valueMask } = split(settings, inputs);
    const [batch, targets, depth] = query.shape as [number, number, number];
    const sources = value.shape[1]!;
    const weight = (name: string): Float32Array | undefined => weights[name]?.data;
    const q = project(query, weight('query/kernel')!, weight('query/bias'), heads * keyDim);
    const k = project(key, weight('key/kernel')!, weight('key/bias'), heads * keyDim);
    const v = project(value, weight('value/kernel')!, weight('value/bias'), heads * valueDim);
    const scores = new Float32Array(batch * heads * targets * sources);
    const context = new Float32Array(batch * targets * heads * valueDim);
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let t = 0; t < targets; t++) {
          const row = Array.from({ length: sources }, (_, s) => {
            let sum = 0;
            for (let d = 0; d < keyDim; d++) {
              sum +=
                q[((b * targets + t) * heads + h) * keyDim + d]! *
                k[((b * sources + s) * heads + h) * keyDim + d]!;
            }
            const seen =
              (queryMask === undefined || queryMask.data[b * targets + t] !== 0) &&
              (valueMask === undefined || valueMask.data[b * sources + s] !== 0) &&
              (!causal || s <= t);
            const score = sum / Math.sqrt(keyDim);
            return seen ? score : Math.fround(score + MASKED);
          });
          const max = row.reduce((most, score) => Math.max(most, score), -Infinity);
          const total = row.reduce((sum, score) => sum + Math.exp(score - max), 0);
          const at = ((b * heads + h) * targets + t) * sources;
          row.forEach((score, s) => {
            scores[at + s] = Math.exp(score - max) / total;
          });
          for (let d = 0; d < valueDim; d++) {
            let sum = 0;
            for (let s = 0; s < sources; s++)
              sum += scores[at + s]! * v[((b * sources + s) * heads + h) * valueDim + d]!;
            context[((b * targets + t) * heads + h) * valueDim + d] = sum;
          }
        }
      }
    }
    const output = settings.outputDim ?? depth;
    const joined = { shape: [batch, targets, heads * valueDim], data: context };
    const y = project(joined, weight('attention_output/kernel')!, weight('attention_output/bias'), output);
    const out = { shape: [batch, targets, output], data: Float32Array.from(y) };
    return settings.returnScores ? [out, { shape: [batch, heads, targets, sources], data: scores }] : [out];
  },
};

export const attentionKinds = { MultiHeadAttention: multiHeadAttention };
