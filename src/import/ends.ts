/** The inputs and outputs of whole models. */
import { unsupported, wrong } from '../network/untrusted.js';
import type { DType, Port, Value } from '../network/types.js';
import { shapeIn } from './inputs.js';
import type { Model, ParsedLayer } from './parts.js';
import { inLayer } from './parts.js';

/** Visits the layers of a model that may never have been called. */
export function uncalled(model: Model, visit: (layer: ParsedLayer) => void): void {
  for (const part of model.parts.values()) {
    if (part.type === 'layer') visit(part.layer);
    if (part.type === 'model') uncalled(part.model, visit);
  }
}

export function inputPart(model: Model, name: string): Value {
  const part = model.parts.get(name);
  if (part?.type !== 'input') throw wrong(`${model.config.name}.input_layers`, 'an InputLayer', name);
  return part.value;
}

/** The inputs of the outermost model. */
export function modelInputs(model: Model): { name: string; value: Value }[] {
  const { config } = model;
  if (config.className === 'Sequential') return [sequentialInput(model)];
  return config.inputs.map((ref) => ({ name: ref.layer, value: inputPart(model, ref.layer) }));
}

/** A Sequential tells its input by an InputLayer, by its first layer's config, or by its own. */
function sequentialInput(model: Model): { name: string; value: Value } {
  const first = model.config.layers[0]!;
  const part = model.parts.get(first.name)!;
  if (part.type === 'input') return { name: first.name, value: part.value };
  if (part.type === 'model') {
    const inner = modelInputs(part.model);
    if (inner.length !== 1)
      throw wrong(`${model.config.name}.layers[0]`, 'a model with one input', inner.length);
    return inner[0]!;
  }
  return inLayer(first.name, first.className, () => {
    const shape = shapeIn(first.config) ?? shapeIn(model.config.config);
    if (shape === undefined) {
      throw unsupported(
        'batch_input_shape',
        'a model of unknown input shape',
        'build the model before saving it',
      );
    }
    const dtype: DType = first.className === 'Embedding' ? 'int32' : 'float32';
    return { name: `${first.name}_input`, value: { shape, dtype } };
  });
}

/** Keras names an output after its layer; a stripped layer has the name that it had before it was wrapped. */
export function outputName(model: Model, i: number): string {
  const { outputs, layers } = model.config;
  const name = outputs[i]?.layer ?? layers[layers.length - 1]!.name;
  const part = model.parts.get(name);
  return part?.type === 'layer' ? part.layer.path[part.layer.path.length - 1]! : name;
}

/** Keras numbers the second and further ports of the same layer. */
export function uniquePorts(ports: readonly Port[]): Port[] {
  const used = new Set<string>();
  return ports.map(({ name, value }) => {
    let unique = name;
    for (let i = 1; used.has(unique); i++) unique = `${name}_${i}`;
    used.add(unique);
    return { name: unique, value };
  });
}
