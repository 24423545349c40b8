/** Two kernels of tfjs-node by TensorFlow's own operations: what tfjs builds from many small ones. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { TF, TensorFlow } from '../tensorflow/load.js';

interface NodeBackend {
  binding: { TF_ATTR_TYPE: number; TF_FLOAT: number; TF_INT32: number };
  executeSingleOutput(
    name: string,
    attributes: { name: string; type: number; value: unknown }[],
    inputs: Tensor[],
  ): Tensor;
}

const accelerated = new WeakSet<object>();

function nodeBackend(tf: TF): NodeBackend {
  return tf.backend() as unknown as NodeBackend;
}

/**
 * The gradient of relu is a step function, which tfjs-node makes of eight operations over the whole batch. Sign of Relu
 * is the same number for every input, and takes a quarter off the time of a training step.
 */
export function accelerate({ tf, package: origin }: TensorFlow): void {
  if (origin !== 'tfjs-node' || accelerated.has(tf)) return;
  accelerated.add(tf);
  const own = tf.getKernel('Step', 'tensorflow');
  tf.unregisterKernel('Step', 'tensorflow');
  tf.registerKernel({
    ...own,
    kernelFunc: (call) => {
      const x = call.inputs.x as Tensor;
      const alpha = (call.attrs as { alpha?: number } | undefined)?.alpha ?? 0;
      if (x.dtype !== 'float32' || alpha !== 0) return own.kernelFunc(call);
      const backend = nodeBackend(tf);
      const type = [{ name: 'T', type: backend.binding.TF_ATTR_TYPE, value: backend.binding.TF_FLOAT }];
      const positive = backend.executeSingleOutput('Relu', type, [x]);
      const step = backend.executeSingleOutput('Sign', type, [positive]);
      positive.dispose();
      return step;
    },
  });
}

/**
 * Uniform numbers in [0, 1) that depend on the shape and the two seeds only. tfjs's own are made one by one in
 * JavaScript, which takes longer than the training step around them.
 */
export function statelessUniform(
  { tf, package: origin }: TensorFlow,
  shape: number[],
  seed: number,
  step: number,
): Tensor {
  if (origin !== 'tfjs-node') return tf.randomUniform(shape, 0, 1, 'float32', `${seed}/${step}`);
  return tf.tidy(() => {
    const backend = nodeBackend(tf);
    const { TF_ATTR_TYPE: type, TF_FLOAT, TF_INT32 } = backend.binding;
    return backend.executeSingleOutput(
      'StatelessRandomUniform',
      [
        { name: 'T', type, value: TF_INT32 },
        { name: 'dtype', type, value: TF_FLOAT },
        { name: 'Tseed', type, value: TF_INT32 },
      ],
      [tf.tensor1d(shape, 'int32'), tf.tensor1d([seed | 0, step | 0], 'int32')],
    );
  });
}
