import type { ManyInputs, OperationDefinition } from '../definition.js';
import { bad, oneOf } from '../expect.js';
import { numbered, readChoice } from '../stored.js';

const COMBINE_KINDS = ['product', 'maximum', 'minimum', 'quotient'] as const;
export type CombineKind = (typeof COMBINE_KINDS)[number];

/** Elementwise, two inputs of the same number of features. */
export interface Combine extends ManyInputs<'combine'> {
  readonly kind: CombineKind;
}

export const combine: OperationDefinition<Combine> = {
  op: 'combine',
  manyInputs: true,
  choices: { kind: COMBINE_KINDS },
  computes: 'two inputs, number by number',
  keys: { kind: numbered(COMBINE_KINDS) },
  features(o, inputs) {
    oneOf(o.kind, COMBINE_KINDS, `${o.name}.kind`);
    if (inputs.length !== 2 || inputs[0] !== inputs[1]) {
      throw bad(`${o.name}.inputs`, 'two of equal numbers of features', inputs);
    }
    return inputs[0] ?? 0;
  },
  write: (o) => ({ kind: COMBINE_KINDS.indexOf(o.kind) }),
  read: (json, { name }) => ({ kind: readChoice(COMBINE_KINDS, json.kind, `${name}.kind`) }),
  reference: (o, [x = [], y = []]) =>
    x.map((a, i) => {
      const b = y[i] as number;
      return { product: a * b, maximum: Math.max(a, b), minimum: Math.min(a, b), quotient: a / b }[o.kind];
    }),
  cases: () => COMBINE_KINDS.map((kind) => ({ name: kind, inputs: [20, 20], settings: { kind } })),
};
