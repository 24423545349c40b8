/** A network in the layers of a dialect → a functional model config, as Keras 2 writes it, and its weights. */
import type { Dialect } from '../keras/dialect.js';
import { weightsOf as specsOf, type Kind } from '../network/layers/registry.js';
import type { Layer, Network, Tensor, Value } from '../network/types.js';
import { layerConfig } from './configs.js';

export interface WrittenWeight {
  /** "dense/kernel", "lstm/lstm_cell/kernel", "bidirectional/forward_lstm/lstm_cell/kernel". */
  readonly name: string;
  readonly tensor: Tensor;
}

/** A layer of the model, in the order in which Keras has them. */
export interface WrittenLayer {
  readonly name: string;
  readonly className: string;
  /** In the order in which Keras lists and stores them. */
  readonly weights: readonly WrittenWeight[];
}

export interface WrittenModel {
  /** { class_name: 'Functional', config }. */
  readonly model: Record<string, unknown>;
  readonly layers: readonly WrittenLayer[];
  /** The name that each layer of the network got. */
  readonly names: readonly string[];
}

type Ref = [string, number, number];

/** Names that Keras takes: letters, digits, "_", "." and "-", each once. */
class Names {
  private readonly used = new Set<string>();

  unique(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^[^A-Za-z0-9.]/, 'layer$&') || 'layer';
    let result = plain;
    for (let i = 1; this.used.has(result); i++) result = `${plain}_${i}`;
    this.used.add(result);
    return result;
  }
}

/** A layer as it is written: all variants of one layer are calls of it. */
interface Entry {
  readonly name: string;
  readonly layer: Layer | null;
  readonly value: Value | null;
  readonly calls: {
    readonly inputs: readonly Ref[];
    readonly kwargs: Record<string, unknown>;
    readonly node: number;
  }[];
}

export function writeModel(network: Network, dialect: Dialect): WrittenModel {
  const names = new Names();
  const refs: Ref[] = [];
  const producers: number[] = [];
  const entries: Entry[] = [];
  const inputs = network.inputs.map(({ name, value }) => {
    const entry: Entry = { name: names.unique(name), layer: null, value: network.values[value]!, calls: [] };
    entries.push(entry);
    refs[value] = [entry.name, 0, 0];
    return entry;
  });
  network.nodes.forEach((node, i) => node.outputs.forEach((output) => (producers[output] = i)));
  const live = reachable(network, producers);
  const byWeights = new Map<object, Entry>();
  const layerNames: string[] = [];
  const entryOf: Entry[] = [];
  network.nodes.forEach((node, i) => {
    if (!live.has(i)) return;
    const layer = network.layers[node.layer]!;
    let entry = byWeights.get(layer.weights);
    if (entry === undefined) {
      entry = { name: names.unique(layer.name.replace(/:\d+$/, '')), layer, value: null, calls: [] };
      byWeights.set(layer.weights, entry);
      entries.push(entry);
    }
    layerNames[node.layer] = entry.name;
    entryOf[i] = entry;
    const call = entry.calls.length;
    entry.calls.push({ ...callOf(network, layer, node.inputs, refs, producers), node: i });
    node.outputs.forEach((output, tensor) => (refs[output] = [entry.name, call, tensor]));
  });
  const ordered = kerasOrder(network, entries, inputs, producers, entryOf);
  const layers = ordered.map((entry) => {
    const { name, layer, value } = entry;
    if (layer === null) {
      const config = { batch_input_shape: value!.shape, dtype: value!.dtype, sparse: false, name };
      return { class_name: 'InputLayer', config, name, inbound_nodes: [] };
    }
    return {
      class_name: layer.kind,
      config: layerConfig(layer, name, dialect),
      name,
      inbound_nodes: entry.calls.map((call) =>
        call.inputs.map((ref, i) => [...ref, i === 0 ? call.kwargs : {}]),
      ),
    };
  });
  const model = {
    class_name: 'Functional',
    config: {
      name: names.unique(network.name === '' ? 'model' : network.name),
      trainable: true,
      layers,
      input_layers: inputs.map(({ name }) => [name, 0, 0]),
      output_layers: network.outputs.map(({ value }) => refs[value]!),
    },
  };
  const written = ordered.map((entry): WrittenLayer => {
    if (entry.layer === null) return { name: entry.name, className: 'InputLayer', weights: [] };
    const at = network.nodes[entry.calls[0]!.node]!;
    const values = at.inputs.map((input) => network.values[input]!);
    return {
      name: entry.name,
      className: entry.layer.kind,
      weights: weightsOf(entry.layer, entry.name, values),
    };
  });
  return { model, layers: written, names: layerNames };
}

/** Nodes that lead to an output: libraries know no others. */
function reachable(network: Network, producers: readonly number[]): Set<number> {
  const live = new Set<number>();
  const open = network.outputs.map(({ value }) => value);
  while (open.length > 0) {
    const node = producers[open.pop()!];
    if (node === undefined || live.has(node)) continue;
    live.add(node);
    open.push(...network.nodes[node]!.inputs);
  }
  return live;
}

