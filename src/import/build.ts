/** Model config + weights → Network: calls of layers in an order in which they can be computed. */
import { EspalierError } from '../errors.js';
import { KERAS_CODECS, maskingOf, withArguments, withMasks } from '../keras/codecs.js';
import type { Origin } from '../keras/config.js';
import type { WeightSpec } from '../network/layers/kind.js';
import { outputsOf, weightsOf, type Typed } from '../network/layers/registry.js';
import { unsupported, wrong } from '../network/untrusted.js';
import { checkValue, sameShape, showShape } from '../network/shapes.js';
import type { Network, Node, Tensor, Value } from '../network/types.js';
import type { OrderedCall } from './calls.js';
import { Calls } from './calls.js';
import { inputPart, modelInputs, outputName, uncalled, uniquePorts } from './ends.js';
import { Masks } from './masks.js';
import type { Model, ParsedLayer, Part } from './parts.js';
import { Parser, inLayer } from './parts.js';
import { prunedWeights, withPruning } from './pruned.js';
import type { LayerConfig, ModelConfig } from './topology.js';
import { TensorArgument } from './topology.js';

/** What a weight source is told of a layer. */
export interface WantedLayer {
  /** Names from the outermost nested model to the layer itself. */
  readonly path: readonly string[];
  readonly className: string;
  /** Its group in a .keras file, ending in a slash. */
  readonly location: string;
  /** The name of tfmot's PruneLowMagnitude around it, whose group in a .keras file is one level up; or null. */
  readonly wrapper: string | null;
  readonly specs: readonly WeightSpec[];
  readonly trainable: boolean;
}

/** Where weights come from. */
export interface WeightSource {
  /**
   * The weights of each layer by name, of exactly the shapes asked for, finite.
   * @throws INVALID_MODEL where one is missing, ambiguous, of another shape, or left over.
   */
  bind(layers: readonly WantedLayer[]): Record<string, Tensor>[];
}

/** Calls in all: models nested in each other and called twice at each level grow as 2^depth. */
const MAX_NODES = 100_000;

/** A layer as the Network will have it; calls with other arguments of the same one share its weights. */
interface BuiltLayer {
  readonly name: string;
  readonly parsed: ParsedLayer;
  /** With the settings of its calls. */
  readonly typed: Typed;
  /** The index into `stored`. */
  readonly weights: number;
}

interface StoredLayer {
  readonly parsed: ParsedLayer;
  readonly specs: readonly WeightSpec[];
}

/** A tensor among the arguments of a call. */
class ValueArgument {
  constructor(readonly value: number) {}
}

/**
 * Builds the network of a model config.
 * @throws INVALID_MODEL, UNSUPPORTED_LAYER, LIMIT_EXCEEDED: the message names the layer.
 */
export function buildNetwork(root: LayerConfig, origin: Origin, source: WeightSource): Network {
  return prepareNetwork(root, origin).finish(source);
}

/** Checks and builds all but the weights, so that a wrong graph is found before they are read. */
export function prepareNetwork(root: LayerConfig, origin: Origin): { finish(source: WeightSource): Network } {
  const model = new Parser(origin).root(root);
  const builder = new Builder(origin);
  return builder.prepare(model);
}

class Builder {
  private readonly layers: BuiltLayer[] = [];
  private readonly stored: StoredLayer[] = [];
  private readonly layerIndex = new Map<ParsedLayer, Map<string, number>>();
  private readonly values: Value[] = [];
  private readonly masks = new Masks();
  private readonly nodes: Node[] = [];
  private readonly calls = new Map<ModelConfig, Calls>();
  private readonly orders = new Map<ModelConfig, OrderedCall[]>();

  constructor(private readonly origin: Origin) {}

  prepare(model: Model): { finish(source: WeightSource): Network } {
    const inputs = modelInputs(model);
    const values = inputs.map(({ value }) => this.addValue(value));
    const outputs = this.callModel(model, values);
    const network = {
      name: model.config.name,
      values: this.values,
      nodes: this.nodes,
      inputs: uniquePorts(inputs.map(({ name }, i) => ({ name, value: values[i]! }))),
      outputs: uniquePorts(outputs.map((value, i) => ({ name: outputName(model, i), value }))),
    };
    return { finish: (source) => ({ ...network, layers: this.bind(model, source) }) };
  }

