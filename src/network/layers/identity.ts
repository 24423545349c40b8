/** Layers that do nothing at inference: dropout, noise, regularisation of activities. */
import { single } from '../shapes.js';
import type { LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Settings of these kinds are an empty object: nothing of them matters at inference. */
export type IdentitySettings = Readonly<Record<string, never>>;

const IDENTITIES = [
  'Dropout',
  'SpatialDropout1D',
  'SpatialDropout2D',
  'SpatialDropout3D',
  'AlphaDropout',
  'GaussianDropout',
  'GaussianNoise',
  'ActivityRegularization',
  'Identity',
] as const;

export const identityKinds: readonly LayerKind<IdentitySettings>[] = IDENTITIES.map((name) => ({
  names: [name],
  supports: 'does nothing at inference',
  parse: () => ({}),
  masking: (_settings, { keras }) => (name === 'Identity' && keras === 2 ? 'drop' : 'pass'),
  distribute: (settings) => settings,
  outputs: (_settings, inputs) => {
    const { shape, dtype } = single(inputs);
    return [{ ...float32(shape), dtype }];
  },
  run: (_settings, _weights, inputs) => [inputs[0]!],
}));
