/** TensorBoard logs by tfjs-node's own writer, in the folders and with the tags that Keras uses. */
import { join } from 'node:path';
import type { EpochRecord } from './fit.js';
import type { TensorFlow } from '../tensorflow/load.js';

export interface TensorBoardLog {
  step(step: number, values: Record<string, number>): void;
  epoch(record: EpochRecord): void;
  flush(): void;
}

/** Undefined with pure-JavaScript tfjs, which has no writer. */
export function openTensorBoard(tensorflow: TensorFlow, folder: string): TensorBoardLog | undefined {
  if (tensorflow.package !== 'tfjs-node') return undefined;
  const { tf } = tensorflow;
  const train = tf.node.summaryFileWriter(join(folder, 'train'));
  const validation = tf.node.summaryFileWriter(join(folder, 'validation'));
  return {
    step(step, values) {
      for (const [tag, value] of Object.entries(values)) train.scalar(tag, value, step);
    },
    epoch({ epoch, loss, validationRmse, learningRate }) {
      train.scalar('epoch_loss', loss, epoch);
      train.scalar('epoch_learning_rate', learningRate, epoch);
      validation.scalar('epoch_rmse', validationRmse, epoch);
      train.flush();
      validation.flush();
    },
    flush() {
      train.flush();
      validation.flush();
    },
  };
}
