/** Layers that do nothing at inference: dropout, noise, regularisation of activities. */
import { single } from '../shapes.js';
import type { LayerKind } from './kind.js';
import { float32 } from './kind.js';

/** Settings of these kinds are an empty object: nothing of them matters at inference. */
export type IdentitySettings = Readonly<Record<string, never>>;

const identity: LayerKind<IdentitySettings> = {
  distribute: (settings) => settings,
  outputs: (_settings, inputs) => {
    const { shape, dtype } = single(inputs);
    return [{ ...float32(shape), dtype }];
  },
  run: (_settings, _weights, inputs) => [inputs[0]!],
};

export const identityKinds = {
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  SpatialDropout3D: identity,
  AlphaDropout: identity,
  GaussianDropout: identity,
  GaussianNoise: identity,
  ActivityRegularization: identity,
  Identity: identity,
};