  /** Every layer's weights, also of layers that are never called: those only say that they have none here. */
  private bind(model: Model, source: WeightSource): Network['layers'] {
    uncalled(model, (layer) => {
      if (!this.layerIndex.has(layer))
        throw wrong(`layer ${layer.path.join('/')}`, 'a call of the layer', 'none');
    });
    const wanted = this.stored.map(({ parsed, specs }): WantedLayer => {
      const { path, className, location, wrapper, trainable } = parsed;
      return { path, className, location, wrapper, trainable, specs: withPruning(parsed, specs) };
    });
    const weights = source.bind(wanted).map((bound, i) => prunedWeights(wanted[i]!.specs, bound));
    return this.layers.map((layer) => ({
      name: layer.name,
      ...layer.typed,
      weights: weights[layer.weights]!,
      ...(Object.keys(layer.parsed.training).length === 0 ? {} : { training: layer.parsed.training }),
    }));
  }

  private addValue(value: Value): number {
    this.values.push(value);
    return this.values.length - 1;
  }

  /** Adds the nodes of one call of a model; answers the values of its outputs. */
  private callModel(model: Model, inputs: readonly number[]): number[] {
    return model.config.className === 'Sequential'
      ? this.callSequential(model, inputs)
      : this.callFunctional(model, inputs);
  }

  private callSequential({ config, parts }: Model, inputs: readonly number[]): number[] {
    let values = inputs;
    config.layers.forEach((layer, i) => {
      const part = parts.get(layer.name)!;
      if (part.type === 'input') {
        if (i !== 0) throw wrong(`${config.name}.layers[${i}]`, 'an InputLayer first only', layer.name);
        this.checkInputs(config.name, [part.value], values);
      } else if (part.type === 'mask') {
        throw wrong(`${config.name}.layers[${i}]`, 'a layer', part.operation);
      } else {
        values = this.callPart(part, values, new Map());
      }
    });
    return [...values];
  }

  private checkInputs(model: string, expected: readonly Value[], values: readonly number[]): void {
    if (values.length !== expected.length) {
      throw wrong(`model ${model}: inputs`, `${expected.length} inputs`, `${values.length} inputs`);
    }
    expected.forEach(({ shape }, i) => {
      const actual = this.values[values[i]!]!.shape;
      const fits =
        actual.length === shape.length &&
        shape.every((extent, axis) => extent === null || actual[axis] === null || extent === actual[axis]);
      if (!fits) throw wrong(`model ${model}: input ${i}`, `shape ${showShape(shape)}`, showShape(actual));
    });
  }

  private callFunctional(model: Model, inputs: readonly number[]): number[] {
    const { config, parts } = model;
    this.checkInputs(
      config.name,
      config.inputs.map((ref) => inputPart(model, ref.layer)),
      inputs,
    );
    // A model that is called often is ordered once.
    const calls = this.calls.get(config) ?? new Calls(config, this.origin);
    this.calls.set(config, calls);
    const results = new Map<string, number[]>();
    config.inputs.forEach((ref, i) => results.set(calls.key(ref), [inputs[i]!]));
    const ordered = this.orders.get(config) ?? calls.inOrder(results);
    this.orders.set(config, ordered);
    for (const { layer, call, key } of ordered) {
      const part = parts.get(layer.name)!;
      const what = `layer ${layer.name}: inbound_nodes`;
      if (part.type === 'input') throw wrong(what, 'none for an InputLayer', 'some');
      const values = call.inputs.map((ref) => calls.find(ref, results, what));
      const resolve = (value: unknown): unknown => {
        if (value instanceof TensorArgument) return new ValueArgument(calls.find(value.ref, results, what));
        return Array.isArray(value) ? value.map(resolve) : value;
      };
      const args = new Map(Object.entries(call.kwargs).map(([name, value]) => [name, resolve(value)]));
      if (part.type === 'mask') {
        const mask = inLayer(layer.name, layer.className, () =>
          this.masks.operation(part, values, call.constants),
        );
        results.set(key, [mask]);
        continue;
      }
      if (call.constants.length > 0) throw wrong(what, 'tensors', call.constants[0]);
      results.set(key, this.callPart(part, values, args));
    }
    const outputs = config.outputs.map((ref) => calls.find(ref, results, `${config.name}.output_layers`));
    if (outputs.some((value) => value < 0))
      throw wrong(`${config.name}.output_layers`, 'outputs of layers', 'NotEqual');
    return outputs;
  }

  private callPart(
    part: Exclude<Part, { type: 'input' | 'mask' }>,
    inputs: readonly number[],
    args: Map<string, unknown>,
  ): number[] {
    if (part.type === 'model') {
      const { name, className } = part.model.config;
      inLayer(name, className, () => refuseArguments(args));
      return this.callModel(part.model, inputs);
    }
    const { layer } = part;
    return inLayer(layer.path.join('/'), layer.className, () => this.callLayer(layer, inputs, args));
  }

