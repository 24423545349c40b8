/** Networks of the cases: fully connected, relu between, seeded weights with unstructured zeros. */
import { imposeSparsity } from '../dist/program/dense.js';
import { seededRandom } from '../dist/measure/race/statistics.js';

/** A program with these units, its matrices dense with `sparsity` of zeros. */
export function networkOf(units, sparsity, seed = 1) {
  const random = seededRandom(seed);
  const floats = (length, scale) => Float32Array.from({ length }, () => (random() * 2 - 1) * scale);
  const operations = units.slice(1).map((rows, index) => {
    const cols = units[index];
    const kind = index === units.length - 2 ? 'linear' : 'relu';
    return {
      op: 'linear',
      name: `dense_${index}`,
      input: index,
      output: index + 1,
      positions: 1,
      weight: {
        format: 'dense',
        rows,
        cols,
        values: imposeSparsity(floats(rows * cols, Math.sqrt(6 / cols)), sparsity),
      },
      bias: floats(rows, 0.1),
      activation: { kind, alpha: 0, beta: 0 },
    };
  });
  const port = (name, value) => ({ name, shape: [null, units[value]], dtype: 'float32', value });
  return {
    version: 1,
    name: units.join('-'),
    values: units.map((features) => ({ features })),
    inputs: [port('x', 0)],
    outputs: [port('y', units.length - 1)],
    operations,
  };
}
