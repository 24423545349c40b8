/** Operations on sequences computed plainly in float64, as program/operations/sequences.ts has them. */
import type { Activation } from '../../src/program/program.js';
import {
  RECURRENT_GATES,
  type Recurrent,
  type SequenceOperation,
} from '../../src/program/operations/sequences.js';

type Numbers = readonly number[];
type Apply = (activation: Activation, x: number) => number;

function grouped(x: Numbers, size: number, of: (group: Numbers) => Numbers): number[] {
  return Array.from({ length: x.length / size }, (_, g) => of(x.slice(g * size, (g + 1) * size))).flat();
}

export function runSequence(
  o: SequenceOperation,
  inputs: readonly Numbers[],
  dense: ArrayLike<number>,
  apply: Apply,
): number[] {
  const x = inputs[0] as Numbers;
  switch (o.op) {
    case 'log_softmax':
      return grouped(x, o.group, (group) => {
        const most = Math.max(...group);
        const sum = group.reduce((total, v) => total + Math.exp(v - most), 0);
        return group.map((v) => v - most - Math.log(sum));
      });
    case 'normalize':
      return grouped(x, o.rows * o.stride, (group) => {
        const there = group.filter((_, i) => i % o.stride < o.valid);
        const mean = o.statistic === 0 ? there.reduce((a, b) => a + b, 0) / there.length : 0;
        // As float32 squares: that of a large number is infinite.
        const squares = there.reduce((sum, v) => sum + Math.fround((v - mean) ** 2), 0);
        const root = Math.sqrt(
          o.statistic === 2 ? Math.max(squares, o.epsilon) : squares / there.length + o.epsilon,
        );
        return group.map((v, i) => ((v - mean) / root) * (o.scale?.[i] ?? 1) + (o.offset?.[i] ?? 0));
      });
    case 'embedding':
      return x.flatMap((v) => {
        const { cols } = o.weight;
        return Array.from({ length: cols }, (_, j) => dense[Math.trunc(v) * cols + j] as number);
      });
    case 'recurrent':
      return recurrent(o, inputs, dense, apply);
    case 'matmul': {
      const y = new Array<number>(o.heads * o.rows * o.columns).fill(NaN);
      for (let h = 0; h < o.heads; h++) {
        for (let i = 0; i < o.rows; i++) {
          for (let j = 0; j < o.columns; j++) {
            let sum = 0;
            for (let l = 0; l < o.depth; l++) {
              const a = x[h * o.aHead + i * o.aRow + l * o.aCol] as number;
              sum += a * ((inputs[1] as Numbers)[h * o.bHead + j * o.bRow + l * o.bCol] as number);
            }
            y[h * o.yHead + i * o.yRow + j] = sum;
          }
        }
      }
      return y;
    }
    case 'step_mask':
      return grouped(x, o.group, (group) => [
        group.some((v) => (o.whole === 1 ? Math.trunc(v) : v) !== o.value) ? 1 : 0,
      ]);
    case 'mask_scores':
      return x.map((score, i) => {
        const [target, source] = [Math.floor(i / o.sources) % o.targets, i % o.sources];
        const seen =
          (o.causal === 0 || source <= target) &&
          (o.queryMask === 0 || inputs[1]?.[target] !== 0) &&
          (o.valueMask === 0 || inputs[inputs.length - 1]?.[source] !== 0);
        return seen ? score : Math.fround(score - 1e9);
      });
  }
}

function recurrent(o: Recurrent, inputs: readonly Numbers[], w: ArrayLike<number>, apply: Apply): number[] {
  const { units, steps } = o;
  const gates = RECURRENT_GATES[o.cell];
  const count = o.cell === 1 ? 2 : 1;
  const zeros = (): number[] => new Array<number>(units).fill(0);
  const states = Array.from({ length: count }, (_, s) =>
    o.initial === 1 ? [...(inputs[1 + s] ?? [])] : zeros(),
  );
  const mask = o.masked === 1 ? inputs[inputs.length - 1] : undefined;
  const act = (v: number): number => apply(o.cellActivation, v);
  const gate = (v: number): number => apply(o.recurrentActivation, v);
  const product = (h: Numbers, row: number): number => {
    let sum = o.bias?.[row] ?? 0;
    h.forEach((v, j) => {
      const weight = w[row * units + j] as number;
      if (weight !== 0) sum += v * weight;
    });
    return Math.fround(sum);
  };
  const y: number[][] = [];
  let output = zeros();
  for (let i = 0; i < steps; i++) {
    const t = o.backwards === 1 ? steps - 1 - i : i;
    const place = o.sequences === 0 ? 0 : o.backwards === 1 && o.inPlace === 1 ? t : i;
    if (mask?.[t] === 0) {
      y[place] = o.zeroOutput === 1 && o.sequences === 1 ? zeros() : output;
      if (o.zeroOutput === 1 && o.sequences === 1) output = zeros();
      continue;
    }
    const x = (inputs[0] ?? []).slice(t * gates * units, (t + 1) * gates * units);
    const at = (g: number, j: number): number => x[g * units + j] as number;
    const [h, c] = states as [number[], number[]];
    const all = (of: (j: number) => number): number[] => Array.from({ length: units }, (_, j) => of(j));
    const sum = (g: number, j: number): number => at(g, j) + product(h, g * units + j);
    if (o.cell === 0) states[0] = all((j) => act(sum(0, j)));
    else if (o.cell === 1) {
      states[1] = all((j) => gate(sum(1, j)) * (c[j] as number) + gate(sum(0, j)) * act(sum(2, j)));
      states[0] = all((j) => gate(sum(3, j)) * act(states[1]?.[j] as number));
    } else {
      const z = all((j) => gate(sum(0, j)));
      const r = all((j) => gate(sum(1, j)));
      const reset = h.map((v, j) => v * (r[j] as number));
      states[0] = all((j) => {
        const inner =
          o.cell === 2 ? product(reset, 2 * units + j) : (r[j] as number) * product(h, 2 * units + j);
        const candidate = act(at(2, j) + inner);
        return (z[j] as number) * (h[j] as number) + (1 - (z[j] as number)) * candidate;
      });
    }
    output = states[0];
    y[place] = output;
  }
  return [...y.flat(), ...(o.states === 1 ? states.flat() : [])];
}