  private callLayer(
    parsed: ParsedLayer,
    positional: readonly number[],
    args: Map<string, unknown>,
  ): number[] {
    const { tensorArguments = [] } = KERAS_CODECS[parsed.typed.kind];
    const inputs = [...positional];
    if (positional.some((value) => value < 0)) {
      throw unsupported('inbound_nodes', 'a tensor that NotEqual gives', 'use the masks that Masking makes');
    }
    for (const name of tensorArguments) {
      inputs.push(...tensors(name, args.get(name)));
      args.delete(name);
    }
    if (inputs.length === 0) throw wrong('inbound_nodes', 'one input or more', 'none');
    let layer: Typed = withArguments(parsed.typed, args);
    const masking = maskingOf(layer, this.origin);
    const masks = inputs.map((input) => this.masks.of(input));
    const given = tensors('mask', args.get('mask'));
    args.delete('mask');
    if (given.length > 0) masks[0] = given[0]!;
    refuseArguments(args);
    const takes = masking === 'take' || masking === 'take-and-pass';
    if (masking === 'refuse' && masks.some((mask) => mask !== undefined)) {
      throw unsupported('mask', 'a mask before this layer', 'move the layer before what makes the mask');
    }
    if (takes) {
      // A kind without a say takes the first input's mask; states and keys have none of their own.
      const used = tensorArguments.includes('value') ? masks.slice(0, 2) : masks.slice(0, 1);
      layer = withMasks(
        layer,
        used.map((mask) => mask !== undefined),
      );
      for (const mask of used) {
        if (mask === 'several') {
          throw unsupported('mask', 'masks that were merged', 'mask after merging the layers');
        }
        if (mask !== undefined) inputs.push(mask);
      }
    }
    const outputs = this.addNode(parsed, layer, inputs);
    if (masking === 'make') this.masks.make(inputs[0]!, outputs[1]!, layer);
    return this.masks.pass(masking, masks, outputs, layer);
  }

  private addNode(parsed: ParsedLayer, typed: Typed, inputs: readonly number[]): number[] {
    const values = inputs.map((input) => this.values[input]!);
    const specs = weightsOf(typed, values);
    const layer = this.layerOf(parsed, typed, specs, values);
    const outputs = outputsOf(typed, values).map((value) => checkValue(value, 'output'));
    if (this.nodes.length >= MAX_NODES) {
      throw new EspalierError('LIMIT_EXCEEDED', `the model has more than ${MAX_NODES} calls of layers`, {
        parameter: parsed.path.join('/'),
        expected: `at most ${MAX_NODES} calls`,
      });
    }
    const indices = outputs.map((value) => this.addValue(value));
    this.nodes.push({ layer, inputs, outputs: indices });
    return indices;
  }

  /** The layer with these settings: the same for every call that does not change them. */
  private layerOf(
    parsed: ParsedLayer,
    typed: Typed,
    specs: readonly WeightSpec[],
    values: readonly Value[],
  ): number {
    const key = JSON.stringify(typed.settings);
    const known = this.layerIndex.get(parsed) ?? new Map<string, number>();
    this.layerIndex.set(parsed, known);
    const first = [...known.values()][0];
    if (first !== undefined && !sameSpecs(this.stored[this.layers[first]!.weights]!.specs, specs)) {
      const shapes = values.map(({ shape }) => showShape(shape)).join(', ');
      throw wrong('inputs', 'shapes that need the same weights at each call', shapes);
    }
    const found = known.get(key);
    if (found !== undefined) return found;
    const name = parsed.path.join('/');
    if (first === undefined) this.stored.push({ parsed, specs });
    const weights = first === undefined ? this.stored.length - 1 : this.layers[first]!.weights;
    this.layers.push({
      name: first === undefined ? name : `${name}:${known.size}`,
      parsed,
      typed,
      weights,
    });
    known.set(key, this.layers.length - 1);
    return this.layers.length - 1;
  }
}

/** The tensors of an argument that may be one, a list, or null. */
function tensors(name: string, value: unknown): number[] {
  if (value === undefined || value === null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (!(item instanceof ValueArgument) || item.value < 0)
      throw unsupported(name, 'a constant', 'give a tensor of the model');
    return item.value;
  });
}

/** Arguments of a call that change nothing at inference; others are refused rather than left out. */
function refuseArguments(args: ReadonlyMap<string, unknown>): void {
  for (const [name, value] of args) {
    if (value === null || value === undefined || (name === 'training' && value === false)) continue;
    throw unsupported(name.slice(0, 60), 'this argument of the call', 'call the layer without it');
  }
}

function sameSpecs(a: readonly WeightSpec[], b: readonly WeightSpec[]): boolean {
  return (
    a.length === b.length &&
    a.every((spec, i) => spec.name === b[i]!.name && sameShape(spec.shape, b[i]!.shape))
  );
}
