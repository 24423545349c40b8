/** Whether two models answer alike, on a few inputs that a seed gives; and whether weights are numbers. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { layerTree, namedVariables } from './layer-tree.js';
import { tensorflow } from './of-the-caller.js';

const SEED = 14;
/** What an extent that a model leaves open may be. */
const OPEN_EXTENTS = [16, 64];

/** Inputs a model takes, by a seed: whole numbers that every embedding has where there is one, else normal ones. */
function probeInputs(model: LayersModel, open: number): Tensor[] {
  const tf = tensorflow();
  const rows = layerTree(model).flatMap(({ layer }) =>
    layer.getClassName() === 'Embedding' ? [(layer.getConfig() as { inputDim: number }).inputDim] : [],
  );
  return model.inputs.map(({ shape, dtype }, i) => {
    const extents = shape.map((extent, axis) => extent ?? (axis === 0 ? 1 : open));
    if (rows.length > 0)
      return tf.randomUniform(extents, 0, Math.min(...rows), 'int32', SEED + i).cast(dtype);
    return tf.randomNormal(extents, 0, 1, 'float32', SEED + i).cast(dtype);
  });
}

function answersOf(model: LayersModel, inputs: Tensor[]): Float32Array[] {
  const outputs = model.predict(inputs, { batchSize: inputs[0]!.shape[0] });
  return (Array.isArray(outputs) ? outputs : [outputs]).map((output) => Float32Array.from(output.dataSync()));
}

function largestDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  if (a.length !== b.length || a.some((one, i) => one.length !== b[i]!.length)) return Infinity;
  let largest = 0;
  a.forEach((one, i) =>
    one.forEach((value, j) => {
      const other = b[i]![j]!;
      if (Object.is(value, other) || value === other) return;
      const difference = Math.abs(value - other);
      largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
    }),
  );
  return largest;
}

/**
 * The largest difference of two models' answers to the same inputs; null where they cannot be compared so: a model with a
 * state of its own, one that takes no inputs of this kind, or one that answers otherwise each time it is asked.
 */
export function differenceOfAnswers(source: LayersModel, copy: LayersModel): number | null {
  const stateful = (model: LayersModel) =>
    layerTree(model).some(({ layer }) => (layer as { stateful?: boolean }).stateful === true);
  if (stateful(source)) return null;
  const tf = tensorflow();
  tf.engine().startScope();
  try {
    for (const open of OPEN_EXTENTS) {
      const inputs = probeInputs(source, open);
      let wanted: Float32Array[];
      try {
        wanted = answersOf(source, inputs);
      } catch {
        continue;
      }
      const difference = largestDifference(wanted, answersOf(copy, inputs));
      if (difference === 0) return 0;
      return largestDifference(wanted, answersOf(source, inputs)) === 0 ? difference : null;
    }
    return null;
  } finally {
    tf.engine().endScope();
  }
}

export interface NotFinite {
  key: string;
  path: string;
  /** How many of its numbers are NaN or infinite. */
  count: number;
  size: number;
}

/** The weights of a model that hold a NaN or an infinity. */
export function notFinite(model: LayersModel): NotFinite[] {
  const tf = tensorflow();
  const weights = namedVariables(model);
  if (weights.length === 0) return [];
  // One number for each weight leaves TensorFlow; a weight itself only where something is wrong.
  const fine = tf.tidy(() =>
    tf.stack(weights.map(({ variable }) => variable.read().isFinite().all())).dataSync(),
  );
  return weights.flatMap(({ key, path, variable }, i) => {
    if (fine[i]) return [];
    const values = variable.read().dataSync();
    let count = 0;
    for (const value of values) if (!Number.isFinite(value)) count++;
    return [{ key, path, count, size: values.length }];
  });
}
