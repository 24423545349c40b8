import type { OneInput, OperationDefinition } from '../definition.js';
import { count, flags, float32, groups } from '../expect.js';
import { readFlags, readNumbers, readReal } from '../stored.js';

/**
 * A mask is a value of one number a step, 0 where the step is masked: y[g] = 1 where some number of the group is not
 * `value` (`whole`: with its fraction cut off), else 0.
 */
export interface StepMask extends OneInput<'step_mask'> {
  readonly group: number;
  readonly whole: boolean;
  readonly value: number;
}

export const stepMask: OperationDefinition<StepMask> = {
  op: 'step_mask',
  manyInputs: false,
  computes: '1 where a step has another number than `value`; `whole`: fractions are cut off first',
  keys: { group: '', whole: '0 or 1', value: '' },
  features(o, [features = 0]) {
    flags(o, ['whole']);
    float32(o.value, `${o.name}.value`);
    groups(o, features);
    return features / o.group;
  },
  write: (o) => ({ group: o.group, whole: Number(o.whole), value: o.value }),
  read: (json, { name }) => ({
    group: count(json.group, `${name}.group`),
    ...readFlags(readNumbers([json.whole], ['whole'], `${name}.whole`), name),
    value: readReal(json.value, `${name}.value`),
  }),
  reference: (o, [x = []]) =>
    Array.from({ length: x.length / o.group }, (_, g) => {
      const group = x.slice(g * o.group, (g + 1) * o.group);
      return group.some((v) => (o.whole ? Math.trunc(v) : v) !== o.value) ? 1 : 0;
    }),
  cases: () => [
    {
      name: 'of numbers',
      inputs: [[-1, -1, 2, -1, -1, -1.5, -1, -1]],
      settings: { group: 2, whole: false, value: -1 },
    },
    {
      name: 'of whole numbers',
      inputs: [[0, 0.5, 3, 1, -0.25]],
      settings: { group: 1, whole: true, value: 0 },
    },
  ],
};
