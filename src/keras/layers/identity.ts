/** Layers that do nothing at inference, in Keras's files. */
import type { IdentitySettings } from '../../network/layers/identity.js';
import type { KerasCodec, WrittenConfig } from '../codec.js';

/** What the layer is written with where the file that it came from told no rate (trainable entries come after it). */
const rate = { rate: 0 };

function identity(
  written: WrittenConfig,
  more: Partial<KerasCodec<IdentitySettings>> = {},
): KerasCodec<IdentitySettings> {
  return {
    supports: 'does nothing at inference',
    read: () => ({}),
    write: () => ({ ...written }),
    masking: () => 'pass',
    ...more,
  };
}

export const identityCodecs = {
  Dropout: identity(rate, { tfjs: true }),
  SpatialDropout1D: identity(rate, { tfjs: true }),
  SpatialDropout2D: identity(rate),
  SpatialDropout3D: identity(rate),
  AlphaDropout: identity(rate, { tfjs: true }),
  GaussianDropout: identity(rate, { tfjs: true }),
  GaussianNoise: identity({ stddev: 0 }, { tfjs: true }),
  ActivityRegularization: identity({}),
  // Keras 2 has it without support for masks.
  Identity: identity({}, { masking: (_settings, { keras }) => (keras === 2 ? 'drop' : 'pass') }),
};
