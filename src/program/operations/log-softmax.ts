import type { OneInput, OperationDefinition } from '../definition.js';
import { count, groups } from '../expect.js';

/** x - max - log(sum of e^(x - max)) over each run of `group` consecutive features. */
export interface LogSoftmax extends OneInput<'log_softmax'> {
  readonly group: number;
}

export const logSoftmax: OperationDefinition<LogSoftmax> = {
  op: 'log_softmax',
  manyInputs: false,
  computes: 'the logarithm of softmax',
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
      return v - most - Math.log(group.reduce((sum, g) => sum + Math.exp(g - most), 0));
    }),
  cases: () => [6, 2].map((group) => ({ name: `in groups of ${group}`, inputs: [6], settings: { group } })),
};
