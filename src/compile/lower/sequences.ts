/** Embedding, Masking, averages that leave masked steps out, and TimeDistributed. */
import type { EmbeddingSettings, MaskingSettings } from '../../network/layers/embedding.js';
import type { TimeDistributedSettings } from '../../network/layers/wrappers.js';
import { slice, spread } from './arrange.js';
import { LINEAR, featuresOf, unsupported, type Lowering, type LoweringContext } from './lowering.js';

export const embedding: Lowering = (context) => {
  const { inputDim, outputDim, maskZero } = context.layer.settings as EmbeddingSettings;
  const positions = featuresOf(context.inputShapes[0] ?? []);
  const input = context.inputs[0] as number;
  const weight = context.once('embeddings', () => ({
    ...{ format: 'dense', rows: inputDim, cols: outputDim },
    values: context.weight('embeddings'),
  }));
  const y = context.add({ op: 'embedding', input, positions, weight }, positions * outputDim);
  if (!maskZero) return y;
  return [y, context.add({ op: 'step_mask', input, group: 1, whole: true, value: 0 }, positions)];
};

/** Masked steps become 0, and the mask says which these are. */
export const masking: Lowering = (context) => {
  const { maskValue } = context.layer.settings as MaskingSettings;
  const shape = context.inputShapes[0] ?? [];
  const features = featuresOf(shape);
  const group = shape[shape.length - 1] as number;
  const input = context.inputs[0] as number;
  const steps = features / group;
  const mask = context.add(
    { op: 'step_mask', input, group, whole: false, value: Math.fround(maskValue) },
    steps,
  );
  const inputs = [input, spread(context, mask, steps, group)];
  return [context.add({ op: 'combine', inputs, kind: 'product' }, features), mask];
};

/** The mean over the steps of [steps, channels] that are not masked: mask x / sum of the mask. */
export function maskedMean(context: LoweringContext): number {
  const [, steps, channels] = context.inputShapes[0] as [number, number, number];
  const [input, mask] = context.inputs as [number, number];
  const sum = context.add(
    {
      ...{ op: 'matmul', inputs: [mask, input], heads: 1, rows: 1, columns: channels, depth: steps },
      ...{ aHead: 0, aRow: 0, aCol: 1, bHead: 0, bRow: 1, bCol: channels, yHead: 0, yRow: channels },
    },
    channels,
  );
  const ones = context.once('ones', () => ({
    ...{ format: 'dense', rows: 1, cols: steps },
    values: new Float32Array(steps).fill(1),
  }));
  const count = context.add(
    { op: 'linear', input: mask, positions: 1, weight: ones, bias: null, activation: LINEAR },
    1,
  );
  const inputs = [sum, spread(context, count, 1, channels)];
  return context.add({ op: 'combine', inputs, kind: 'quotient' }, channels);
}

/** Operations that one layer in TimeDistributed may become. */
const MOST_STEPS = 1024;

/** Kinds that have no form of their own over steps: step by step, with the same weights. */
export const timeDistributed: Lowering = (context) => {
  const { inner, settings } = context.layer.settings as TimeDistributedSettings;
  const shape = context.inputShapes[0] ?? [];
  const steps = shape[1] as number;
  if (steps > MOST_STEPS) {
    throw unsupported(context.layer, `${steps} steps of ${inner.names[0]}`, `use at most ${MOST_STEPS}`);
  }
  const step = (whole: readonly number[]): number[] => [1, ...whole.slice(2)];
  const features = featuresOf(step(shape));
  const outputShapes = context.outputShapes.map(step);
  const made = Array.from({ length: steps }, (_, t) => {
    const input = slice(context, context.inputs[0] as number, t * features, features, steps * features);
    return context.inside(inner.names[0], settings, {
      inputs: [input],
      inputShapes: [step(shape)],
      outputShapes,
    });
  });
  if (steps === 1) return made[0] ?? [];
  return outputShapes.map((out, i) =>
    context.add(
      { op: 'concat', inputs: made.map((outputs) => outputs[i] as number), outer: 1 },
      steps * featuresOf(out),
    ),
  );
};
