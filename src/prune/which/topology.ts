/** A model's layers as a graph of class names and Keras configs: what a policy looks at. */
import { invalid } from '../../errors.js';
import { isModel, type Layer } from '../../tensorflow/layer-tree.js';

export interface TopologyNode {
  /** "outer/inner" in nested models. */
  path: string;
  className: string;
  /** Keras's, with snake_case keys. */
  config: Readonly<Record<string, unknown>>;
  producers: TopologyNode[];
  consumers: TopologyNode[];
  /** Channels of its input, the last axis; null where unknown. */
  inChannels: number | null;
}

export interface Topology {
  nodes: TopologyNode[];
  inputs: TopologyNode[];
  outputs: TopologyNode[];
}

type Json = Record<string, unknown>;

const EXPECTED = 'a Sequential or functional model, or its topology { class_name, config } as in model.json';

/**
 * @param source a tfjs LayersModel, or the JSON of one: of `model.json`, of Keras's `to_json`, or the `model_config` or
 *   `modelTopology` inside. A model that tfjs cannot make has a topology all the same.
 */
export function topologyOf(source: unknown): Topology {
  const model = isModel(source) ? source : null;
  const json = model
    ? (model as unknown as { toJSON(unused: null, asText: false): Json }).toJSON(null, false)
    : object(source);
  let inside: Json = json;
  for (const key of ['modelTopology', 'model_config']) inside = isObject(inside[key]) ? inside[key] : inside;
  const topology: Topology = { nodes: [], inputs: [], outputs: [] };
  const config = inside['config'] ?? inside['topology'] ?? inside;
  const className = inside['class_name'] ?? inside['cls'];
  addModel(topology, text(className), config, '', model);
  return topology;
}

function addModel(
  topology: Topology,
  className: string,
  config: unknown,
  prefix: string,
  model: Layer | null,
): void {
  const list = Array.isArray(config) ? (config as unknown[]) : object(config)['layers'];
  if (!Array.isArray(list) || list.length === 0) throw invalid('INVALID_MODEL', 'model', EXPECTED, config);
  const layers = list.map(object);
  const functional =
    layers.some((layer) => Array.isArray(layer['inbound_nodes'])) && className !== 'Sequential';
  const byName = new Map<string, { first: TopologyNode; last: TopologyNode }>();
  let previous: TopologyNode | null = null;
  for (const layer of layers) {
    const inner = object(layer['config']);
    const name = text(layer['name'] ?? inner['name']);
    const kind = text(layer['class_name']);
    const found = childNamed(model, name);
    let ends: { first: TopologyNode; last: TopologyNode };
    if (
      kind === 'Sequential' &&
      Array.isArray(Array.isArray(layer['config']) ? layer['config'] : inner['layers'])
    ) {
      const nested: Topology = { nodes: [], inputs: [], outputs: [] };
      addModel(nested, kind, layer['config'], `${prefix}${name}/`, found);
      topology.nodes.push(...nested.nodes);
      ends = { first: nested.inputs[0]!, last: nested.outputs[0]! };
    } else {
      const node: TopologyNode = {
        ...{ path: prefix + name, className: kind, config: inner, producers: [], consumers: [] },
        inChannels: builtChannels(layer, found),
      };
      topology.nodes.push(node);
      ends = { first: node, last: node };
    }
    byName.set(name, ends);
    if (functional) {
      for (const source of inboundNames(layer['inbound_nodes'])) link(byName.get(source)?.last, ends.first);
    } else {
      link(previous ?? undefined, ends.first);
      previous = ends.last;
    }
  }
  if (functional) {
    const at = (key: string) => portNames(object(config)[key]).map((name) => byName.get(name));
    topology.inputs = at('input_layers').flatMap((ends) => ends?.first ?? []);
    topology.outputs = at('output_layers').flatMap((ends) => ends?.last ?? []);
  } else {
    topology.inputs = topology.nodes.slice(0, 1);
    topology.outputs = previous ? [previous] : [];
  }
  // A Sequential may leave its InputLayer out; it has one all the same.
  const [first] = topology.inputs;
  if (!functional && first && first.className !== 'InputLayer') {
    const input: TopologyNode = { ...first, path: '', className: 'InputLayer', producers: [], consumers: [] };
    link(input, first);
    topology.inputs = prefix === '' ? [input] : topology.inputs;
  }
}

function link(from: TopologyNode | undefined, to: TopologyNode): void {
  if (!from) return;
  if (!from.consumers.includes(to)) from.consumers.push(to);
  if (!to.producers.includes(from)) to.producers.push(from);
}

/** Names in Keras 2's [[["name", 0, 0, {}], …], …] and in Keras 3's { keras_history: ["name", 0, 0] }. */
function inboundNames(nodes: unknown): string[] {
  const names: string[] = [];
  const visit = (value: unknown) => {
    if (Array.isArray(value)) {
      if (typeof value[0] === 'string' && typeof value[1] === 'number') {
        names.push(value[0]);
        // Operations have further inputs among their keyword arguments.
        value.slice(3).forEach(visit);
      } else value.forEach(visit);
    } else if (isObject(value)) Object.values(value).forEach(visit);
  };
  visit(nodes);
  return names;
}

function portNames(ports: unknown): string[] {
  return inboundNames(ports);
}

function childNamed(model: Layer | null, name: string): Layer | null {
  const layers = model && isModel(model) ? model.layers : [];
  return layers.find((layer) => layer.name === name) ?? null;
}

/** From the layer's weights, or from the build_config that newer Keras writes. */
function builtChannels(layer: Json, built: Layer | null): number | null {
  const kernel = (built as unknown as { kernel?: { shape?: number[] } | null } | null)?.kernel;
  if (kernel?.shape && kernel.shape.length === 4) return kernel.shape[2]!;
  const config = layer['build_config'];
  const shape = isObject(config) ? config['input_shape'] : null;
  const channels: unknown = Array.isArray(shape) ? shape.at(-1) : null;
  return typeof channels === 'number' ? channels : null;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function object(value: unknown): Json {
  if (Array.isArray(value)) return { layers: value };
  if (!isObject(value)) throw invalid('INVALID_MODEL', 'model', EXPECTED, value);
  return value;
}

/** A string of the JSON; '' for anything else. */
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
