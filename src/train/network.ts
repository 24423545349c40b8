/** The network that `train` makes: Dense layers with seeded starting weights. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { invalid } from '../errors.js';
import { statelessUniform } from './kernels.js';
import { hashText, mix } from '../random.js';
import type { TensorFlow } from '../tensorflow/load.js';

export interface NetworkSettings {
  /** Inputs a sample. */
  inputs: number;
  /** Units of the hidden layers; none: linear regression. */
  hidden: readonly number[];
  activation: string;
  /** Share of each hidden layer's outputs that are zeroed in training; 0: no Dropout layers. */
  dropout: number;
  seed: number;
}

const ACTIVATIONS = ['relu', 'elu', 'selu', 'tanh', 'sigmoid', 'softplus', 'swish', 'linear'] as const;

/** "512,512,256" → [512, 512, 256]. Throws INVALID_ARGUMENT. */
export function parseNetwork(text: string): number[] {
  const hidden = text.trim() === '' ? [] : text.split(',').map(Number);
  if (hidden.some((units) => !Number.isInteger(units) || units < 1 || units > 65_536) || hidden.length > 64) {
    throw invalid(
      'INVALID_ARGUMENT',
      'network',
      'units of at most 64 hidden layers, as in 512,512,256',
      text,
    );
  }
  return hidden;
}

/** The step that dropout draws for: set it before each step. */
export interface DropoutClock {
  step: number;
}

/**
 * Lets a model's Dropout layers draw by (seed, step) alone, so that the same seed gives the same run and a resumed run
 * equals an unbroken one; tfjs draws by Math.random.
 */
export function seedDropout(tensorflow: TensorFlow, model: LayersModel, seed: number): DropoutClock {
  const { tf } = tensorflow;
  const clock: DropoutClock = { step: 0 };
  for (const layer of model.layers) {
    const { rate, noiseShape } = layer.getConfig() as { rate?: number; noiseShape?: unknown };
    if (layer.getClassName() !== 'Dropout' || rate === undefined || noiseShape != null) continue;
    const own = mix(seed, hashText(layer.name));
    layer.call = (inputs: Tensor | Tensor[], kwargs: { training?: boolean }) => {
      const input = Array.isArray(inputs) ? inputs[0]! : inputs;
      if (kwargs.training !== true) return input.clone();
      return tf.tidy(() => {
        const keep = tf.scalar(1 - rate);
        const kept = statelessUniform(tensorflow, input.shape, own, clock.step).less(keep).toFloat();
        return input.mul(kept.div(keep));
      });
    };
  }
  return clock;
}

/** An uncompiled sequential model: hidden layers dense_1 …, the output layer `output` with one linear unit. */
export function buildNetwork({ tf }: TensorFlow, settings: NetworkSettings): LayersModel {
  const { inputs, hidden, activation, dropout, seed } = settings;
  if (!(ACTIVATIONS as readonly string[]).includes(activation)) {
    throw invalid('INVALID_ARGUMENT', 'activation', `one of ${ACTIVATIONS.join(', ')}`, activation);
  }
  if (!(dropout >= 0 && dropout < 1))
    throw invalid('INVALID_ARGUMENT', 'dropout', 'a number in [0, 1)', dropout);
  const model = tf.sequential();
  const seedOf = (name: string) => mix(seed, hashText(name));
  const rectified = activation === 'relu' || activation === 'elu' || activation === 'swish';
  hidden.forEach((units, i) => {
    const name = `dense_${i + 1}`;
    const initializer = { seed: seedOf(name) };
    model.add(
      tf.layers.dense({
        name,
        units,
        activation: activation as 'relu',
        kernelInitializer: rectified
          ? tf.initializers.heNormal(initializer)
          : tf.initializers.glorotUniform(initializer),
        ...(i === 0 ? { inputShape: [inputs] } : {}),
      }),
    );
    if (dropout > 0) model.add(tf.layers.dropout({ name: `dropout_${i + 1}`, rate: dropout }));
  });
  model.add(
    tf.layers.dense({
      name: 'output',
      units: 1,
      kernelInitializer: tf.initializers.glorotUniform({ seed: seedOf('output') }),
      ...(hidden.length === 0 ? { inputShape: [inputs] } : {}),
    }),
  );
  return model;
}

/**
 * Multiplies what the model's last Dense layer puts out, then adds: training sees a target of mean 0 and deviation 1,
 * the saved model answers in the target's own units, and no layer is added for it. Zeros stay zeros.
 */
export function rescaleOutput({ tf }: TensorFlow, model: LayersModel, scale: number, offset: number): void {
  const last = model.layers.at(-1);
  if (last?.getClassName() !== 'Dense' || (last.getConfig().activation ?? 'linear') !== 'linear') {
    throw invalid('INVALID_MODEL', 'the last layer', 'Dense with a linear activation', last?.getClassName());
  }
  const weights = last.getWeights();
  if (weights.length !== 2)
    throw invalid('INVALID_MODEL', 'the last layer', 'a kernel and a bias', weights.length);
  tf.tidy(() => {
    last.setWeights([weights[0]!.mul(scale), weights[1]!.mul(scale).add(offset)]);
  });
}
