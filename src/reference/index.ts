/** The plain executor of a Network: the oracle of everything that computes faster. Slow and obvious. */
import { invalid } from '../errors.js';
import type { Arr } from '../network/layers/kind.js';
import { runLayer } from '../network/layers/registry.js';
import { showShape, sizeOf } from '../network/shapes.js';
import type { Network, Shape } from '../network/types.js';

export type { Arr } from '../network/layers/kind.js';

function fits(actual: readonly number[], shape: Shape): boolean {
  return (
    actual.length === shape.length && shape.every((extent, i) => extent === null || extent === actual[i])
  );
}

/**
 * Computes the outputs of a network, in the order of `network.outputs`.
 * @param inputs in the order of `network.inputs`: row-major float32 (integers too), the batch first.
 * @throws INVALID_INPUT where the number, a shape or a length is wrong.
 */
export function runReference(network: Network, inputs: readonly Arr[]): Arr[] {
  if (inputs.length !== network.inputs.length) {
    throw invalid('INVALID_INPUT', 'inputs', `${network.inputs.length} arrays`, `${inputs.length} arrays`);
  }
  const values: (Arr | undefined)[] = network.values.map(() => undefined);
  network.inputs.forEach((port, i) => {
    const input = inputs[i]!;
    const { shape } = network.values[port.value]!;
    if (!fits(input.shape, shape) || sizeOf(input.shape) !== input.data.length) {
      const received = `${showShape(input.shape)} with ${input.data.length} numbers`;
      throw invalid('INVALID_INPUT', port.name, `shape ${showShape(shape)}`, received);
    }
    values[port.value] = input;
  });
  for (const node of network.nodes) {
    const layer = network.layers[node.layer]!;
    const outputs = runLayer(
      layer,
      layer.weights,
      node.inputs.map((value) => values[value]!),
    );
    node.outputs.forEach((value, i) => {
      values[value] = outputs[i];
    });
  }
  return network.outputs.map((port) => values[port.value]!);
}
