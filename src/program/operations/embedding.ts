import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleMatrix } from '../example.js';
import { count, inputFeatures, limited } from '../expect.js';
import type { Matrix } from '../matrix.js';

/** y[p, :] = weight[trunc(x[p]), :] for each of `positions`; an index outside of the rows fails the call (INVALID_INPUT). */
export interface Embedding extends OneInput<'embedding'> {
  readonly positions: number;
  readonly weight: Matrix;
}

export const embedding: OperationDefinition<Embedding> = {
  op: 'embedding',
  manyInputs: false,
  computes: 'the rows of the matrix that the input tells',
  keys: { positions: '', weight: '' },
  features(o, [input]) {
    inputFeatures(input, count(o.positions, `${o.name}.positions`), o.name);
    return limited(o.positions * o.weight.cols, o.name);
  },
  write: (o, { matrix }) => ({ positions: o.positions, weight: matrix(o.weight) }),
  read: (json, { name, matrix }) => ({
    positions: count(json.positions, `${name}.positions`),
    weight: matrix(json.weight),
  }),
  reference: (o, [x = []], { weight }) =>
    x.flatMap((v) =>
      Array.from({ length: o.weight.cols }, (_, j) => weight[Math.trunc(v) * o.weight.cols + j] as number),
    ),
  cases: () => [
    {
      name: 'of four positions',
      inputs: [[2, 0, 4.5, 2]],
      settings: { positions: 4, weight: exampleMatrix(5, 3) },
    },
  ],
};
