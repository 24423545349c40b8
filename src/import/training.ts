/** What of a layer's config matters in training only: kept for those who train on, of no meaning to inference. */
import { isRecord, own } from '../network/untrusted.js';

const isNumber = (min: number, max: number) => (value: unknown) =>
  typeof value === 'number' && value >= min && value <= max ? value : undefined;

/** L1, L2 and L1L2 of any Keras → L1L2; others are left out. */
function regularizer(value: unknown): unknown {
  const config = isRecord(value) ? own(value, 'config') : undefined;
  if (!isRecord(value) || !isRecord(config) || !/^L1L2$|^L1$|^L2$/.test(String(own(value, 'class_name')))) {
    return undefined;
  }
  const factor = (name: string) => isNumber(0, 1e6)(own(config, name)) ?? 0;
  const [l1, l2] = [factor('l1'), factor('l2')];
  return l1 === 0 && l2 === 0 ? undefined : { class_name: 'L1L2', config: { l1, l2 } };
}

const READERS: Readonly<Record<string, (value: unknown) => unknown>> = {
  trainable: (value) => (value === false ? false : undefined),
  rate: isNumber(0, 1),
  stddev: isNumber(0, 1e6),
  momentum: isNumber(0, 1),
  dropout: isNumber(0, 1),
  recurrent_dropout: isNumber(0, 1),
  kernel_regularizer: regularizer,
  bias_regularizer: regularizer,
  recurrent_regularizer: regularizer,
  depthwise_regularizer: regularizer,
  pointwise_regularizer: regularizer,
  embeddings_regularizer: regularizer,
};

/** Entries of a Keras config; what is not as expected is left out, as it changes no prediction. */
export function trainingSettings(config: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(READERS)) {
    const value = read(own(config, key));
    if (value !== undefined) result[key] = value;
  }
  return result;
}
