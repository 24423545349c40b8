/** Weights and the optimizer's memory as plain arrays and back, so exact that a resumed run equals an unbroken one. */
import type { LayersModel, Optimizer, Variable } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';
import type { StoredTensor } from './checkpoint.js';
import type { TF } from '../tensorflow/load.js';

/** The weights of a model by their place and name. */
export function snapshotWeights(model: LayersModel, prefix: string): Map<string, StoredTensor> {
  const weights = new Map<string, StoredTensor>();
  model.weights.forEach((weight, i) => {
    const tensor = weight.read();
    weights.set(`${prefix}${i}/${weight.originalName}`, {
      shape: tensor.shape,
      values: Float32Array.from(tensor.dataSync()),
    });
  });
  return weights;
}

function mismatch(name: string): EspalierError {
  return new EspalierError(
    'INVALID_DATA',
    `checkpoint: ${name} is missing or of another shape than the model's`,
    {
      parameter: name,
    },
  );
}

export function restoreWeights(
  tf: TF,
  model: LayersModel,
  tensors: ReadonlyMap<string, StoredTensor>,
  prefix: string,
): void {
  model.weights.forEach((weight, i) => {
    const name = `${prefix}${i}/${weight.originalName}`;
    const stored = tensors.get(name);
    if (stored === undefined || stored.shape.join() !== weight.shape.join()) throw mismatch(name);
    tf.tidy(() => {
      weight.write(tf.tensor(stored.values, stored.shape));
    });
  });
}

/** Adam keeps powers of its betas that `getWeights` leaves out and `setWeights` makes anew, a rounding apart. */
interface AdamPowers {
  accBeta1?: Variable;
  accBeta2?: Variable;
}

const POWERS = ['accBeta1', 'accBeta2'] as const;

export async function snapshotOptimizer(
  optimizer: Optimizer,
  prefix: string,
): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  const slots = await optimizer.getWeights();
  slots.forEach(({ tensor }, i) => {
    tensors.set(`${prefix}${i}`, { shape: tensor.shape, values: Float32Array.from(tensor.dataSync()) });
  });
  // The first slot is a fresh tensor of the count of iterations; the rest are the optimizer's own variables.
  slots[0]?.tensor.dispose();
  for (const name of POWERS) {
    const power = (optimizer as unknown as AdamPowers)[name];
    if (power !== undefined)
      tensors.set(`${prefix}${name}`, { shape: [], values: Float32Array.from(power.dataSync()) });
  }
  return tensors;
}

export async function restoreOptimizer(
  tf: TF,
  optimizer: Optimizer,
  tensors: ReadonlyMap<string, StoredTensor>,
  prefix: string,
): Promise<void> {
  const slots: { name: string; tensor: ReturnType<TF['tensor']> }[] = [];
  for (let i = 0; ; i += 1) {
    const stored = tensors.get(`${prefix}${i}`);
    if (stored === undefined) break;
    slots.push({ name: String(i), tensor: tf.tensor(stored.values, stored.shape) });
  }
  if (slots.length === 0) throw mismatch(`${prefix}0`);
  await optimizer.setWeights(slots);
  // The optimizer's variables share the data and count their own references.
  tf.dispose(slots.map(({ tensor }) => tensor));
  for (const name of POWERS) {
    const power = (optimizer as unknown as AdamPowers)[name];
    const stored = tensors.get(`${prefix}${name}`);
    if (power !== undefined && stored !== undefined)
      tf.tidy(() => power.assign(tf.scalar(stored.values[0]!)));
  }
}
