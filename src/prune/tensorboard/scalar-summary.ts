/** Scalars in event files as TensorFlow 2 and tfmot write them. */
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export type SummaryWriter = ReturnType<ReturnType<typeof tensorflow>['node']['summaryFileWriter']>;

/** What tfjs-node's writer is made of; its own `histogram` goes the same way. */
interface Internals {
  resourceHandle: unknown;
  backend: {
    getInputTensorIds(tensors: unknown[]): number[];
    binding: {
      TF_INT64: number;
      TF_FLOAT: number;
      TF_ATTR_TYPE: number;
      createTensor(shape: number[], dtype: number, values: Int32Array): number;
      deleteTensor(id: number): void;
      executeOp(name: string, attributes: object[], inputs: number[], outputs: number): unknown;
    };
  };
}

/** SummaryMetadata { plugin_data { plugin_name: "scalars" } } of TensorFlow's summary.proto, serialised. */
const METADATA = '\n\t\n\u0007scalars';

/**
 * `tf.summary.scalar` of TensorFlow 2: a tensor with the plugin "scalars". The writer's own `scalar` writes the simple
 * value of TensorFlow 1, which TensorBoard draws the same but which its reader lists apart.
 */
export function writeScalar(writer: SummaryWriter, tag: string, value: number, step: number): void {
  const { backend, resourceHandle } = writer as unknown as Internals;
  if (typeof backend?.binding?.executeOp !== 'function' || typeof backend.getInputTensorIds !== 'function') {
    return writer.scalar(tag, value, step);
  }
  const tf = tensorflow();
  const { binding } = backend;
  tf.tidy(() => {
    const tensors = [
      resourceHandle,
      tf.scalar(value),
      tf.scalar(tag, 'string'),
      tf.scalar(METADATA, 'string'),
    ];
    const [resource, data, name, metadata] = backend.getInputTensorIds(tensors) as [
      ...[number, number, number, number],
    ];
    // tfjs has no int64: the low and the high half.
    const halves = Int32Array.of(step % 2 ** 32, Math.floor(step / 2 ** 32));
    const at = binding.createTensor([], binding.TF_INT64, halves);
    const attributes = [{ name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }];
    binding.executeOp('WriteSummary', attributes, [resource, at, data, name, metadata], 0);
    binding.deleteTensor(at);
  });
}
