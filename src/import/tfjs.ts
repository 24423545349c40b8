/** TFJS layers models: a model.json with its shards, or a tfjs model in memory. */
import type { LayersModel } from '@tensorflow/tfjs';
import { EspalierError } from '../errors.js';
import { isRecord, own, wrong } from '../network/untrusted.js';
import { sizeOf } from '../network/shapes.js';
import type { Network, Tensor } from '../network/types.js';
import type { WantedLayer } from './build.js';
import { buildNetwork, prepareNetwork } from './build.js';
import { boundName } from './pruned.js';
import { readManifest } from './manifest.js';
import { originOf, readLayerConfig } from './topology.js';
import { missing, namedWeights, tensorOf } from './weights.js';

/**
 * A parsed model.json and its folder (null where there is none) → Network.
 * @throws INVALID_MODEL, UNSUPPORTED_FORMAT (a graph model), UNSUPPORTED_LAYER, LIMIT_EXCEEDED.
 */
export async function importModelJson(
  json: unknown,
  folder: string | null,
  maxMemory: number,
): Promise<Network> {
  if (!isRecord(json)) throw wrong('model.json', 'an object', json);
  const format = own(json, 'format');
  const topology = own(json, 'modelTopology');
  if (format === 'graph-model' || (isRecord(topology) && Object.hasOwn(topology, 'node'))) {
    throw new EspalierError(
      'UNSUPPORTED_FORMAT',
      'model.json: a TFJS graph model is not supported; convert the Keras model to a TFJS layers model instead',
      { parameter: 'format', expected: 'layers-model', received: format },
    );
  }
  if (format !== undefined && format !== null && format !== 'layers-model') {
    throw wrong('model.json: format', '"layers-model"', format);
  }
  if (!isRecord(topology)) throw wrong('model.json: modelTopology', 'an object', topology);
  const { layer, origin } = readTopology(topology);
  const manifest = own(json, 'weightsManifest');
  if (folder === null) {
    throw new EspalierError(
      'INVALID_MODEL',
      'model.json: its weights are in other files; give the path of the model.json instead of its bytes',
      { parameter: 'source', expected: 'a path' },
    );
  }
  // The graph is checked before a byte of weights is read.
  const prepared = prepareNetwork(layer, origin);
  return prepared.finish(namedWeights(await readManifest(manifest, folder, maxMemory)));
}

/** A topology with the model_config inside (Keras) or bare (tfjs). */
function readTopology(topology: Record<string, unknown>): {
  layer: ReturnType<typeof readLayerConfig>;
  origin: ReturnType<typeof originOf>;
} {
  const inner = own(topology, 'model_config');
  const origin = originOf(own(topology, 'keras_version'), own(topology, 'backend'), 2);
  return {
    layer: readLayerConfig(inner ?? topology, inner === undefined ? 'modelTopology' : 'model_config'),
    origin,
  };
}

/** What is used of a tfjs layer or model. */
interface TfjsLayer {
  readonly weights?: readonly { read(): { shape: number[]; dataSync(): ArrayLike<number> } }[];
  readonly layers?: readonly (TfjsLayer & { name: string })[];
}

/**
 * A tfjs-layers model in memory (of any backend) → Network. The weights are copied.
 * @throws INVALID_ARGUMENT, UNSUPPORTED_LAYER, INVALID_MODEL (weights that are not finite).
 */
export async function importLayersModel(model: LayersModel): Promise<Network> {
  if (typeof (model as { toJSON?: unknown } | null)?.toJSON !== 'function') {
    throw new EspalierError('INVALID_ARGUMENT', 'model: expected a tf.LayersModel', { parameter: 'model' });
  }
  const json = JSON.parse(JSON.stringify(model.toJSON(null, false))) as unknown;
  if (!isRecord(json)) throw wrong('model.toJSON()', 'an object', json);
  const { layer, origin } = readTopology(json);
  return buildNetwork(layer, origin, {
    bind: (layers) => layers.map((wanted) => memoryWeights(model, wanted)),
  });
}

function memoryWeights(model: LayersModel, wanted: WantedLayer): Record<string, Tensor> {
  let layer = model as unknown as TfjsLayer;
  for (const name of wanted.path) {
    const found = layer.layers?.find((candidate) => candidate.name === name);
    if (found === undefined) throw wrong(`layer ${wanted.path.join('/')}`, 'a layer of the model', undefined);
    layer = found;
  }
  const result: Record<string, Tensor> = {};
  wanted.specs.forEach((spec, i) => {
    const tensor = layer.weights?.[i]?.read();
    if (tensor === undefined) {
      if (spec.unused === true) return;
      throw missing(wanted, spec);
    }
    const read = (): Float32Array => Float32Array.from(tensor.dataSync());
    result[boundName(spec)] = tensorOf({ name: spec.name, shape: tensor.shape, read }, wanted, spec);
  });
  const held = layer.weights?.length ?? 0;
  if (held > wanted.specs.length) {
    const sizes = (layer.weights ?? []).map((weight) => sizeOf(weight.read().shape));
    throw wrong(`layer ${wanted.path.join('/')}`, `${wanted.specs.length} weights`, sizes);
  }
  return result;
}
