import type { OneInput, OperationDefinition } from '../definition.js';
import { bad, count, limited } from '../expect.js';

/** y[i] = x[index[i]], 0 where the index is -1; the same for each of `repeat` runs of input and output. */
export interface Gather extends OneInput<'gather'> {
  readonly repeat: number;
  readonly index: Int32Array;
}

export const gather: OperationDefinition<Gather> = {
  op: 'gather',
  manyInputs: false,
  computes: 'the numbers at `index`, 0 where it is -1, for each of `repeat` runs',
  keys: { repeat: '1', index: 'range of `indices`' },
  features(o, [input = 0]) {
    count(o.repeat, `${o.name}.repeat`);
    count(o.index.length, `${o.name}.index.length`);
    if (input % o.repeat !== 0) throw bad(`${o.name}.repeat`, `a divisor of ${input}`, o.repeat);
    const run = input / o.repeat;
    const wrong = o.index.findIndex((i) => i < -1 || i >= run);
    if (wrong !== -1) throw bad(`${o.name}.index`, `-1 to ${run - 1}`, `${o.index[wrong]} at ${wrong}`);
    return limited(o.repeat * o.index.length, o.name);
  },
  write: (o, { indices }) => ({
    ...(o.repeat === 1 ? {} : { repeat: o.repeat }),
    index: indices(o.index),
  }),
  read: (json, { indices, name }) => ({
    repeat: count(json.repeat ?? 1, `${name}.repeat`),
    index: indices(json.index, `${name}.index`),
  }),
  reference(o, [x = []]) {
    const run = x.length / o.repeat;
    return Array.from({ length: o.repeat * o.index.length }, (_, i) => {
      const from = o.index[i % o.index.length] as number;
      return from < 0 ? 0 : (x[Math.floor(i / o.index.length) * run + from] as number);
    });
  },
  cases: () => [
    { name: 'once', inputs: [5], settings: { repeat: 1, index: Int32Array.of(4, -1, 0, 0, 2, 3, 1) } },
    { name: 'by runs', inputs: [12], settings: { repeat: 3, index: Int32Array.of(3, -1, 0) } },
  ],
};
