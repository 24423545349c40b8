/** Knowledge distillation: the pruned network learns from the dense one too. */
import type { LayersModel, ModelFitArgs, Tensor } from '@tensorflow/tfjs-node';
import { invalid } from '../../errors.js';
import { isModel } from '../which/registry.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface Distillation {
  /** The dense model, trained; it is not changed. */
  teacher: LayersModel;
  /** Share of the teacher in the loss, in [0, 1]. Default 0.5. */
  alpha?: number;
  /** Softens probabilities before they are compared; for classifiers. Default 2. */
  temperature?: number;
}

type Loss = (truth: Tensor, prediction: Tensor) => Tensor;
interface Trainee {
  lossFunctions: Loss[];
  loss: unknown;
}

/**
 * loss = (1 - alpha) · loss(truth, student) + alpha · soft(teacher, student). For a cross-entropy,
 * soft = T² · KL(teacher^(1/T) ‖ student^(1/T)), each normalised again: the softmax of logits divided by T.
 * Hinton et al. 2015, arXiv:1503.02531. For other losses, soft is the loss itself with the teacher for truth.
 * One output.
 */
export class Distiller {
  readonly #options: Required<Distillation>;
  readonly #trainee: Trainee;
  readonly #original: Loss;
  #answer: Tensor | null = null;

  /** @throws EspalierError INVALID_ARGUMENT */
  constructor(model: LayersModel, { teacher, alpha = 0.5, temperature = 2 }: Distillation) {
    if (!isModel(teacher) || (teacher as unknown) === model) {
      throw invalid('INVALID_ARGUMENT', 'teacher', 'another LayersModel', teacher);
    }
    if (typeof alpha !== 'number' || !(alpha >= 0 && alpha <= 1)) {
      throw invalid('INVALID_ARGUMENT', 'alpha', 'a number in [0, 1]', alpha);
    }
    if (typeof temperature !== 'number' || !(temperature > 0 && temperature < Infinity)) {
      throw invalid('INVALID_ARGUMENT', 'temperature', 'a number > 0', temperature);
    }
    const shapes = [model, teacher].map((m) => JSON.stringify(m.outputs.map(({ shape }) => shape)));
    if (model.outputs.length !== 1 || shapes[0] !== shapes[1]) {
      throw invalid('INVALID_ARGUMENT', 'teacher', `a model with the one output ${shapes[0]}`, shapes[1]);
    }
    this.#options = { teacher, alpha, temperature };
    this.#trainee = ((model as unknown as { model?: unknown }).model ?? model) as Trainee;
    this.#original = this.#trainee.lossFunctions[0]!;
    this.#trainee.lossFunctions[0] = (truth, prediction) => this.#loss(truth, prediction);
  }

  /**
   * A dataset for `fitDataset` of the batches of these tensors, in a shuffled or given order. The teacher answers for
   * each before tfjs trains on it.
   * @throws EspalierError INVALID_ARGUMENT for anything but one input and one output tensor
   */
  batchesOf(x: unknown, y: unknown, args: Pick<ModelFitArgs, 'batchSize' | 'shuffle' | 'validationSplit'>) {
    const tf = tensorflow();
    if (!(x instanceof tf.Tensor && y instanceof tf.Tensor) || args.validationSplit) {
      const expected = 'one input and one output tensor, and validationData';
      throw invalid('INVALID_ARGUMENT', 'distillation', expected, x);
    }
    const [inputs, outputs] = [x as Tensor, y as Tensor];
    const size = args.batchSize ?? 32;
    const samples = inputs.shape[0];
    const begin = (batch: Tensor) => this.beginBatch(batch);
    return tf.data.generator(async function* () {
      const order = Int32Array.from({ length: samples }, (_, i) => i);
      if (args.shuffle ?? true) tf.util.shuffle(order);
      for (let at = 0; at < samples; at += size) {
        const batch = tf.tidy(() => {
          const rows = tf.tensor1d(order.slice(at, at + size), 'int32');
          return { xs: tf.gather(inputs, rows), ys: tf.gather(outputs, rows) };
        });
        begin(batch.xs);
        yield batch;
      }
    } as never);
  }

  /** The teacher answers for the batch that is trained on next. */
  beginBatch(x: Tensor | Tensor[]): void {
    const tf = tensorflow();
    this.endBatch();
    this.#answer = tf.tidy(() => this.#options.teacher.predictOnBatch(x) as Tensor);
    tf.keep(this.#answer);
  }

  /** From here on the loss is the model's own again: validation does not ask the teacher. */
  endBatch(): void {
    this.#answer?.dispose();
    this.#answer = null;
  }

  release(): void {
    this.endBatch();
    this.#trainee.lossFunctions[0] = this.#original;
  }

  #loss(truth: Tensor, prediction: Tensor): Tensor {
    if (this.#answer === null) return this.#original(truth, prediction);
    const { alpha } = this.#options;
    const hard = this.#original(truth, prediction).mean();
    return hard.mul(1 - alpha).add(this.#soft(this.#answer, prediction).mul(alpha));
  }

  #soft(teacher: Tensor, student: Tensor): Tensor {
    if (!String(this.#trainee.loss).toLowerCase().includes('categoricalcrossentropy')) {
      return this.#original(teacher, student).mean();
    }
    const { temperature: t } = this.#options;
    const logSoftened = (p: Tensor) => tensorflow().logSoftmax(p.clipByValue(1e-7, 1).log().div(t));
    const log = logSoftened(teacher);
    return log
      .exp()
      .mul(log.sub(logSoftened(student)))
      .sum(-1)
      .mean()
      .mul(t * t);
  }
}
