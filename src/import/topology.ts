/**
 * Model configs as Keras 2, Keras 3 and tfjs-layers write them → one form. Only the structure is read here; the
 * layers' own settings are parsed by their kinds.
 */
import type { Origin } from '../keras/config.js';
import { isRecord, own, unsupported, wrong } from '../network/untrusted.js';

/** One tensor: output `tensor` of call `node` of a layer. */
export interface TensorRef {
  readonly layer: string;
  readonly node: number;
  readonly tensor: number;
}

/** One call of a layer in a functional model. */
export interface Call {
  readonly inputs: readonly TensorRef[];
  /** Numbers among the positional arguments (of the operations with which Keras 3 writes masks). */
  readonly constants: readonly number[];
  /** Further arguments; tensors among them are TensorRef wrapped in a TensorArgument. */
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/** A tensor that came as a keyword argument (MultiHeadAttention's value, an RNN's initial_state). */
export class TensorArgument {
  constructor(readonly ref: TensorRef) {}
}

export interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly calls: readonly Call[];
}

export interface ModelConfig {
  readonly className: 'Sequential' | 'Functional';
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly layers: readonly LayerConfig[];
  /** Empty for a Sequential. */
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

const SEQUENTIAL = ['Sequential'];
const FUNCTIONAL = ['Functional', 'Model'];

export function isModelClass(className: string): boolean {
  return SEQUENTIAL.includes(className) || FUNCTIONAL.includes(className);
}

/** Whose meaning a config has. `version` is keras_version: "2.18.0", "3.15.1", "tfjs-layers 4.22.0". */
export function originOf(version: unknown, backend: unknown, fallback: 2 | 3): Origin {
  const text = typeof version === 'string' ? version : '';
  const tfjs = text.startsWith('tfjs') || backend === 'tensor_flow.js';
  const major = /^(\d+)\./.exec(text)?.[1];
  const keras = tfjs ? 2 : major === undefined ? fallback : Number(major) >= 3 ? 3 : 2;
  return { keras, tfjs };
}

function nameOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 1024) {
    throw wrong(what, 'a name of 1 to 1024 characters', value);
  }
  return value;
}

/** A serialised layer or model: { class_name, config, name?, inbound_nodes? }. */
export function readLayerConfig(value: unknown, what: string): LayerConfig {
  if (!isRecord(value)) throw wrong(what, 'an object', value);
  const className = nameOf(own(value, 'class_name'), `${what}.class_name`);
  let config = own(value, 'config');
  // Old tfjs and Keras write a Sequential's config as the bare list of its layers.
  if (Array.isArray(config) && SEQUENTIAL.includes(className)) {
    config = { name: own(value, 'name') ?? className.toLowerCase(), layers: config as unknown[] };
  }
  if (!isRecord(config)) throw wrong(`${what}.config`, 'an object', config);
  const name = nameOf(own(config, 'name') ?? own(value, 'name'), `${what}.config.name`);
  const registered = own(value, 'registered_name');
  if (
    typeof registered === 'string' &&
    registered.includes('>') &&
    !/^(Keras|tfmot|TFMOT)/i.test(registered)
  ) {
    const shown = registered.slice(0, 80);
    throw unsupported(`layer ${name}`, `the custom class ${shown}`, 'replace it by layers that Keras has');
  }
  return { className, name, config, calls: readCalls(own(value, 'inbound_nodes'), name) };
}

