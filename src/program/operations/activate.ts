import { ACTIVATION_KINDS, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { activationJson, activationOf } from '../stored.js';

/** Elementwise. */
export interface Activate extends OneInput<'activate'> {
  readonly activation: Activation;
}

export const activate: OperationDefinition<Activate> = {
  op: 'activate',
  manyInputs: false,
  computes: 'the activation alone',
  keys: { activation: '' },
  features: (_o, [features = 0]) => features,
  write: (o) => activationJson(o.activation),
  read: (json, context) => ({ activation: activationOf(json, context) }),
  reference: (_o, [x = []]) => [...x],
  cases: () =>
    ACTIVATION_KINDS.map((kind) => ({
      name: kind,
      inputs: [19],
      settings: { activation: exampleActivation(kind) },
    })),
};
