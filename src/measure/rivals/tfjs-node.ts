/** tfjs-node's `predict`, read back with dataSync: the Keras-equivalent baseline. */
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-node';
import type { RivalContext } from '../race/rival.js';
import { TfjsLayersRival, registerOwnActivation, versionsOf } from './tfjs-layers.js';

const require = createRequire(import.meta.url);

class TfjsNode extends TfjsLayersRival<typeof Tf> {
  readonly name = 'tfjs-node predict';
  private network = 'layers rebuilt from what espalier runs';

  async load({ files }: RivalContext): Promise<void> {
    if (files.tfjs === undefined && files.tfjsGiven === undefined)
      throw new Error('the network cannot be written as a TFJS layers model');
    // Threads are set by the environment, TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS, before this import.
    const tf = require('@tensorflow/tfjs-node') as typeof Tf;
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

  note(): string {
    return this.network;
  }

  versions(): Record<string, string> {
    const binding = (this.tf?.backend() as { binding?: { TF_Version?: string } } | undefined)?.binding;
    return {
      ...versionsOf(require, ['@tensorflow/tfjs-node']),
      ...(binding?.TF_Version === undefined ? {} : { tensorflow: binding.TF_Version }),
    };
  }
}

export const rival = new TfjsNode();
