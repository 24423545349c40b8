/** tfjs-node running a SavedModel: TensorFlow's own graph, without layers in JavaScript. */
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-node';
import type { RivalContext } from '../race/rival.js';
import { TfjsRival, versionsOf } from './tfjs-layers.js';

interface SavedModel {
  readonly inputs: { name?: string }[];
  readonly outputs: { name?: string }[];
  predict(
    inputs: Tf.Tensor | Record<string, Tf.Tensor> | Tf.Tensor[],
  ): Tf.Tensor | Tf.Tensor[] | Record<string, Tf.Tensor>;
  dispose(): void;
}

const require = createRequire(import.meta.url);

class TfjsSavedModel extends TfjsRival<typeof Tf, SavedModel> {
  readonly name = 'tfjs-node SavedModel';

  async load({ files }: RivalContext): Promise<void> {
    if (files.savedmodel === undefined) throw new Error('the network cannot be written as a SavedModel');
    const tf = require('@tensorflow/tfjs-node') as typeof Tf;
    this.tf = tf;
    this.model = await tf.node.loadSavedModel(files.savedmodel);
  }

  protected predict(tf: typeof Tf, model: SavedModel, given: Tf.Tensor | Tf.Tensor[]): readonly Tf.Tensor[] {
    const answer = model.predict(given);
    if (Array.isArray(answer)) return answer;
    if (answer instanceof tf.Tensor) return [answer];
    // Several outputs come as a record whose names Keras numbers: output_0, output_1.
    return Object.entries(answer)
      .sort(([a], [b]) => numberOf(a) - numberOf(b))
      .map(([, output]) => output);
  }

  note(): string {
    return 'exported by Keras from the network as .h5';
  }

  versions(): Record<string, string> {
    return versionsOf(require, ['@tensorflow/tfjs-node']);
  }
}

const numberOf = (name: string): number => Number(/(\d+)$/.exec(name)?.[1] ?? 0);

export const rival = new TfjsSavedModel();
