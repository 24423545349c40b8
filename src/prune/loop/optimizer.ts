/** An optimizer with its slots, as plain data and back: bit for bit. */
import type { Optimizer, Variable } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../../errors.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface SlotState {
  name: string;
  shape: number[];
  dtype: 'float32' | 'int32';
  data: Float32Array | Int32Array;
}

export interface OptimizerState {
  className: string;
  config: Record<string, unknown>;
  slots: SlotState[];
  /** Running products of betas, which tfjs would compute again, otherwise rounded. */
  scalars: Record<string, number>;
}

const SCALARS = ['accBeta1', 'accBeta2', 'accBeta'];

type Open = Optimizer & Record<string, Variable | undefined>;

/** @throws EspalierError INVALID_ARGUMENT for an optimizer whose state tfjs cannot give (Adamax) */
export async function readOptimizer(optimizer: Optimizer): Promise<OptimizerState> {
  let weights: Awaited<ReturnType<Optimizer['getWeights']>>;
  try {
    weights = await optimizer.getWeights();
  } catch (cause) {
    const message = `optimizer: ${optimizer.getClassName()} cannot be saved by tfjs: ${(cause as Error).message}`;
    throw new EspalierError('INVALID_ARGUMENT', message, { parameter: 'optimizer' }, cause);
  }
  const slots = weights.map(({ name, tensor }) => ({
    name,
    shape: [...tensor.shape],
    dtype: tensor.dtype as 'float32' | 'int32',
    data: tensor.dataSync().slice() as Float32Array | Int32Array,
  }));
  const scalars: Record<string, number> = {};
  for (const name of SCALARS) {
    const value = (optimizer as Open)[name];
    if (value && typeof value.dataSync === 'function') scalars[name] = value.dataSync()[0]!;
  }
  return { className: optimizer.getClassName(), config: optimizer.getConfig(), slots, scalars };
}

/** @throws EspalierError INVALID_DATA for a class that tfjs does not have */
export function makeOptimizer(className: string, config: Record<string, unknown>): Optimizer {
  const tf = tensorflow();
  const classes: Record<string, unknown> = {
    SGD: tf.SGDOptimizer,
    Momentum: tf.MomentumOptimizer,
    Adam: tf.AdamOptimizer,
    Adagrad: tf.AdagradOptimizer,
    Adadelta: tf.AdadeltaOptimizer,
    RMSProp: tf.RMSPropOptimizer,
  };
  if (!Object.hasOwn(classes, className)) {
    throw invalid('INVALID_DATA', 'optimizer', `a class among ${Object.keys(classes).join(', ')}`, className);
  }
  const Class = classes[className] as { fromConfig(cls: unknown, config: unknown): Optimizer };
  return Class.fromConfig(Class, config);
}

export async function writeOptimizer(optimizer: Optimizer, state: OptimizerState): Promise<void> {
  const tf = tensorflow();
  if (optimizer.getClassName() !== state.className) {
    throw invalid(
      'INVALID_ARGUMENT',
      'optimizer',
      `${state.className}, as was saved`,
      optimizer.getClassName(),
    );
  }
  const slots = state.slots.map(({ name, shape, dtype, data }) => ({
    name,
    tensor: tf.tensor(data, shape, dtype),
  }));
  await optimizer.setWeights(slots);
  // setWeights makes variables of these by cloning.
  for (const { tensor } of slots) tensor.dispose();
  for (const [name, value] of Object.entries(state.scalars)) {
    const variable = (optimizer as Open)[name];
    if (SCALARS.includes(name) && variable) tf.tidy(() => variable.assign(tf.scalar(value)));
  }
}
