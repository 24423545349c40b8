import { LINEAR, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleFloats } from '../example.js';
import { bad, count, vector } from '../expect.js';
import { activationJson, activationOf } from '../stored.js';

/** y[i] = act(x[i] * scale[i % period] + offset[i % period]); period = scale.length divides the features. */
export interface Affine extends OneInput<'affine'> {
  readonly scale: Float32Array;
  readonly offset: Float32Array;
  readonly activation: Activation;
}

export const affine: OperationDefinition<Affine> = {
  op: 'affine',
  manyInputs: false,
  computes: 'x[i] · scale[i mod length] + offset[i mod length]',
  keys: { length: '', scale: '', offset: '', activation: '' },
  features(o, [features = 0]) {
    vector(o.offset, o.scale.length, `${o.name}.offset`);
    if (o.scale.length === 0 || features % o.scale.length !== 0) {
      throw bad(`${o.name}.scale`, `a length that divides ${features}`, o.scale.length);
    }
    return features;
  },
  write: (o, { vector }) => ({
    length: o.scale.length,
    scale: vector(o.scale),
    offset: vector(o.offset),
    ...activationJson(o.activation),
  }),
  read(json, context) {
    const { name } = context;
    const length = count(json.length, `${name}.length`);
    return {
      scale: context.vector(json.scale, length, `${name}.scale`),
      offset: context.vector(json.offset, length, `${name}.offset`),
      activation: activationOf(json, context),
    };
  },
  reference: (o, [x = []]) =>
    x.map((v, i) => {
      const at = i % o.scale.length;
      return v * (o.scale[at] as number) + (o.offset[at] as number);
    }),
  cases: () =>
    [6, 3, 1].map((period) => ({
      name: `of period ${period}`,
      inputs: [6],
      settings: {
        scale: exampleFloats(period),
        offset: exampleFloats(period),
        activation: period === 3 ? LINEAR : exampleActivation('relu'),
      },
    })),
};
