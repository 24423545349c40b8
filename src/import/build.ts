/** Model config + weights → Network: calls of layers in an order in which they can be computed. */
import { EspalierError } from '../errors.js';
import type { Origin } from '../network/config.js';
import { Config, isRecord, own, unsupported, wrong } from '../network/config.js';
import type { LayerKind, WeightSpec } from '../network/layers/kind.js';
import { layerKind } from '../network/layers/registry.js';
import { checkValue, sameShape, showShape } from '../network/shapes.js';
import type { DType, Layer, Network, Node, Port, Shape, Tensor, Value } from '../network/types.js';
import type { LayerConfig, ModelConfig, TensorRef } from './topology.js';
import { TensorArgument, isModelClass, readModelConfig } from './topology.js';

/** What a weight source is told of a layer. */
export interface WantedLayer {
  /** Names from the outermost nested model to the layer itself. */
  readonly path: readonly string[];
  /** Class names of the siblings before it and its own, for each level of the path (how .keras names groups). */
  readonly siblings: readonly (readonly string[])[];
  readonly className: string;
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

const MAX_NESTING = 200;
/** Calls in all: models nested in each other and called twice at each level grow as 2^depth. */
const MAX_NODES = 100_000;

interface BuiltLayer {
  readonly name: string;
  readonly kind: LayerKind<unknown>;
  readonly settings: unknown;
  readonly wanted: Omit<WantedLayer, 'specs'>;
  specs: readonly WeightSpec[] | null;
}

/** A layer of a model config once its class is known: a layer of its own, or a model with layers inside. */
type Part =
  | { readonly type: 'input'; readonly value: Value }
  | { readonly type: 'layer'; readonly index: number }
  | { readonly type: 'model'; readonly model: Model };

interface Model {
  readonly config: ModelConfig;
  readonly path: readonly string[];
  readonly parts: ReadonlyMap<string, Part>;
}

/**
 * Builds the network of a model config.
 * @throws INVALID_MODEL, UNSUPPORTED_LAYER, LIMIT_EXCEEDED: the message names the layer.
 */
export function buildNetwork(root: LayerConfig, origin: Origin, source: WeightSource): Network {
  if (!isModelClass(root.className)) {
    throw unsupported(
      `model ${root.name}`,
      `the model class ${root.className.slice(0, 60)}`,
      'save it as a Sequential or functional model',
    );
  }
  return new Builder(origin).build(root, source);
}

class Builder {
  private readonly layers: BuiltLayer[] = [];
  private readonly values: Value[] = [];
  private readonly nodes: Node[] = [];

  constructor(private readonly origin: Origin) {}

  build(root: LayerConfig, source: WeightSource): Network {
    const model = this.prepare(readModelConfig(root), [], []);
    const inputs = this.modelInputs(model);
    const values = inputs.map(({ value }) => this.addValue(value));
    const outputs = this.callModel(model, values);
    const wanted = this.layers.map((layer) => ({ ...layer.wanted, specs: layer.specs ?? [] }));
    const weights = source.bind(wanted);
    const layers: Layer[] = this.layers.map((layer, i) => ({
      name: layer.name,
      kind: layer.kind.names[0],
      settings: layer.settings,
      weights: weights[i]!,
    }));
    return {
      name: model.config.name,
      layers,
      values: this.values,
      nodes: this.nodes,
      inputs: uniquePorts(inputs.map(({ name }, i) => ({ name, value: values[i]! }))),
      outputs: uniquePorts(outputs.map((value, i) => ({ name: this.outputName(model, i), value }))),
    };
  }

  private outputName(model: Model, i: number): string {
    const { outputs, layers } = model.config;
    return outputs[i]?.layer ?? layers[layers.length - 1]!.name;
  }

  private addValue(value: Value): number {
    this.values.push(value);
    return this.values.length - 1;
  }

