/** What the rivals of tfjs share. */
import type * as Tf from '@tensorflow/tfjs';
import { OWN_ACTIVATION } from '../names.js';

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
