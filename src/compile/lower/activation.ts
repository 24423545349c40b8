/** Activations: layers of their own, and the `activation` setting of others. */
import type { Activation as NetworkActivation } from '../../network/activations.js';
import type { ActivationSettings } from '../../network/layers/activation.js';
import { resolveAxis } from '../../network/shapes.js';
import type { Activation } from '../program.js';
import { featuresOf, unsupported, type Lowering, type LoweringContext } from './lowering.js';

/** The engine's elementwise activation that computes the same function, or null. */
export function toEngine(activation: NetworkActivation): Activation | null {
  const plain = { alpha: 0, beta: 0 };
  switch (activation.kind) {
    case 'linear':
    case 'selu':
    case 'sigmoid':
    case 'tanh':
    case 'softplus':
    case 'softsign':
    case 'gelu':
    case 'gelu_tanh':
    case 'swish':
    case 'exponential':
      return { kind: activation.kind, ...plain };
    case 'relu': {
      const { negativeSlope, maxValue, threshold } = activation;
      if (threshold !== 0) return null;
      if (maxValue === null) {
        return negativeSlope === 0
          ? { kind: 'relu', ...plain }
          : { kind: 'leaky_relu', alpha: Math.fround(negativeSlope), beta: 0 };
      }
      return negativeSlope === 0 && maxValue === 6 ? { kind: 'relu6', ...plain } : null;
    }
    case 'elu':
      return { kind: 'elu', alpha: Math.fround(activation.alpha), beta: 0 };
    case 'hard_sigmoid':
      return {
        kind: 'hard_sigmoid',
        alpha: Math.fround(activation.alpha),
        beta: Math.fround(activation.beta),
      };
    default:
      return null;
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
  if (activation.kind === 'softmax') {
    const axis = resolveAxis(activation.axis, shape.length);
    const after = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
    if (after !== 1) {
      throw unsupported(
        context.layer,
        `softmax over axis ${activation.axis} of ${shape.length}`,
        'use the last axis',
      );
    }
    return context.add({ op: 'softmax', input, group: shape[axis] as number }, features);
  }
  const elementwise = toEngine(activation);
  if (elementwise === null) {
    const settings = Object.entries(activation).slice(1);
    const what = settings.map(([key, value]) => `${key} ${String(value)}`).join(', ');
    throw unsupported(
      context.layer,
      `the activation ${activation.kind}${what === '' ? '' : ` with ${what}`}`,
      'use relu, relu6, leaky_relu, elu, selu, sigmoid, hard_sigmoid, tanh, softplus, softsign, softmax, gelu or swish',
    );
  }
  return elementwise.kind === 'linear'
    ? input
    : context.add({ op: 'activate', input, activation: elementwise }, features);
}

export const activation: Lowering = (context) => {
  const { activation } = context.layer.settings as ActivationSettings;
  return lowerActivation(context, activation, context.inputs[0] as number, context.inputShapes[0] ?? []);
};
