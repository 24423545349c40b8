import { LINEAR, exampleActivation, type Activation } from '../activation.js';
import type { OneInput, OperationDefinition } from '../definition.js';
import { exampleFloats, exampleMatrix } from '../example.js';
import { bad, count, counts, inputFeatures, vector } from '../expect.js';
import {
  EXAMPLE_WINDOWS,
  WINDOW_NOTE,
  readWindow,
  taps,
  windowFloats,
  windowInputFloats,
  windowJson,
  windowPlanes,
  type Window,
} from '../images.js';
import type { Matrix } from '../matrix.js';
import { activationJson, activationOf, optionalVector, readOptionalVector } from '../stored.js';

/** y[f] = act(b[f] + sum over c, i, j of W[f, (c, i, j)] x[c, window(i, j)]); rows of W are filters, split by groups. */
export interface Conv extends OneInput<'conv'>, Window {
  readonly channels: number;
  readonly groups: number;
  readonly weight: Matrix;
  readonly bias: Float32Array | null;
  readonly activation: Activation;
}

export const conv: OperationDefinition<Conv> = {
  op: 'conv',
  manyInputs: false,
  computes: 'convolution: rows of the matrix are filters, columns (channel, tap)',
  keys: { channels: '', groups: '1', window: WINDOW_NOTE, weight: '', bias: '', activation: '' },
  features(o, [input]) {
    const plane = windowFloats(o);
    const { rows, cols } = o.weight;
    counts(o, ['channels', 'groups']);
    if (o.channels % o.groups !== 0 || rows % o.groups !== 0) {
      throw bad(`${o.name}.groups`, `a divisor of ${o.channels} and ${rows}`, o.groups);
    }
    const wanted = (o.channels / o.groups) * o.kernelHeight * o.kernelWidth;
    if (cols !== wanted) throw bad(`${o.name}.weight.cols`, `${wanted}`, cols);
    inputFeatures(input, o.channels * windowInputFloats(o), o.name);
    if (o.bias !== null) vector(o.bias, rows, `${o.name}.bias`);
    return rows * plane;
  },
  write: (o, context) => ({
    channels: o.channels,
    ...(o.groups === 1 ? {} : { groups: o.groups }),
    window: windowJson(o),
    weight: context.matrix(o.weight),
    ...optionalVector('bias', o.bias, context),
    ...activationJson(o.activation),
  }),
  read(json, context) {
    const { name } = context;
    const weight = context.matrix(json.weight);
    return {
      channels: count(json.channels, `${name}.channels`),
      groups: count(json.groups ?? 1, `${name}.groups`),
      ...readWindow(json, name),
      weight,
      bias: readOptionalVector(json, 'bias', weight.rows, context),
      activation: activationOf(json, context),
    };
  },
  reference(o, [x = []], { weight }) {
    const { rows, cols } = o.weight;
    const depth = o.channels / o.groups;
    const each = rows / o.groups;
    return windowPlanes(o, rows, (filter, outY, outX) => {
      let sum = o.bias?.[filter] ?? 0;
      for (let c = 0; c < depth; c++) {
        const channel = Math.floor(filter / each) * depth + c;
        const read = taps(o, x, channel, outY, outX);
        read.forEach((v, tap) => {
          // A weight of zero is none: it does not make NaN of an infinity.
          const w = weight[filter * cols + c * read.length + tap] as number;
          if (w !== 0) sum += v * w;
        });
      }
      return sum;
    });
  },
  cases: () => [
    {
      name: 'over a frame, in groups',
      inputs: [4 * windowInputFloats(EXAMPLE_WINDOWS.framed)],
      settings: {
        ...{ channels: 4, groups: 2, ...EXAMPLE_WINDOWS.framed, weight: exampleMatrix(6, 12) },
        ...{ bias: exampleFloats(6), activation: exampleActivation('relu6') },
      },
    },
    {
      name: 'of one tap, over planes, without bias',
      inputs: [3 * windowInputFloats(EXAMPLE_WINDOWS.planes)],
      settings: {
        ...{ channels: 3, groups: 1, ...EXAMPLE_WINDOWS.planes, weight: exampleMatrix(5, 3) },
        ...{ bias: null, activation: LINEAR },
      },
    },
  ],
};
