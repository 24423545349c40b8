/** Embedding and Masking: the layers that make masks. */
import { invalid } from '../../errors.js';
import { single } from '../shapes.js';
import type { Value } from '../tensors.js';
import type { Arr, LayerKind } from './kind.js';
import { float32 } from './kind.js';

export interface EmbeddingSettings {
  readonly inputDim: number;
  readonly outputDim: number;
  /** Index 0 is padding: a mask [batch, time] that is false there is the second output. */
  readonly maskZero: boolean;
}

const mask = (shape: readonly (number | null)[]): Value => ({ shape, dtype: 'bool' });

/**
 * y[.., :] = embeddings[x[..], :]. Weights: embeddings [input_dim, output_dim]. Fractions are cut off.
 * @throws INVALID_INPUT for an index outside [0, input_dim).
 */
const embedding: LayerKind<EmbeddingSettings> = {
  weights: ({ inputDim, outputDim }) => [
    { name: 'embeddings', shape: [inputDim, outputDim], trainable: true },
  ],
  outputs: ({ outputDim, maskZero }, inputs) => {
    const { shape } = single(inputs);
    return [float32([...shape, outputDim]), ...(maskZero ? [mask(shape)] : [])];
  },
  run: ({ inputDim, outputDim, maskZero }, weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const table = weights.embeddings!.data;
    const out = new Float32Array(data.length * outputDim);
    for (let i = 0; i < data.length; i++) {
      const index = Math.trunc(data[i]!);
      if (!(index >= 0 && index < inputDim)) {
        throw invalid('INVALID_INPUT', 'indices', `integers in [0, ${inputDim})`, data[i]);
      }
      out.set(table.subarray(index * outputDim, (index + 1) * outputDim), i * outputDim);
    }
    const y: Arr = { shape: [...shape, outputDim], data: out };
    return maskZero ? [y, { shape, data: data.map((x) => (Math.trunc(x) === 0 ? 0 : 1)) }] : [y];
  },
};

export interface MaskingSettings {
  readonly maskValue: number;
}

/** Steps all of whose features equal mask_value are set to 0; the mask [batch, time] is the second output. */
const masking: LayerKind<MaskingSettings> = {
  outputs: (_settings, inputs) => {
    const { shape } = single(inputs, 3);
    return [float32(shape), mask(shape.slice(0, -1))];
  },
  run: ({ maskValue }, _weights, inputs) => {
    const { shape, data } = inputs[0]!;
    const features = shape[shape.length - 1]!;
    const value = Math.fround(maskValue);
    const kept = new Float32Array(data.length / features);
    data.forEach((x, i) => {
      if (x !== value) kept[Math.floor(i / features)] = 1;
    });
    const out = data.map((x, i) => x * kept[Math.floor(i / features)]!);
    return [
      { shape, data: out },
      { shape: shape.slice(0, -1), data: kept },
    ];
  },
};

export const embeddingKinds = { Embedding: embedding, Masking: masking };
