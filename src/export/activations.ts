/** The names under which libraries know activations. */
import type { Activation } from '../network/activations.js';
import type { Dialect } from './rewrite.js';

const BOTH = ['linear', 'selu', 'sigmoid', 'tanh', 'softplus', 'softsign', 'gelu', 'swish', 'mish'];
const NAMES: Readonly<Record<Dialect, readonly string[]>> = { tfjs: BOTH, keras: [...BOTH, 'exponential'] };

/**
 * The name that stands for the activation with just these parameters, or null. `inner`: inside a recurrent layer, where
 * no layer can take its place, so that hard_sigmoid of Keras 2 keeps its name.
 */
export function activationName(activation: Activation, dialect: Dialect, inner = false): string | null {
  const { kind } = activation;
  switch (kind) {
    case 'relu': {
      const { negativeSlope, maxValue, threshold } = activation;
      if (negativeSlope !== 0 || threshold !== 0) return null;
      // Keras 2 has relu6 as a layer only.
      return maxValue === null ? 'relu' : maxValue === 6 && dialect === 'tfjs' && !inner ? 'relu6' : null;
    }
    case 'elu':
      return activation.alpha === 1 ? 'elu' : null;
    case 'hard_sigmoid': {
      const named = activation.alpha === 0.2 && activation.beta === 0.5 && (inner || dialect === 'tfjs');
      return named ? 'hard_sigmoid' : null;
    }
    case 'softmax':
      return activation.axis === -1 && !inner ? 'softmax' : null;
    default:
      return NAMES[dialect].includes(kind) ? kind : null;
  }
}
