/** Layers wrapped by tfmot's PruneLowMagnitude: the wrapper's weights, and how they are stripped. */
import type { WeightSpec } from '../network/layers/kind.js';
import type { Kind } from '../network/layers/registry.js';
import type { Tensor } from '../network/types.js';
import type { ParsedLayer } from './parts.js';

/** The weights that tfmot prunes, of the layers of which it does not prune `kernel` alone. */
const PRUNABLE: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  DepthwiseConv1D: [],
  DepthwiseConv2D: [],
  SeparableConv1D: ['pointwise_kernel'],
  SeparableConv2D: ['pointwise_kernel'],
  Embedding: ['embeddings'],
  SimpleRNN: ['kernel', 'recurrent_kernel'],
  LSTM: ['kernel', 'recurrent_kernel'],
  GRU: ['kernel', 'recurrent_kernel'],
  MultiHeadAttention: ['query/kernel', 'key/kernel', 'value/kernel', 'attention_output/kernel'],
};

/** The specs of a wrapped layer with the wrapper's after them: for each pruned weight mask and threshold; the step. */
export function withPruning(
  { typed, wrapper }: ParsedLayer,
  specs: readonly WeightSpec[],
): readonly WeightSpec[] {
  if (wrapper === null) return specs;
  const names = PRUNABLE[typed.kind] ?? ['kernel'];
  const weights = names.flatMap((name) => specs.filter((spec) => spec.name === name));
  // In a .keras file the wrapper lists the pruned weights again before its own.
  const first = weights.length;
  const own = weights.flatMap((weight, i): WeightSpec[] => [
    { name: 'mask', shape: weight.shape, trainable: false, maskOf: weight.name, index: first + 2 * i },
    {
      name: 'threshold',
      shape: [],
      trainable: false,
      unused: true,
      maskOf: weight.name,
      index: first + 2 * i + 1,
    },
  ]);
  const step: WeightSpec = {
    name: 'pruning_step',
    shape: [],
    trainable: false,
    unused: true,
    maskOf: '',
    index: first + 2 * weights.length,
  };
  return [...specs, ...own, step];
}

/** The key under which a source hands a weight over: masks are named after what they mask. */
export function boundName(spec: WeightSpec): string {
  return spec.maskOf === undefined ? spec.name : `${spec.name} of ${spec.maskOf}`;
}

/** What strip_pruning leaves, with the masks applied: a layer's own weights. */
export function prunedWeights(
  specs: readonly WeightSpec[],
  bound: Record<string, Tensor>,
): Record<string, Tensor> {
  const result: Record<string, Tensor> = {};
  for (const spec of specs) {
    const tensor = bound[boundName(spec)];
    if (spec.maskOf !== undefined || tensor === undefined || spec.unused === true) continue;
    const mask = bound[`mask of ${spec.name}`];
    result[spec.name] =
      mask === undefined
        ? tensor
        : { shape: tensor.shape, data: tensor.data.map((w, i) => (mask.data[i] === 0 ? 0 : w)) };
  }
  return result;
}
