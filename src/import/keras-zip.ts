/** .keras files (of Keras 3, and of Keras 2.12 and later): config.json, metadata.json, model.weights.h5 in a zip. */
import { EspalierError } from '../errors.js';
import { isRecord, own, wrong } from '../network/untrusted.js';
import type { Network, Tensor } from '../network/types.js';
import type { WantedLayer, WeightSource } from './build.js';
import { prepareNetwork } from './build.js';
import type { Hdf5File } from './hdf5.js';
import { withHdf5 } from './hdf5.js';
import { decodeUtf8, parseJson } from './json.js';
import { boundName } from './pruned.js';
import { originOf, readLayerConfig } from './topology.js';
import { missing, tensorOf } from './weights.js';
import { readZip } from './zip.js';

const [CONFIG, METADATA, WEIGHTS] = ['config.json', 'metadata.json', 'model.weights.h5'];

/** The bytes of a .keras file → Network. */
export async function importKerasZip(bytes: Uint8Array, maxMemory: number): Promise<Network> {
  const members = readZip(bytes, [CONFIG, METADATA, WEIGHTS], 'model.keras', maxMemory);
  const json = (name: string): Record<string, unknown> => {
    const member = members.get(name);
    if (member === undefined) throw notKeras(name);
    const value = parseJson(decodeUtf8(member, name), name);
    if (!isRecord(value)) throw wrong(name, 'an object', value);
    return value;
  };
  const origin = originOf(own(json(METADATA), 'keras_version'), undefined, 3);
  const prepared = prepareNetwork(readLayerConfig(json(CONFIG), CONFIG), origin);
  const weights = members.get(WEIGHTS);
  if (weights === undefined) throw notKeras(WEIGHTS);
  return withHdf5(weights, WEIGHTS, maxMemory, (file) => prepared.finish(storedWeights(file)));
}

function notKeras(member: string): EspalierError {
  return new EspalierError(
    'INVALID_MODEL',
    `model.keras: expected a zip file with ${member}, received one without`,
    {
      parameter: member,
      expected: 'a .keras file',
    },
  );
}

function storedWeights(file: Hdf5File): WeightSource {
  // The first versions of the format named the list of layers otherwise.
  const old = file.names('_layer_checkpoint_dependencies') !== undefined;
  return {
    bind: (layers) => {
      if (!old) refuseSurplus(file, layers);
      return layers.map((layer) => layerWeights(file, layer, old));
    },
  };
}

/** Groups of layers that the model does not have hold no weights; those without weights have groups too. */
function refuseSurplus(file: Hdf5File, layers: readonly WantedLayer[]): void {
  const known = new Set(layers.map(({ location }) => location.split('/')[1]));
  const surplus = (file.names('layers') ?? []).find(
    (name) => !known.has(name) && (file.names(`layers/${name}/vars`)?.length ?? 0) > 0,
  );
  if (surplus !== undefined) throw wrong(WEIGHTS, 'weights of the model’s layers only', surplus);
}

/** A layer's weights: in its group, `vars` lists them by number; objects inside it have groups of their own. */
function layerWeights(file: Hdf5File, layer: WantedLayer, old: boolean): Record<string, Tensor> {
  const base = old
    ? layer.location.replace(/(^|\/)layers\//g, '$1_layer_checkpoint_dependencies/')
    : layer.location;
  const result: Record<string, Tensor> = {};
  const counts = new Map<string, number>();
  for (const spec of layer.specs) {
    const wrapper = spec.maskOf !== undefined;
    const place = wrapper ? base.replace(/layer\/$/, '') : base;
    const holder = spec.holder === undefined ? '' : `${spec.holder}/`;
    // Keras 3 leaves out the underscore that such an object's attribute starts with.
    const bare = holder.startsWith('_') && file.names(`${place}${holder}vars`) === undefined;
    const group = `${place}${bare ? holder.slice(1) : holder}vars`;
    const count = counts.get(group) ?? 0;
    counts.set(group, Math.max(count + 1, (spec.index ?? 0) + 1));
    const path = `${group}/${spec.index ?? count}`;
    const dataset = file.dataset(path, path);
    if (dataset === undefined) {
      if (spec.unused === true) continue;
      throw missing(layer, spec);
    }
    result[boundName(spec)] = tensorOf(
      { name: path, shape: dataset.shape, read: () => dataset.read() },
      layer,
      spec,
    );
  }
  for (const [group, count] of counts) {
    const held = file.names(group)?.length ?? 0;
    if (held > count) throw wrong(`layer ${layer.path.join('/')}`, `${count} weights`, held);
  }
  return result;
}
