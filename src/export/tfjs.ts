/** Network → a TFJS layers model: its model.json and weights, zeros included. */
import type { Network } from '../network/types.js';
import { rewrite } from './rewrite.js';
import { writeModel } from './topology.js';
import { verify } from './verify.js';

/** The library whose meaning the files have. */
const TFJS_VERSION = 'tfjs-layers 4.22.0';

export interface TfjsModel {
  /** What model.json holds as modelTopology. */
  readonly modelTopology: Record<string, unknown>;
  /** Every weight: its name, shape and dtype, in the order of the bytes. */
  readonly weightSpecs: readonly { name: string; shape: number[]; dtype: 'float32' }[];
  /** float32, little-endian, one weight after the other. */
  readonly weightData: Uint8Array<ArrayBuffer>;
}

/** @throws UNSUPPORTED_LAYER for what the layers of tfjs do not have, by the layer's name. */
export function toTfjsModel(network: Network): TfjsModel {
  const own = rewrite(network, 'tfjs');
  const written = writeModel(own, 'tfjs');
  verify(own, written, { keras: 2, tfjs: true });
  const weights = written.layers.flatMap((layer) => layer.weights);
  const bytes = new Uint8Array(weights.reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0));
  let offset = 0;
  for (const { tensor } of weights) {
    const { buffer, byteOffset, byteLength } = tensor.data;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    offset += byteLength;
  }
  return {
    modelTopology: { model_config: written.model, keras_version: TFJS_VERSION, backend: 'tensor_flow.js' },
    weightSpecs: weights.map(({ name, tensor }) => ({ name, shape: [...tensor.shape], dtype: 'float32' })),
    weightData: bytes,
  };
}
