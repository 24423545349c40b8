import type { OneInput, OperationDefinition } from '../definition.js';
import { count, groups } from '../expect.js';

/** Softmax over each run of `group` consecutive features; group divides the features. */
export interface Softmax extends OneInput<'softmax'> {
  readonly group: number;
}

export const softmax: OperationDefinition<Softmax> = {
  op: 'softmax',
  manyInputs: false,
  computes: 'softmax over each `group` neighbouring numbers',
  keys: { group: '' },
  features(o, [features = 0]) {
    groups(o, features);
    return features;
  },
  write: ({ group }) => ({ group }),
  read: (json, { name }) => ({ group: count(json.group, `${name}.group`) }),
  reference: (o, [x = []]) =>
    x.map((v, i) => {
      const group = x.slice(i - (i % o.group), i - (i % o.group) + o.group);
      const most = Math.max(...group);
      return Math.exp(v - most) / group.reduce((sum, g) => sum + Math.exp(g - most), 0);
    }),
  cases: () =>
    [6, 3, 2].map((group) => ({ name: `in groups of ${group}`, inputs: [6], settings: { group } })),
};