const TAKE_MASKS: ReadonlySet<Kind> = new Set<Kind>([
  ...(['SimpleRNN', 'LSTM', 'GRU', 'Bidirectional', 'GlobalAveragePooling1D'] as const),
]);

/** The tensors of a call, and its keyword arguments. Masks that layers make travel by themselves. */
function callOf(
  network: Network,
  layer: Layer,
  inputs: readonly number[],
  refs: readonly Ref[],
  producers: readonly number[],
): { inputs: Ref[]; kwargs: Record<string, unknown> } {
  const travels = (value: number): boolean => {
    const node = network.nodes[producers[value] ?? -1];
    return node !== undefined && node.outputs[1] === value && network.values[value]!.dtype === 'bool';
  };
  const given = inputs.filter((input) => !travels(input)).map((input) => refs[input]!);
  const kwargs: Record<string, unknown> = {};
  if (layer.kind === 'MultiHeadAttention') {
    const [query, value, key] = given;
    kwargs.value = value;
    if (key !== undefined) kwargs.key = key;
    if (layer.settings.causal) kwargs.use_causal_mask = true;
    if (layer.settings.returnScores) kwargs.return_attention_scores = true;
    return { inputs: [query!], kwargs };
  }
  const takesMask = TAKE_MASKS.has(layer.kind);
  const last = inputs[inputs.length - 1]!;
  if (takesMask && network.values[last]!.dtype === 'bool' && !travels(last)) kwargs.mask = given.pop();
  if (takesMask && given.length > 1) kwargs.initial_state = given.splice(1);
  return { inputs: given, kwargs };
}

/**
 * Keras's own order of a functional model's layers, by which .h5 files bind weights: by depth from the outputs, then
 * as they are met from there (_map_graph_network in keras/engine/functional.py).
 */
function kerasOrder(
  network: Network,
  entries: readonly Entry[],
  inputs: readonly Entry[],
  producers: readonly number[],
  entryOf: readonly Entry[],
): Entry[] {
  const inputEntry = new Map(network.inputs.map(({ value }, i) => [value, inputs[i]!]));
  const met = new Map<Entry, number>();
  const meet = (entry: Entry): void => {
    if (!met.has(entry)) met.set(entry, met.size);
  };
  const order: number[] = [];
  const done = new Set<number>();
  // Depth first, as the recursion there: a node comes after all that it needs.
  const visit = (start: number): void => {
    const stack: { node: number; next: number }[] = [];
    const enter = (value: number): void => {
      const node = producers[value];
      if (node === undefined) return meet(inputEntry.get(value)!);
      if (done.has(node)) return;
      done.add(node);
      meet(entryOf[node]!);
      stack.push({ node, next: 0 });
    };
    enter(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const value = network.nodes[top.node]!.inputs[top.next++];
      if (value === undefined) {
        order.push(top.node);
        stack.pop();
      } else enter(value);
    }
  };
  network.outputs.forEach(({ value }) => visit(value));
  const nodeDepth = new Map<number, number>();
  const depth = new Map<Entry, number>();
  for (const node of order.reverse()) {
    const entry = entryOf[node]!;
    const own = Math.max(nodeDepth.get(node) ?? 0, depth.get(entry) ?? 0);
    depth.set(entry, own);
    nodeDepth.set(node, own);
    for (const input of network.nodes[node]!.inputs) {
      const before = producers[input];
      if (before === undefined) {
        const source = inputEntry.get(input)!;
        depth.set(source, Math.max(own + 1, depth.get(source) ?? 0));
      } else nodeDepth.set(before, Math.max(own + 1, nodeDepth.get(before) ?? 0));
    }
  }
  inputs.forEach((entry) => {
    if (!depth.has(entry)) depth.set(entry, 0);
    if (!met.has(entry)) met.set(entry, -1);
  });
  return [...entries].sort((a, b) => depth.get(b)! - depth.get(a)! || met.get(a)! - met.get(b)!);
}

function weightsOf(layer: Layer, name: string, inputs: readonly Value[]): WrittenWeight[] {
  const specs = specsOf(layer, inputs);
  const cell = (of: string): string =>
    ['SimpleRNN', 'LSTM', 'GRU'].includes(of) ? `${snake(of)}_cell/` : '';
  return specs
    .filter(({ unused }) => unused !== true)
    .map((spec) => {
      const tensor = layer.weights[spec.name]!;
      if (layer.kind === 'Bidirectional') {
        const [direction, own] = spec.name.split('/') as ['forward' | 'backward', string];
        const inner = layer.settings[direction].cell;
        return { name: `${name}/${direction}_${inner.toLowerCase()}/${cell(inner)}${own}`, tensor };
      }
      return { name: `${name}/${cell(layer.kind)}${spec.name}`, tensor };
    });
}

const snake = (name: string): string => (name === 'SimpleRNN' ? 'simple_rnn' : name.toLowerCase());
