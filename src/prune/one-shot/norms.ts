/** How strongly each input channel of a layer speaks: what activation-aware pruning weighs weights by. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { EspalierError } from '../../errors.js';
import type { Network } from '../../network/types.js';
import { runReference, type Arr } from '../../reference/index.js';
import type { Layer } from '../../tensorflow/layer-tree.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

/** By layer: the squared norm of each input channel over all calibration samples (and positions). */
export type Norms = Map<string, Float32Array>;

/** Kernels whose last but one axis are the channels of the layer's own input. */
const ON_INPUT = new Set(['Dense', 'Conv1D', 'Conv2D', 'Conv3D']);

/** Norms in a Network run by the reference executor: what its layers read are its outputs then. */
export function normsOfNetwork(network: Network, calibration: readonly Arr[]): Norms {
  const nodes = network.nodes.filter(({ layer }) => ON_INPUT.has(network.layers[layer]!.kind));
  const outputs = nodes.map(({ inputs }, i) => ({ name: `${i}`, value: inputs[0]! }));
  const read = runReference({ ...network, outputs }, calibration);
  const norms: Norms = new Map();
  nodes.forEach(({ layer }, i) => {
    const { shape, data } = read[i]!;
    const channels = shape.at(-1)!;
    const { name } = network.layers[layer]!;
    const sums = norms.get(name) ?? new Float32Array(channels);
    for (let at = 0; at < data.length; at++) sums[at % channels]! += data[at]! ** 2;
    norms.set(name, sums);
  });
  return norms;
}

/**
 * Norms in a tfjs model, listened to while it predicts.
 * @throws EspalierError INVALID_INPUT where the model cannot run the calibration
 */
export function normsOfModel(
  model: LayersModel,
  targets: readonly { path: string; layer: Layer }[],
  calibration: Tensor | Tensor[],
): Norms {
  const tf = tensorflow();
  const norms: Norms = new Map();
  const heard = targets.filter(({ layer }) => ON_INPUT.has(layer.getClassName()));
  for (const { path, layer } of heard) {
    const call = layer.call.bind(layer);
    layer.call = (inputs, kwargs) => {
      const x = (Array.isArray(inputs) ? inputs[0] : inputs) as Tensor;
      const axes = x.shape.map((_, axis) => axis).slice(0, -1);
      const sums = tf.tidy(() => x.square().sum(axes).dataSync().slice() as Float32Array);
      const before = norms.get(path);
      norms.set(path, before ? sums.map((sum, i) => sum + before[i]!) : sums);
      return call(inputs, kwargs);
    };
  }
  try {
    tf.tidy(() => void model.predict(calibration));
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    const message = `calibration: the model cannot run it: ${(cause as Error).message}`;
    throw new EspalierError('INVALID_INPUT', message, { parameter: 'calibration' }, cause);
  } finally {
    for (const { layer } of heard) delete (layer as Partial<Layer>).call;
  }
  return norms;
}
