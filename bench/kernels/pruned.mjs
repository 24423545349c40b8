/** Matrices of real networks: those of their Dense layers and 1×1 convolutions. */
import { imposeSparsity } from '../../dist/program/dense.js';
import { readSource } from '../../dist/measure/source.js';

/** Below this a call is mostly its own overhead. */
const LEAST_WEIGHTS = 1 << 14;

/** The weights [rows × cols] of a model's matrices; a BatchNormalization that can be is folded into them. */
async function matrices(path) {
  const { program } = await readSource(path);
  return program.operations
    .filter((operation) => {
      if (operation.op !== 'linear' && operation.op !== 'conv') return false;
      const { rows, cols } = operation.weight;
      const pointwise = operation.op === 'linear' || (operation.groups === 1 && cols === operation.channels);
      return pointwise && rows * cols >= LEAST_WEIGHTS;
    })
    .map(({ name, weight: { rows, cols, values } }) => ({ name, rows, cols, values }));
}

const zeros = (values) => values.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);

/** Zeros where the magnitude is among the least of all the matrices together, `sparsity` of them. */
function globally(all, sparsity) {
  const together = new Float32Array(all.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  for (const { values } of all) {
    together.set(values, at);
    at += values.length;
  }
  const pruned = imposeSparsity(together, sparsity);
  at = 0;
  return all.map(({ values }) => pruned.slice(at, (at += values.length)));
}

/**
 * The really pruned matrices of a model: as they are where it has zeros; else with the least magnitudes zero in one shot,
 * layer by layer and over all layers together, for each of the sparsities.
 */
export async function prunedMatrices(path, sparsities) {
  const all = await matrices(path);
  const total = all.reduce((sum, { values }) => sum + values.length, 0);
  const present = all.reduce((sum, { values }) => sum + zeros(values), 0) / Math.max(total, 1);
  const variants = present > 0.1 ? [['as it is', all.map(({ values }) => values)]] : [];
  if (variants.length === 0) {
    for (const sparsity of sparsities.filter((asked) => asked > 0)) {
      variants.push([`${sparsity} a layer`, all.map(({ values }) => imposeSparsity(values, sparsity))]);
      variants.push([`${sparsity} globally`, globally(all, sparsity)]);
    }
  }
  return all.map(({ name, rows, cols }, i) => ({
    name,
    rows,
    cols,
    variants: variants.map(([masks, weights]) => ({
      masks,
      values: weights[i],
      sparsity: zeros(weights[i]) / weights[i].length,
    })),
  }));
}