  /** Parses every layer of a model, nested ones too. */
  private prepare(
    config: ModelConfig,
    path: readonly string[],
    siblings: readonly (readonly string[])[],
  ): Model {
    if (path.length > MAX_NESTING) {
      throw new EspalierError('LIMIT_EXCEEDED', `models are nested deeper than ${MAX_NESTING} levels`, {
        parameter: path[0] ?? config.name,
        expected: `at most ${MAX_NESTING} levels`,
      });
    }
    const parts = new Map<string, Part>();
    const classes: string[] = [];
    for (const layer of config.layers) {
      classes.push(layer.className);
      if (parts.has(layer.name)) throw wrong(`${config.name}.layers`, 'unique layer names', layer.name);
      const at = [...path, layer.name];
      parts.set(layer.name, this.part(layer, at, [...siblings, [...classes]]));
    }
    return { config, path, parts };
  }

  private part(layer: LayerConfig, path: readonly string[], siblings: readonly (readonly string[])[]): Part {
    if (isModelClass(layer.className)) {
      return { type: 'model', model: this.prepare(readModelConfig(layer), path, siblings) };
    }
    if (layer.className === 'InputLayer') {
      return { type: 'input', value: inLayer(layer, () => inputValue(layer.config)) };
    }
    const kind = layerKind(layer.className);
    if (kind === undefined) {
      throw unsupported(
        `layer ${path.join('/')}`,
        `the layer class ${layer.className.slice(0, 60)}`,
        'replace it by layers listed in docs/layers.md',
      );
    }
    const settings = inLayer(layer, () => kind.parse(new Config(layer.config, this.origin)));
    const trainable = own(layer.config, 'trainable') !== false;
    const wanted = { path, siblings, className: layer.className, trainable };
    this.layers.push({ name: path.join('/'), kind, settings, wanted, specs: null });
    return { type: 'layer', index: this.layers.length - 1 };
  }

  /** The inputs of the outermost model. */
  private modelInputs(model: Model): { name: string; value: Value }[] {
    const { config, parts } = model;
    if (config.className === 'Sequential') return [sequentialInput(model)];
    return config.inputs.map((ref) => {
      const part = parts.get(ref.layer);
      if (part?.type !== 'input') throw wrong(`${config.name}.input_layers`, 'an InputLayer', ref.layer);
      return { name: ref.layer, value: part.value };
    });
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
      } else {
        values = this.callPart(part, layer, values, {});
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

  private callPart(
    part: Exclude<Part, { type: 'input' }>,
    layer: LayerConfig,
    inputs: readonly number[],
    kwargs: Readonly<Record<string, unknown>>,
  ): number[] {
    if (part.type === 'model') return this.callModel(part.model, inputs);
    const built = this.layers[part.index]!;
    return inLayer({ ...layer, name: built.name }, () => {
      checkKwargs(kwargs);
      const values = inputs.map((input) => this.values[input]!);
      const specs = built.kind.weights?.(built.settings, values) ?? [];
      if (built.specs !== null && !sameSpecs(built.specs, specs)) {
        throw wrong(
          'inputs',
          'shapes that need the same weights at each call',
          values.map((v) => showShape(v.shape)),
        );
      }
      built.specs = specs;
      const outputs = built.kind.outputs(built.settings, values).map((value) => checkValue(value, 'output'));
      if (this.nodes.length >= MAX_NODES) {
        throw new EspalierError('LIMIT_EXCEEDED', `the model has more than ${MAX_NODES} calls of layers`, {
          parameter: built.name,
          expected: `at most ${MAX_NODES} calls`,
        });
      }
      const indices = outputs.map((value) => this.addValue(value));
      this.nodes.push({ layer: part.index, inputs, outputs: indices });
      return indices;
    });
  }

  private callFunctional(model: Model, inputs: readonly number[]): number[] {
    const { config, parts } = model;
    const expected = config.inputs.map((ref) => {
      const part = parts.get(ref.layer);
      if (part?.type !== 'input') throw wrong(`${config.name}.input_layers`, 'an InputLayer', ref.layer);
      return part.value;
    });
    this.checkInputs(config.name, expected, inputs);
    const calls = new Calls(config, this.origin);
    const results = new Map<string, number[]>();
    config.inputs.forEach((ref, i) => results.set(calls.key(ref), [inputs[i]!]));
    for (const { layer, call, key } of calls.inOrder(results)) {
      const part = parts.get(layer.name)!;
      if (part.type === 'input') throw wrong(`layer ${layer.name}`, 'an InputLayer without inputs', 'inputs');
      const values = call.inputs.map((ref) => calls.find(ref, results, `layer ${layer.name}`));
      if (values.length === 0) throw wrong(`layer ${layer.name}: inbound_nodes`, 'one input or more', 'none');
      results.set(key, this.callPart(part, layer, values, call.kwargs));
    }
    return config.outputs.map((ref) => calls.find(ref, results, `${config.name}.output_layers`));
  }
}

/** The calls of a functional model and how references find them. */
class Calls {
  private readonly byName: Map<string, LayerConfig>;
  /** What is subtracted from a reference's node index: nested models count their own graph as call 0. */
  private readonly offsets = new Map<string, number>();

