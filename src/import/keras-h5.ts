/** Keras .h5 files: the config in an attribute, weights in a group for each layer of the outermost model. */
import { EspalierError } from '../errors.js';
import { isRecord, wrong } from '../network/untrusted.js';
import type { WeightSpec } from '../network/layers/kind.js';
import { sameShape } from '../network/shapes.js';
import type { Network, Tensor } from '../network/types.js';
import type { WantedLayer, WeightSource } from './build.js';
import { prepareNetwork } from './build.js';
import type { Hdf5File } from './hdf5.js';
import { withHdf5 } from './hdf5.js';
import { parseJson } from './json.js';
import { boundName } from './pruned.js';
import { originOf, readLayerConfig } from './topology.js';
import type { NamedWeight } from './weights.js';
import { namedWeights, tensorOf } from './weights.js';

/** The bytes of a .h5 file of Keras 2 or 3 → Network. */
export function importKerasH5(bytes: Uint8Array, maxMemory: number): Promise<Network> {
  return withHdf5(bytes, 'model.h5', maxMemory, (file) => {
    const config = file.text('/', 'model_config');
    if (config === undefined) {
      throw new EspalierError(
        'UNSUPPORTED_FORMAT',
        'model.h5: it has no model_config, as files of save_weights have none; save the whole model (model.save)',
        { parameter: 'model_config', expected: 'a whole model', received: 'weights only' },
      );
    }
    const topology = parseJson(config, 'model.h5: model_config');
    if (!isRecord(topology)) throw wrong('model.h5: model_config', 'an object', topology);
    const root = file.names('model_weights') === undefined ? '/' : 'model_weights';
    const version = file.text('/', 'keras_version') ?? file.text(root, 'keras_version');
    const origin = originOf(version, file.text('/', 'backend'), 2);
    return prepareNetwork(readLayerConfig(topology, 'model_config'), origin).finish(h5Weights(file, root));
  });
}

function h5Weights(file: Hdf5File, root: string): WeightSource {
  return {
    bind: (layers) => {
      const stored = readGroups(file, root);
      const result = layers.map((): Record<string, Tensor> => ({}));
      const groups = new Map<string, number[]>();
      layers.forEach((layer, i) => {
        const top = layer.path.length === 1 ? (layer.wrapper ?? layer.path[0]!) : layer.path[0]!;
        groups.set(top, [...(groups.get(top) ?? []), i]);
      });
      for (const [top, members] of groups) {
        const weights = stored.get(top) ?? [];
        stored.delete(top);
        const wanted = members.map((i) => layers[i]!);
        const bound = byPosition(wanted, weights) ?? namedWeights(weights).bind(wanted);
        members.forEach((member, i) => (result[member] = bound[i]!));
      }
      const surplus = [...stored].find(([, weights]) => weights.length > 0);
      if (surplus !== undefined)
        throw wrong('model_weights', 'weights of the model’s layers only', surplus[0]);
      return result;
    },
  };
}

/** The weights of each layer of the outermost model, in the order in which Keras lists them. */
function readGroups(file: Hdf5File, root: string): Map<string, NamedWeight[]> {
  const names = file.texts(root, 'layer_names');
  if (names === undefined) throw wrong('model.h5: layer_names', 'the names of the layers', undefined);
  const groups = new Map<string, NamedWeight[]>();
  for (const name of names) {
    if (groups.has(name)) throw wrong('model.h5: layer_names', 'each layer named once', name);
    const group = root === '/' ? name : `${root}/${name}`;
    if (file.names(group) === undefined)
      throw wrong(`model.h5: layer ${name}`, 'a group of weights', undefined);
    const seen = new Set<string>();
    const weights = (file.texts(group, 'weight_names') ?? []).map((weight): NamedWeight => {
      if (seen.has(weight)) throw wrong(`model.h5: layer ${name}`, 'each weight named once', weight);
      seen.add(weight);
      const dataset = file.dataset(`${group}/${weight}`, weight);
      if (dataset === undefined) throw wrong(`model.h5: ${weight}`, 'a dataset', undefined);
      return { name: weight, shape: dataset.shape, read: () => dataset.read() };
    });
    groups.set(name, weights);
  }
  return groups;
}

/** Trainable weights of all layers first, then the others: so Keras lists the weights of a nested model. */
function positions(layers: readonly WantedLayer[]): { layer: number; spec: WeightSpec }[] {
  const all = layers.flatMap(({ specs }, layer) => specs.map((spec) => ({ layer, spec })));
  const first = (entry: { layer: number; spec: WeightSpec }): boolean =>
    entry.spec.trainable && layers[entry.layer]!.trainable;
  return [...all.filter(first), ...all.filter((entry) => !first(entry))];
}

/** Binds weights as Keras does, by position, if every name and shape agrees; else null. */
function byPosition(
  layers: readonly WantedLayer[],
  weights: readonly NamedWeight[],
): Record<string, Tensor>[] | null {
  const order = positions(layers);
  const agrees =
    order.length === weights.length &&
    order.every(({ spec }, i) => {
      const name = weights[i]!.name.replace(/:0$/, '');
      const last = name.slice(name.lastIndexOf('/') + 1);
      const named = [spec.name, spec.alias ?? spec.name].some(
        (known) => known.slice(known.lastIndexOf('/') + 1) === last,
      );
      return named && sameShape(spec.shape, weights[i]!.shape);
    });
  if (!agrees) return null;
  const result = layers.map((): Record<string, Tensor> => ({}));
  order.forEach(({ layer, spec }, i) => {
    result[layer]![boundName(spec)] = tensorOf(weights[i]!, layers[layer]!, spec);
  });
  return result;
}
