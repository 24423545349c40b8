/** tfjs-node's `predict`, read back with dataSync: the Keras-equivalent baseline. */
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-node';
import type { Rival, RivalContext, RivalInput } from '../race/rival.js';
import { registerOwnActivation, timedPredict } from './tfjs-layers.js';

class TfjsNode implements Rival {
  readonly name = 'tfjs-node predict';
  private tf: typeof Tf | undefined;
  private model: Tf.LayersModel | undefined;
  private network = 'layers rebuilt from what espalier runs';

  async load({ files }: RivalContext): Promise<void> {
    if (files.tfjs === undefined && files.tfjsGiven === undefined)
      throw new Error('the network cannot be written as a TFJS layers model');
    // Threads are set by the environment, TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS, before this import.
    const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node') as typeof Tf;
    if (tf.getBackend() !== 'tensorflow') {
      throw new Error(`the backend is ${tf.getBackend()}: pure JavaScript is not the baseline`);
    }
    this.tf = tf;
    registerOwnActivation(tf);
    if (files.tfjsGiven !== undefined) {
      try {
        this.model = await tf.loadLayersModel(`file://${files.tfjsGiven}`);
        this.network = 'the model.json as given';
        return;
      } catch {
        // It lacks many layers of Keras: then it gets the network that computes the same.
      }
    }
    this.model = await tf.loadLayersModel(`file://${files.tfjs}`);
  }

  prepare(inputs: RivalInput[]): () => Float32Array[] {
    const { tf, model } = this;
    if (tf === undefined || model === undefined) throw new Error('not loaded');
    return timedPredict(tf, model, inputs);
  }

  run(inputs: RivalInput[]): Float32Array[] {
    return this.prepare(inputs)();
  }

  dispose(): void {
    this.model?.dispose();
    this.model = undefined;
  }

  note(): string {
    return this.network;
  }

  versions(): Record<string, string> {
    const { version } = createRequire(import.meta.url)('@tensorflow/tfjs-node/package.json') as {
      version: string;
    };
    const binding = (this.tf?.backend() as { binding?: { TF_Version?: string } } | undefined)?.binding;
    return {
      '@tensorflow/tfjs-node': version,
      ...(binding?.TF_Version === undefined ? {} : { tensorflow: binding.TF_Version }),
    };
  }
}

export const rival = new TfjsNode();