  constructor(
    private readonly config: ModelConfig,
    private readonly origin: Origin,
  ) {
    this.byName = new Map(config.layers.map((layer) => [layer.name, layer]));
    const seen = new Map<string, Set<number>>();
    const note = (ref: TensorRef): void => {
      if (!seen.has(ref.layer)) seen.set(ref.layer, new Set());
      seen.get(ref.layer)!.add(ref.node);
    };
    config.layers.forEach((layer) => layer.calls.forEach((call) => call.inputs.forEach(note)));
    config.outputs.forEach(note);
    for (const layer of config.layers) {
      if (isModelClass(layer.className))
        this.offsets.set(layer.name, this.offset(layer, seen.get(layer.name)));
    }
  }

  /** Where references leave a choice the rule of the library that wrote the file decides. */
  private offset(layer: LayerConfig, seen: ReadonlySet<number> = new Set()): number {
    if (seen.has(0)) return 0;
    if (seen.has(layer.calls.length)) return 1;
    return this.origin.keras === 3 && layer.className === 'Sequential' ? 0 : 1;
  }

  key(ref: TensorRef): string {
    return `${ref.node - (this.offsets.get(ref.layer) ?? 0)}:${ref.layer}`;
  }

  find(ref: TensorRef, results: ReadonlyMap<string, number[]>, what: string): number {
    const value = results.get(this.key(ref))?.[ref.tensor];
    if (value === undefined) throw wrong(what, 'a tensor that a layer of the model gives', showRef(ref));
    return value;
  }

  /** Every call, each after those that it needs. @throws INVALID_MODEL for cycles and references to nothing. */
  inOrder(
    given: ReadonlyMap<string, unknown>,
  ): { layer: LayerConfig; call: LayerConfig['calls'][number]; key: string }[] {
    const all = this.config.layers.flatMap((layer) =>
      layer.calls.map((call, i) => ({ layer, call, key: `${i}:${layer.name}` })),
    );
    const byKey = new Map(all.map((entry) => [entry.key, entry]));
    const waiting = new Map<string, number>();
    const users = new Map<string, string[]>();
    for (const { layer, call, key } of all) {
      const needs = new Set(call.inputs.map((ref) => this.key(ref)).filter((needed) => !given.has(needed)));
      for (const ref of call.inputs) {
        if (!this.byName.has(ref.layer) || !(given.has(this.key(ref)) || byKey.has(this.key(ref)))) {
          throw wrong(`layer ${layer.name}: inbound_nodes`, 'calls of layers of the model', showRef(ref));
        }
      }
      waiting.set(key, needs.size);
      for (const needed of needs) {
        if (!users.has(needed)) users.set(needed, []);
        users.get(needed)!.push(key);
      }
    }
    const ready = all.filter(({ key }) => waiting.get(key) === 0);
    for (let i = 0; i < ready.length; i++) {
      for (const user of users.get(ready[i]!.key) ?? []) {
        const left = waiting.get(user)! - 1;
        waiting.set(user, left);
        if (left === 0) ready.push(byKey.get(user)!);
      }
    }
    if (ready.length < all.length) {
      const stuck = all.find(({ key }) => waiting.get(key)! > 0)!;
      throw wrong(`layer ${stuck.layer.name}: inbound_nodes`, 'a graph without cycles', 'a cycle');
    }
    return ready;
  }
}

function showRef(ref: TensorRef): string {
  return `[${ref.layer.slice(0, 60)}, ${ref.node}, ${ref.tensor}]`;
}

/** Adds the layer to the message of what `work` throws. */
export function inLayer<T>(layer: Pick<LayerConfig, 'name' | 'className'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    const message = `layer ${layer.name} (${layer.className}): ${error.message}`;
    throw new EspalierError(error.code, message, { ...error.details, layer: layer.name }, error.cause);
  }
}

function sameSpecs(a: readonly WeightSpec[], b: readonly WeightSpec[]): boolean {
  return (
    a.length === b.length &&
    a.every((spec, i) => spec.name === b[i]!.name && sameShape(spec.shape, b[i]!.shape))
  );
}

/** Arguments of a call that change nothing at inference; others are refused rather than left out. */
function checkKwargs(kwargs: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(kwargs)) {
    const value = kwargs[key];
    const harmless = value === null || value === undefined || key === 'training';
    if (!harmless || value instanceof TensorArgument) {
      throw unsupported(key, 'this argument of the call', 'call the layer without it');
    }
    if (key === 'training' && value === true) {
      throw unsupported(key, 'training=True at inference', 'call the layer without it');
    }
  }
}

