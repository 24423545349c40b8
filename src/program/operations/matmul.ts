import type { ManyInputs, OperationDefinition } from '../definition.js';
import { bad, count, counts, inputCount, inputFeatures, limited, natural } from '../expect.js';
import { readNumbers } from '../stored.js';

/**
 * y[h, i, j] = sum over l of a[h, i, l] * b[h, j, l]: heads x rows x columns, depth is summed. a[h, i, l] is number
 * h * aHead + i * aRow + l * aCol of the first input, b likewise of the second; y[h, i, j] is number h * yHead +
 * i * yRow + j. The inputs have as many numbers as that is, and the rows of y fill it.
 */
export interface Matmul extends ManyInputs<'matmul'> {
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly aHead: number;
  readonly aRow: number;
  readonly aCol: number;
  readonly bHead: number;
  readonly bRow: number;
  readonly bCol: number;
  readonly yHead: number;
  readonly yRow: number;
}

const EXTENTS = ['heads', 'rows', 'columns', 'depth'] as const;
const KEYS = [
  ...EXTENTS,
  ...(['aHead', 'aRow', 'aCol', 'bHead', 'bRow', 'bCol', 'yHead', 'yRow'] as const),
] as const;

export const matmul: OperationDefinition<Matmul> = {
  op: 'matmul',
  manyInputs: true,
  computes: 'products of two values',
  keys: { sizes: `[${KEYS.join(', ')}]` },
  features(o, inputs) {
    counts(o, EXTENTS);
    for (const key of ['yHead', 'yRow'] as const) natural(o[key], `${o.name}.${key}`);
    inputCount(o, 2);
    inside(`${o.name}: input a`, inputs[0], [o.heads, o.rows, o.depth], [o.aHead, o.aRow, o.aCol]);
    inside(`${o.name}: input b`, inputs[1], [o.heads, o.columns, o.depth], [o.bHead, o.bRow, o.bCol]);
    return outputFeatures(o);
  },
  write: (o) => ({ sizes: KEYS.map((key) => o[key]) }),
  read: (json, { name }) => readNumbers(json.sizes, KEYS, `${name}.sizes`),
  reference(o, [a = [], b = []]) {
    const y = new Array<number>(o.heads * o.rows * o.columns).fill(NaN);
    for (let h = 0; h < o.heads; h++) {
      for (let i = 0; i < o.rows; i++) {
        for (let j = 0; j < o.columns; j++) {
          let sum = 0;
          for (let l = 0; l < o.depth; l++) {
            const left = a[h * o.aHead + i * o.aRow + l * o.aCol] as number;
            sum += left * (b[h * o.bHead + j * o.bRow + l * o.bCol] as number);
          }
          y[h * o.yHead + i * o.yRow + j] = sum;
        }
      }
    }
    return y;
  },
  cases: () => [
    {
      name: 'heads one after the other',
      inputs: [24, 30],
      settings: {
        ...{ heads: 2, rows: 4, columns: 5, depth: 3, aHead: 12, aRow: 3, aCol: 1 },
        ...{ bHead: 15, bRow: 3, bCol: 1, yHead: 20, yRow: 5 },
      },
    },
    {
      name: 'heads side by side',
      inputs: [24, 30],
      settings: {
        ...{ heads: 2, rows: 4, columns: 5, depth: 3, aHead: 3, aRow: 6, aCol: 1 },
        ...{ bHead: 5, bRow: 1, bCol: 10, yHead: 5, yRow: 10 },
      },
    },
  ],
};

/** Checks that steps stay inside of an input whose every number is used once; extents are known to be positive. */
function inside(
  what: string,
  received: number | undefined,
  extents: readonly number[],
  steps: readonly number[],
): void {
  let [size, last] = [1, 0];
  extents.forEach((extent, i) => {
    const step = steps[i] as number;
    if (step !== 0) count(step, `${what}: step`);
    size = limited(size * extent, what);
    last += (extent - 1) * step;
  });
  inputFeatures(received, size, what);
  if (last >= size) throw bad(`${what}: steps`, `inside of ${size} features`, steps);
}

function outputFeatures(o: Matmul): number {
  const size = limited(limited(o.heads * o.rows, o.name) * o.columns, o.name);
  const lies = (extent: number, step: number, wanted: number): boolean => extent === 1 || step === wanted;
  const byHeads = lies(o.rows, o.yRow, o.columns) && lies(o.heads, o.yHead, o.rows * o.columns);
  const byRows = lies(o.heads, o.yHead, o.columns) && lies(o.rows, o.yRow, o.heads * o.columns);
  if (!byHeads && !byRows) throw bad(`${o.name}.yHead and yRow`, 'rows side by side', [o.yHead, o.yRow]);
  return size;
}
