/** Dense in Keras's files. */
import type { DenseSettings } from '../../network/layers/dense.js';
import { readActivation, writtenName } from '../activations.js';
import type { KerasCodec } from '../codec.js';
import { activationLayer } from './activation.js';

const dense: KerasCodec<DenseSettings> = {
  supports: 'inputs of any rank (the last axis is mapped)',
  tfjs: true,
  read: (config) => ({
    units: config.int('units'),
    useBias: config.bool('use_bias', true),
    activation: readActivation(config, 'activation', 'linear', activationLayer),
  }),
  write: ({ units, useBias, activation }, { dialect }) => ({
    units,
    activation: writtenName(activation, dialect),
    use_bias: useBias,
  }),
  masking: () => 'pass',
};

export const denseCodecs = { Dense: dense };
