/** Network → a tfjs model that can be trained. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError, requireKeys } from '../errors.js';
import { toTfjsModel } from '../export/tfjs.js';
import type { Network } from '../network/types.js';
import { holdFrozenStatistics } from '../tensorflow/batch-norm.js';
import { completeConfigs } from '../tensorflow/copy.js';
import {
  loadTensorFlow,
  TENSORFLOW_OPTIONS,
  type TensorFlow,
  type TensorFlowOptions,
} from '../tensorflow/load.js';

/**
 * Builds a trainable tfjs model of a network, whatever it was imported from, wherever tfjs has layers that compute the
 * same. The model is functional and not compiled; nested models are flattened, their layers named "outer_inner".
 * Normalization becomes Rescaling, and an activation that tfjs knows as a layer only, that layer; a BatchNormalization
 * without gamma or beta gets ones or zeros, as tfjs cannot train it without; one that is frozen computes with its stored
 * statistics and keeps them in training too, as in Keras. Dropout rates, momenta, regularizers and
 * `trainable` come along. Loads @tensorflow/tfjs-node when it is called.
 * @param network what importModel gives; its weights are copied.
 * @param options which TensorFlow is loaded, if none is yet.
 * @throws UNSUPPORTED_LAYER with the layer's name and what would help, TENSORFLOW_MISSING, INVALID_MODEL.
 */
export async function toLayersModel(network: Network, options: TensorFlowOptions = {}): Promise<LayersModel> {
  requireKeys('options', options, TENSORFLOW_OPTIONS);
  return layersModelOf(await loadTensorFlow(options), network);
}

/** As toLayersModel, with a TensorFlow that is loaded. */
export async function layersModelOf({ tf }: TensorFlow, network: Network): Promise<LayersModel> {
  const { modelTopology, weightSpecs, weightData } = toTfjsModel(network);
  try {
    const model = await tf.loadLayersModel(
      tf.io.fromMemory({ modelTopology, weightSpecs: [...weightSpecs], weightData: weightData.buffer }),
    );
    completeConfigs(model);
    holdFrozenStatistics(model);
    return model;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0] ?? '';
    throw new EspalierError(
      'UNSUPPORTED_LAYER',
      `network ${network.name}: TensorFlow.js does not take it: ${reason}`,
      { parameter: network.name },
      cause,
    );
  }
}
