/** tfjs-node running a SavedModel: TensorFlow's own graph, without layers in JavaScript. */
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-node';
import type { Rival, RivalContext, RivalInput } from '../race/rival.js';
import { timedCall } from './tfjs-layers.js';

interface SavedModel {
  readonly inputs: { name?: string }[];
  readonly outputs: { name?: string }[];
  predict(
    inputs: Tf.Tensor | Record<string, Tf.Tensor> | Tf.Tensor[],
  ): Tf.Tensor | Tf.Tensor[] | Record<string, Tf.Tensor>;
  dispose(): void;
}

class TfjsSavedModel implements Rival {
  readonly name = 'tfjs-node SavedModel';
  private tf: typeof Tf | undefined;
  private model: SavedModel | undefined;

  async load({ files }: RivalContext): Promise<void> {
    if (files.savedmodel === undefined) throw new Error('the network cannot be written as a SavedModel');
    const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node') as typeof Tf;
    this.tf = tf;
    this.model = await tf.node.loadSavedModel(files.savedmodel);
  }

  prepare(inputs: RivalInput[]): () => Float32Array[] {
    const { tf, model } = this;
    if (tf === undefined || model === undefined) throw new Error('not loaded');
    return timedCall(tf, inputs, (given) => {
      const answer = model.predict(given);
      if (Array.isArray(answer)) return answer;
      if (answer instanceof tf.Tensor) return [answer];
      // Several outputs come as a record whose names Keras numbers: output_0, output_1.
      return Object.entries(answer)
        .sort(([a], [b]) => numberOf(a) - numberOf(b))
        .map(([, output]) => output);
    });
  }

  run(inputs: RivalInput[]): Float32Array[] {
    return this.prepare(inputs)();
  }

  dispose(): void {
    this.model?.dispose();
    this.model = undefined;
  }

  note(): string {
    return 'exported by Keras from the network as .h5';
  }

  versions(): Record<string, string> {
    const { version } = createRequire(import.meta.url)('@tensorflow/tfjs-node/package.json') as {
      version: string;
    };
    return { '@tensorflow/tfjs-node': version };
  }
}

const numberOf = (name: string): number => Number(/(\d+)$/.exec(name)?.[1] ?? 0);

export const rival = new TfjsSavedModel();
