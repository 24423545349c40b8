/** What the rivals of tfjs share. */
import type * as Tf from '@tensorflow/tfjs';
import { OWN_ACTIVATION } from '../../export/port-names.js';
import type { RivalInput } from '../race/rival.js';

/** What `answer` gives, made from `inputs` that are tensors already; read back with dataSync, and disposed. */
export function timedCall(
  tf: Pick<typeof Tf, 'tensor'>,
  inputs: readonly RivalInput[],
  answer: (given: Tf.Tensor | Tf.Tensor[]) => readonly Tf.Tensor[],
): () => Float32Array[] {
  const tensors = inputs.map(({ data, shape }) => tf.tensor(data, shape, 'float32'));
  const given = tensors.length === 1 && tensors[0] !== undefined ? tensors[0] : tensors;
  return () => {
    const outputs = answer(given);
    const results = outputs.map((output) => output.dataSync() as Float32Array);
    for (const output of outputs) output.dispose();
    return results;
  };
}

/** A layers model's `predict`, timed. */
export function timedPredict(
  tf: Pick<typeof Tf, 'tensor'>,
  model: Tf.LayersModel,
  inputs: readonly RivalInput[],
): () => Float32Array[] {
  // Its default cuts a batch into pieces of 32 and joins them again: that is not held against it.
  const options = { batchSize: inputs[0]?.shape[0] ?? 1 };
  return timedCall(tf, inputs, (given) => {
    const answer = model.predict(given, options);
    return Array.isArray(answer) ? answer : [answer];
  });
}

/** elu with any alpha, gelu by tanh (known as gelu_new, which its loader cannot find) and exp. */
export function registerOwnActivation(tf: typeof Tf): void {
  class OwnActivation extends tf.layers.Layer {
    static className = OWN_ACTIVATION;
    private readonly kind: string;
    private readonly alpha: number;
    constructor(config: { name: string; kind: string; alpha: number }) {
      super({ name: config.name });
      this.kind = config.kind;
      this.alpha = config.alpha;
    }
    override call(inputs: Tf.Tensor | Tf.Tensor[]): Tf.Tensor {
      return tf.tidy(() => {
        const [x] = Array.isArray(inputs) ? inputs : [inputs];
        if (x === undefined) throw new Error('no input');
        if (this.kind === 'exponential') return tf.exp(x);
        if (this.kind === 'elu') return tf.where(tf.less(x, 0), tf.mul(this.alpha, tf.expm1(x)), x);
        const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
        return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
      });
    }
  }
  tf.serialization.registerClass(OwnActivation);
}