const DTYPES: Readonly<Record<string, DType>> = {
  float16: 'float32',
  bfloat16: 'float32',
  float32: 'float32',
  float64: 'float32',
  int8: 'int32',
  uint8: 'int32',
  int16: 'int32',
  uint16: 'int32',
  int32: 'int32',
  int64: 'int32',
  uint32: 'int32',
  bool: 'bool',
};

/** The shape with the batch that a config tells, or undefined. */
function shapeIn(config: Record<string, unknown>): Shape | undefined {
  const raw =
    own(config, 'batch_shape') ??
    own(config, 'batch_input_shape') ??
    own(config, 'build_input_shape') ??
    undefined;
  if (raw === undefined) return undefined;
  if (!Array.isArray(raw) || raw.length < 1 || raw.length > 8) throw wrong('batch_shape', 'a shape', raw);
  const valid = raw.every((extent: unknown) => extent === null || Number.isSafeInteger(extent));
  if (!valid) throw wrong('batch_shape', 'a list of positive integers and null', raw);
  // The batch is flexible here even where a model was built for one size.
  const shape: Shape = [null, ...(raw.slice(1) as (number | null)[])];
  return checkValue({ shape, dtype: 'float32' }, 'batch_shape').shape;
}

function inputValue(config: Record<string, unknown>): Value {
  const shape = shapeIn(config);
  if (shape === undefined) throw wrong('batch_shape', 'the shape of the input', undefined);
  if (own(config, 'sparse') === true || own(config, 'ragged') === true) {
    throw unsupported('sparse or ragged', 'such an input', 'use a dense tensor');
  }
  let dtype: unknown = own(config, 'dtype') ?? 'float32';
  if (isRecord(dtype)) {
    const policy = own(dtype, 'config');
    dtype = isRecord(policy) ? own(policy, 'name') : undefined;
  }
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) {
    throw wrong('dtype', `one of ${Object.keys(DTYPES).join(', ')}`, dtype);
  }
  return { shape, dtype: DTYPES[dtype]! };
}

/** A Sequential tells its input by an InputLayer, by its first layer's config, or by its own. */
function sequentialInput(model: Model): { name: string; value: Value } {
  const first = model.config.layers[0]!;
  const part = model.parts.get(first.name)!;
  if (part.type === 'input') return { name: first.name, value: part.value };
  if (part.type === 'model' && part.model.config.className === 'Sequential')
    return sequentialInput(part.model);
  if (part.type === 'model') {
    const ref = part.model.config.inputs[0]!;
    const input = part.model.parts.get(ref.layer);
    if (part.model.config.inputs.length === 1 && input?.type === 'input') {
      return { name: ref.layer, value: input.value };
    }
  }
  return inLayer(first, () => {
    const shape = shapeIn(first.config) ?? shapeIn(model.config.config);
    if (shape === undefined) {
      throw unsupported('batch_input_shape', 'a model of unknown input shape', 'build it before saving');
    }
    const dtype: DType = first.className === 'Embedding' ? 'int32' : 'float32';
    return { name: `${first.name}_input`, value: { shape, dtype } };
  });
}

/** Keras numbers the second and further ports of the same layer. */
function uniquePorts(ports: readonly Port[]): Port[] {
  const used = new Set<string>();
  return ports.map(({ name, value }) => {
    let unique = name;
    for (let i = 1; used.has(unique); i++) unique = `${name}_${i}`;
    used.add(unique);
    return { name: unique, value };
  });
}
