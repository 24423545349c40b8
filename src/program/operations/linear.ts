import { ACTIVATION_KINDS, LINEAR, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleFloats, exampleMatrix } from '../example.js';
import { bad, count, vector } from '../expect.js';
import type { Matrix } from '../matrix.js';
import { activationJson, activationOf, optionalVector, readOptionalVector } from '../stored.js';

/** y[p, :] = act(W x[p, :] + b) for each of `positions` (1 for a vector; T for Dense on [T, F]). */
export interface Linear extends OneInput<'linear'> {
  readonly positions: number;
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
  readonly activation: Activation;
}

export const linear: OperationDefinition<Linear> = {
  op: 'linear',
  manyInputs: false,
  computes: 'W x + b for each position',
  keys: { weight: 'index into `matrices`', bias: '', positions: '1', activation: '' },
  features(o, [features = 0]) {
    count(o.positions, `${o.name}.positions`);
    const expected = o.positions * o.weight.cols;
    if (features !== expected) {
      throw bad(`${o.name}: input features`, `positions * columns = ${expected}`, features);
    }
    if (o.bias !== null) vector(o.bias, o.weight.rows, `${o.name}.bias`);
    return o.positions * o.weight.rows;
  },
  write: (o, context) => ({
    ...(o.positions === 1 ? {} : { positions: o.positions }),
    weight: context.matrix(o.weight),
    ...optionalVector('bias', o.bias, context),
    ...activationJson(o.activation),
  }),
  read(json, context) {
    const weight = context.matrix(json.weight);
    return {
      positions: count(json.positions ?? 1, `${context.name}.positions`),
      weight,
      bias: readOptionalVector(json, 'bias', weight.rows, context),
      activation: activationOf(json, context),
    };
  },
  reference(o, [x = []], { weight }) {
    const { rows, cols } = o.weight;
    return Array.from({ length: o.positions * rows }, (_, i) => {
      const position = Math.floor(i / rows);
      const row = i % rows;
      let sum = o.bias?.[row] ?? 0;
      for (let col = 0; col < cols; col++) {
        // A weight of zero is none: it does not make NaN of an infinity.
        const w = weight[row * cols + col] as number;
        if (w !== 0) sum += w * (x[position * cols + col] as number);
      }
      return sum;
    });
  },
  cases: () => [
    ...ACTIVATION_KINDS.map((kind) => ({
      name: kind,
      inputs: [5],
      settings: {
        ...{ positions: 1, weight: exampleMatrix(7, 5), bias: exampleFloats(7) },
        activation: exampleActivation(kind),
      },
    })),
    {
      name: 'at positions, without bias',
      inputs: [12],
      settings: { positions: 4, weight: exampleMatrix(5, 3), bias: null, activation: LINEAR },
    },
  ],
};
