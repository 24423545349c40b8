/** Layers of a model config once their class is known: inputs, layers, models with layers inside. */
import { EspalierError } from '../../errors.js';
import { kindOfClass, readSettings } from '../../keras/codecs.js';
import { Config, type Origin } from '../../keras/config.js';
import { helpFor } from '../../keras/refused.js';
import { around, distributed, mayRepeat, type Typed } from '../../network/layers/registry.js';
import type { Value } from '../../network/types.js';
import { isRecord, own, unsupported, wrong } from '../../network/untrusted.js';
import { checkPolicy, inputValue } from './inputs.js';
import type { LayerConfig, ModelConfig } from './topology.js';
import { isModelClass, readLayerConfig, readModelConfig } from './topology.js';
import { trainingSettings } from './training.js';

/** A layer before its weights are known. */
export interface ParsedLayer {
  readonly path: readonly string[];
  readonly className: string;
  /** Its group in a .keras file. */
  readonly location: string;
  /** Its kind and settings, before any call changes them. */
  readonly typed: Typed;
  readonly trainable: boolean;
  /** Entries of its config that matter in training only. */
  readonly training: Readonly<Record<string, unknown>>;
  /** The name of tfmot's PruneLowMagnitude around it, or null. */
  readonly wrapper: string | null;
}

/** Operations with which Keras 3 writes out the masks that layers hand on. */
export type MaskOperation = 'NotEqual' | 'Any' | 'LogicalOr' | 'LogicalAnd';

const MASK_OPERATIONS: readonly string[] = [
  'NotEqual',
  'Any',
  'LogicalOr',
  'LogicalAnd',
] satisfies MaskOperation[];

export type Part =
  | { readonly type: 'input'; readonly value: Value }
  | { readonly type: 'layer'; readonly layer: ParsedLayer }
  | { readonly type: 'mask'; readonly operation: MaskOperation; readonly config: Record<string, unknown> }
  | { readonly type: 'model'; readonly model: Model };

export interface Model {
  readonly config: ModelConfig;
  readonly parts: ReadonlyMap<string, Part>;
}

interface Place {
  readonly path: readonly string[];
  readonly location: string;
  /** Inside TimeDistributed: layers act on each step. */
  readonly distributed: boolean;
  readonly wrapper: string | null;
  readonly trainable: boolean;
}

const MAX_NESTING = 200;

/** Adds the layer to the message of what `work` throws. */
export function inLayer<T>(name: string, className: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EspalierError) || error.details.layer !== undefined) throw error;
    const message = `layer ${name} (${className.slice(0, 60)}): ${error.message}`;
    throw new EspalierError(error.code, message, { ...error.details, layer: name }, error.cause);
  }
}

/** How Keras names the groups of a .keras file: the class name in snake case, numbered. */
function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Parses every layer of a model, nested ones too. */
export class Parser {
  constructor(private readonly origin: Origin) {}

  root(layer: LayerConfig): Model {
    if (!isModelClass(layer.className)) {
      throw unsupported(
        `model ${layer.name}`,
        `the model class ${layer.className.slice(0, 60)}`,
        'save it as a Sequential or functional model',
      );
    }
    return this.model(layer, { path: [], location: '', distributed: false, wrapper: null, trainable: true });
  }

  private model(layer: LayerConfig, place: Place): Model {
    if (place.path.length > MAX_NESTING) {
      throw new EspalierError('LIMIT_EXCEEDED', `models are nested deeper than ${MAX_NESTING} levels`, {
        parameter: place.path[0],
        expected: `at most ${MAX_NESTING} levels`,
      });
    }
    const config = readModelConfig(layer);
    const trainable = place.trainable && own(layer.config, 'trainable') !== false;
    const parts = new Map<string, Part>();
    const used = new Map<string, number>();
    for (const inner of config.layers) {
      if (parts.has(inner.name)) throw wrong(`${config.name}.layers`, 'unique layer names', inner.name);
      // Functional is the class that Keras writes and saves under; older files call it Model.
      const group = snakeCase(inner.className === 'Model' ? 'Functional' : inner.className);
      const count = used.get(group) ?? 0;
      used.set(group, count + 1);
      const location = `${place.location}layers/${group}${count === 0 ? '' : `_${count}`}/`;
      parts.set(
        inner.name,
        this.part(inner, { ...place, path: [...place.path, inner.name], location, trainable }),
      );
    }
    return { config, parts };
  }

  private part(layer: LayerConfig, place: Place): Part {
    const name = place.path.join('/');
    if (isModelClass(layer.className)) return { type: 'model', model: this.model(layer, place) };
    return inLayer(name, layer.className, (): Part => {
      if (layer.className === 'InputLayer') {
        const value = inputValue(layer.config);
        if (!place.distributed) return { type: 'input', value };
        return { type: 'input', value: { ...value, shape: [null, null, ...value.shape.slice(1)] } };
      }
      if (this.origin.keras === 3 && MASK_OPERATIONS.includes(layer.className)) {
        return { type: 'mask', operation: layer.className as MaskOperation, config: layer.config };
      }
      if (layer.className === 'TimeDistributed' && !place.distributed) {
        return this.part(wrapped(layer, false), {
          ...place,
          location: `${place.location}layer/`,
          distributed: true,
        });
      }
      if (layer.className === 'PruneLowMagnitude') {
        const inner = wrapped(layer, true);
        if (isModelClass(inner.className)) throw unsupported('layer', 'a pruned model', 'wrap its layers');
        const path = [...place.path.slice(0, -1), inner.name];
        return this.part(inner, { ...place, path, location: `${place.location}layer/`, wrapper: layer.name });
      }
      return { type: 'layer', layer: this.layer(layer, place) };
    });
  }

  private layer(layer: LayerConfig, place: Place): ParsedLayer {
    const kind = kindOfClass(layer.className);
    if (kind === undefined || kind === 'TimeDistributed') throw unknownClass(layer.className);
    checkPolicy(layer.config);
    const typed: Typed = readSettings(kind, new Config(layer.config, this.origin));
    const trainable = place.trainable && own(layer.config, 'trainable') !== false;
    const common = {
      path: place.path,
      className: layer.className,
      location: place.location,
      trainable,
      training: trainingSettings({ ...layer.config, trainable }),
      wrapper: place.wrapper,
    };
    if (!place.distributed || !mayRepeat(typed)) return { ...common, typed };
    const direct = distributed(typed);
    return { ...common, typed: direct ?? { kind: 'TimeDistributed', settings: around(typed) } };
  }
}

/** The layer inside a wrapper, under the wrapper's name unless it keeps its own. */
function wrapped(layer: LayerConfig, keepName: boolean): LayerConfig {
  const value = own(layer.config, 'layer');
  if (!isRecord(value)) throw wrong('layer', 'a serialised layer', value);
  const inner = readLayerConfig(value, 'layer');
  return keepName ? inner : { ...inner, name: layer.name };
}

function unknownClass(className: string): EspalierError {
  return unsupported('class_name', `the layer class ${className.slice(0, 60)}`, helpFor(className));
}
