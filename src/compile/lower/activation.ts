/** Activations: layers of their own, and the `activation` setting of others. */
import type { Activation as NetworkActivation } from '../../network/activations.js';
import type { ActivationSettings } from '../../network/layers/activation.js';
import { resolveAxis } from '../../network/shapes.js';
import type { Activation } from '../../program/program.js';
import { inverse, permuted } from './arrange.js';
import { featuresOf, unsupported, type Lowering, type LoweringContext } from './lowering.js';

/** The least float32 number above a non-negative one. */
function above(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  return new Float32Array(Uint32Array.of((bits[0] as number) + 1).buffer)[0] as number;
}

const plain = (kind: Activation['kind'], alpha = 0, beta = 0): Activation => ({
  kind,
  alpha: Math.fround(alpha),
  beta: Math.fround(beta),
});

function relu({ negativeSlope, maxValue, threshold }: Extract<NetworkActivation, { kind: 'relu' }>) {
  if (threshold !== 0) {
    const cut = plain('threshold', threshold, negativeSlope);
    return maxValue === null ? [cut] : [cut, plain('clipped_leaky_relu', 1, maxValue)];
  }
  if (maxValue === null) return [negativeSlope === 0 ? plain('relu') : plain('leaky_relu', negativeSlope)];
  if (negativeSlope !== 0) return [plain('clipped_leaky_relu', negativeSlope, maxValue)];
  return [maxValue === 6 ? plain('relu6') : plain('clip', 0, maxValue)];
}

/** The engine's elementwise activations that compute the same function one after the other, or null. */
export function toEngine(activation: NetworkActivation): readonly Activation[] | null {
  switch (activation.kind) {
    case 'linear':
      return [];
    case 'relu':
      return relu(activation);
    case 'thresholded_relu':
      return [plain('threshold', above(Math.fround(activation.theta)), 0)];
    case 'elu':
      return [plain('elu', activation.alpha)];
    case 'celu':
      return activation.alpha === 1 ? [plain('elu', 1)] : null;
    case 'hard_sigmoid':
      return [plain('hard_sigmoid', activation.alpha, activation.beta)];
    case 'hard_tanh':
      return [plain('clip', -1, 1)];
    case 'hard_shrink':
    case 'soft_shrink':
      return [plain(activation.kind, activation.lambda)];
    case 'softmax':
    case 'log_softmax':
      return null;
    default:
      return [plain(activation.kind)];
  }
}

/** Applies an activation to a value of this shape (batch first); returns the value that holds the result. */
export function lowerActivation(
  context: LoweringContext,
  activation: NetworkActivation,
  input: number,
  shape: readonly number[],
): number {
  const features = featuresOf(shape);
  if (activation.kind === 'softmax' || activation.kind === 'log_softmax') {
    const axis = resolveAxis(activation.axis, shape.length);
    const order = [...[...shape.keys()].filter((other) => other !== axis), axis];
    const moved = permuted(context, input, shape, order);
    const group = shape[axis] as number;
    const value = context.add({ op: activation.kind, input: moved, group }, features);
    const there = order.map((at) => shape[at] as number);
    return permuted(context, value, there, inverse(order));
  }
  const chain = toEngine(activation);
  if (chain === null) {
    // Keras names celu only with alpha 1.
    throw unsupported(context.layer, `the activation ${activation.kind}`, 'use elu');
  }
  return chain.reduce(
    (value, one) => context.add({ op: 'activate', input: value, activation: one }, features),
    input,
  );
}

const activation: Lowering<ActivationSettings> = (context, { activation }) => {
  return lowerActivation(context, activation, context.inputs[0] as number, context.inputShapes[0] ?? []);
};

export const activationLowerings = {
  Activation: activation,
  ReLU: activation,
  LeakyReLU: activation,
  ELU: activation,
  ThresholdedReLU: activation,
  Softmax: activation,
};
