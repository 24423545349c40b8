import { exampleActivation, LINEAR, type Activation } from '../activation.js';
import type { ManyInputs, OperationDefinition } from '../definition.js';
import { bad } from '../expect.js';
import { activationJson, activationOf } from '../stored.js';

/** y = act(sum of the inputs), all of the same number of features. Two inputs or more. */
export interface Add extends ManyInputs<'add'> {
  readonly activation: Activation;
}

export const add: OperationDefinition<Add> = {
  op: 'add',
  manyInputs: true,
  computes: 'the sum of the inputs',
  keys: { activation: '' },
  features(o, inputs) {
    if (inputs.length < 2) throw bad(`${o.name}.inputs`, 'two or more', inputs.length);
    if (inputs.some((f) => f !== inputs[0])) {
      throw bad(`${o.name}.inputs`, 'equal numbers of features', inputs);
    }
    return inputs[0] ?? 0;
  },
  write: (o) => activationJson(o.activation),
  read: (json, context) => ({ activation: activationOf(json, context) }),
  reference: (_o, inputs) =>
    (inputs[0] ?? []).map((_, i) => inputs.reduce((sum, x) => sum + (x[i] as number), 0)),
  cases: () => [
    { name: 'of two', inputs: [4, 4], settings: { activation: LINEAR } },
    { name: 'of three', inputs: [20, 20, 20], settings: { activation: exampleActivation('softsign') } },
  ],
};
