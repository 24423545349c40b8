/** What the rivals of tfjs share. */
import type * as Tf from '@tensorflow/tfjs';
import { OWN_ACTIVATION } from '../../export/port-names.js';
import type { Rival, RivalContext, RivalInput } from '../race/rival.js';

/** A model of one of tfjs's kinds, as TfjsRival runs it. */
interface TfjsModel {
  dispose(): unknown;
}

/** A rival of tfjs: what is loaded and how it predicts is its own; tensors are made and read back the same way by all. */
export abstract class TfjsRival<
  Library extends Pick<typeof Tf, 'tensor'>,
  M extends TfjsModel,
> implements Rival {
  abstract readonly name: string;
  protected tf: Library | undefined;
  protected model: M | undefined;

  abstract load(context: RivalContext): Promise<void>;
  abstract note(): string;
  abstract versions(): Record<string, string>;
  /** Outputs in the order of the network's. */
  protected abstract predict(
    tf: Library,
    model: M,
    given: Tf.Tensor | Tf.Tensor[],
    batch: number,
  ): readonly Tf.Tensor[];

  /** The inputs are tensors already; outputs are read back with dataSync, and disposed. */
  prepare(inputs: RivalInput[]): () => Float32Array[] {
    const { tf, model } = this;
    if (tf === undefined || model === undefined) throw new Error('not loaded');
    const tensors = inputs.map(({ data, shape }) => tf.tensor(data, shape, 'float32'));
    const given = tensors.length === 1 && tensors[0] !== undefined ? tensors[0] : tensors;
    const batch = inputs[0]?.shape[0] ?? 1;
    return () => {
      const outputs = this.predict(tf, model, given, batch);
      const results = outputs.map((output) => output.dataSync() as Float32Array);
      for (const output of outputs) output.dispose();
      return results;
    };
  }

  run(inputs: RivalInput[]): Float32Array[] {
    return this.prepare(inputs)();
  }

  dispose(): void {
    this.model?.dispose();
    this.model = undefined;
  }
}

/** One that runs a layers model by its `predict`. */
export abstract class TfjsLayersRival<Library extends Pick<typeof Tf, 'tensor'>> extends TfjsRival<
  Library,
  Tf.LayersModel
> {
  protected predict(
    _: Library,
    model: Tf.LayersModel,
    given: Tf.Tensor | Tf.Tensor[],
    batchSize: number,
  ): readonly Tf.Tensor[] {
    // Its default cuts a batch into pieces of 32 and joins them again: that is not held against it.
    const answer = model.predict(given, { batchSize });
    return Array.isArray(answer) ? answer : [answer];
  }
}

/** The versions of packages, as their package.json has them. */
export function versionsOf(require: NodeJS.Require, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, (require(`${name}/package.json`) as { version: string }).version]),
  );
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
