import type { ManyInputs, OperationDefinition } from '../definition.js';
import { bad, count } from '../expect.js';

/** For each of `outer` runs: the next features / outer numbers of each input, one input after the other. */
export interface Concat extends ManyInputs<'concat'> {
  readonly outer: number;
}

export const concat: OperationDefinition<Concat> = {
  op: 'concat',
  manyInputs: true,
  computes: 'for each of `outer` runs, the parts of the inputs one after the other',
  keys: { outer: '1' },
  features(o, inputs) {
    count(o.outer, `${o.name}.outer`);
    if (inputs.length < 1) throw bad(`${o.name}.inputs`, 'one or more', inputs.length);
    if (inputs.some((f) => f % o.outer !== 0)) {
      throw bad(`${o.name}.outer`, `a divisor of ${inputs.join(' and of ')}`, o.outer);
    }
    return inputs.reduce((sum, f) => sum + f, 0);
  },
  write: ({ outer }) => (outer === 1 ? {} : { outer }),
  read: (json, { name }) => ({ outer: count(json.outer ?? 1, `${name}.outer`) }),
  reference: (o, inputs) =>
    Array.from({ length: o.outer }, (_, run) =>
      inputs.flatMap((x) => {
        const part = x.length / o.outer;
        return x.slice(run * part, (run + 1) * part);
      }),
    ).flat(),
  cases: () => [
    { name: 'whole', inputs: [4, 6], settings: { outer: 1 } },
    { name: 'by runs', inputs: [4, 6], settings: { outer: 2 } },
  ],
};