/** A model's config (Sequential or Functional). */
export function readModelConfig(layer: LayerConfig): ModelConfig {
  const { className, name, config } = layer;
  const layers = own(config, 'layers');
  if (!Array.isArray(layers) || layers.length === 0)
    throw wrong(`${name}.layers`, 'a list of layers', layers);
  const read = layers.map((value, i) => readLayerConfig(value, `${name}.layers[${i}]`));
  if (SEQUENTIAL.includes(className)) {
    return { className: 'Sequential', name, config, layers: read, inputs: [], outputs: [] };
  }
  const inputs = readRefs(own(config, 'input_layers'), `${name}.input_layers`);
  const outputs = readRefs(own(config, 'output_layers'), `${name}.output_layers`);
  if (inputs.length === 0) throw wrong(`${name}.input_layers`, 'one input or more', 'none');
  if (outputs.length === 0) throw wrong(`${name}.output_layers`, 'one output or more', 'none');
  return { className: 'Functional', name, config, layers: read, inputs, outputs };
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** ["layer", 0, 0] or ["layer", 0, 0, {...}]. */
function asRef(value: unknown): TensorRef | null {
  if (!Array.isArray(value) || value.length < 3) return null;
  const [layer, node, tensor] = value as unknown[];
  return typeof layer === 'string' && isIndex(node) && isIndex(tensor) ? { layer, node, tensor } : null;
}

/** References in any nesting of lists and objects that Keras uses for model inputs and outputs. */
function readRefs(value: unknown, what: string): TensorRef[] {
  const ref = asRef(value);
  if (ref !== null) return [ref];
  if (Array.isArray(value)) return value.flatMap((item, i) => readRefs(item, `${what}[${i}]`));
  if (isRecord(value)) {
    return Object.keys(value).flatMap((key) => readRefs(own(value, key), `${what}.${key.slice(0, 60)}`));
  }
  throw wrong(what, '[layer, node, tensor]', value);
}

function readCalls(value: unknown, name: string): Call[] {
  if (value === undefined || value === null) return [];
  const what = `layer ${name}: inbound_nodes`;
  if (!Array.isArray(value)) throw wrong(what, 'a list of calls', value);
  return value.map((call: unknown, i) => {
    const where = `${what}[${i}]`;
    return isRecord(call) && Object.hasOwn(call, 'args') ? keras3Call(call, where) : keras2Call(call, where);
  });
}

/** [[layer, node, tensor, kwargs], ...]; or one such list bare. */
function keras2Call(value: unknown, what: string): Call {
  if (!Array.isArray(value)) throw wrong(what, 'a list of [layer, node, tensor]', value);
  const items = asRef(value) === null ? (value as unknown[]) : [value];
  const kwargs: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const inputs = items.map((item, i) => {
    const ref = asRef(item);
    if (ref === null) throw wrong(`${what}[${i}]`, '[layer, node, tensor]', item);
    const more = (item as unknown[])[3];
    if (isRecord(more)) {
      for (const key of Object.keys(more)) kwargs[key] = keras2Argument(own(more, key));
    }
    return ref;
  });
  return { inputs, constants: [], kwargs };
}

function keras2Argument(value: unknown): unknown {
  const ref = asRef(value);
  if (ref !== null) return new TensorArgument(ref);
  return Array.isArray(value) ? value.map(keras2Argument) : value;
}

/** { args: [tensor | [tensors]], kwargs }. */
function keras3Call(call: Record<string, unknown>, what: string): Call {
  const args = own(call, 'args');
  const given = own(call, 'kwargs') ?? {};
  if (!Array.isArray(args)) throw wrong(`${what}.args`, 'a list', args);
  if (!isRecord(given)) throw wrong(`${what}.kwargs`, 'an object', given);
  const inputs: TensorRef[] = [];
  const constants: number[] = [];
  const collect = (value: unknown): void => {
    const ref = keras3Ref(value);
    if (ref !== null) inputs.push(ref);
    else if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value === 'number') constants.push(value);
    else if (value !== null) throw wrong(`${what}.args`, 'tensors', value);
  };
  args.forEach(collect);
  const kwargs: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(given)) kwargs[key] = keras3Argument(own(given, key));
  return { inputs, constants, kwargs };
}

function keras3Ref(value: unknown): TensorRef | null {
  if (!isRecord(value) || own(value, 'class_name') !== '__keras_tensor__') return null;
  const config = own(value, 'config');
  return isRecord(config) ? asRef(own(config, 'keras_history')) : null;
}

function keras3Argument(value: unknown): unknown {
  const ref = keras3Ref(value);
  if (ref !== null) return new TensorArgument(ref);
  return Array.isArray(value) ? value.map(keras3Argument) : value;
}
