/** Networks of flexible sizes, and the same for one shape of each input. */
import { EspalierError, invalid } from '../errors.js';
import { wrong } from './untrusted.js';
import { isKind, outputsOf, weightsOf } from './layers/registry.js';
import { checkValue, featuresOf, sameShape, showShape } from './shapes.js';
import type { Network, Value } from './types.js';

/** Numbers of one value of a sample at most: as many as the engine takes. */
const MAX_FEATURES = 2 ** 28;

/** Whether an extent of an input besides the batch is flexible. */
export function isFlexible({ inputs, values }: Network): boolean {
  return inputs.some(({ value }) => (values[value] as Value).shape.slice(1).includes(null));
}

/**
 * The network with every shape inferred anew from these of its inputs (without the batch, in the order of
 * `network.inputs`); layers and weights are shared with it.
 * @throws INVALID_INPUT for a shape that an input does not take, INVALID_MODEL where a layer does not take what it
 *   gets then, or would need other weights; both with the name.
 */
export function withInputShapes(network: Network, shapes: readonly (readonly number[])[]): Network {
  const values: (Value | undefined)[] = network.values.map(() => undefined);
  network.inputs.forEach(({ name, value }, i) => {
    const { shape, dtype } = network.values[value] as Value;
    const given = [null, ...(shapes[i] ?? [])];
    const fits =
      given.length === shape.length &&
      given.every((extent, axis) => axis === 0 || (shape[axis] ?? extent) === extent);
    if (!fits) throw invalid('INVALID_INPUT', name, `shape ${showShape(shape)}`, showShape(given));
    values[value] = limited(checkValue({ shape: given, dtype }, name), name);
  });
  for (const node of network.nodes) {
    const layer = network.layers[node.layer];
    if (layer === undefined || !isKind(layer.kind))
      throw new EspalierError('INTERNAL', 'a node without a layer');
    const inputs = node.inputs.map((value) => values[value] as Value);
    try {
      for (const spec of weightsOf(layer, inputs)) {
        const weight = layer.weights[spec.name];
        if (spec.unused !== true && (weight === undefined || !sameShape(weight.shape, spec.shape))) {
          throw wrong(
            spec.name,
            `weights of shape ${showShape(spec.shape)}`,
            weight && showShape(weight.shape),
          );
        }
      }
      const outputs = outputsOf(layer, inputs);
      node.outputs.forEach((value, i) => {
        values[value] = limited(checkValue(outputs[i] as Value, 'output'), 'output');
      });
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error; // of a file's settings: the caller tells
      const sizes = shapes.map(showShape).join(', ');
      throw new EspalierError(
        error.code,
        `layer ${layer.name} (${layer.kind}), for inputs of ${sizes}: ${error.message}`,
        { ...error.details, parameter: layer.name },
        error,
      );
    }
  }
  return { ...network, values: values as Value[] };
}

function limited(value: Value, what: string): Value {
  const features = featuresOf(value.shape);
  if (features !== null && features > MAX_FEATURES) {
    throw wrong(what, `at most ${MAX_FEATURES} numbers a sample`, showShape(value.shape));
  }
  return value;
}
