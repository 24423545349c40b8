/** Knowledge distillation: the pruned network learns from the dense one too. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { invalid, requireKeys } from '../../errors.js';
import { isModel, traineeOf } from '../../tensorflow/layer-tree.js';
import { tensorflow } from '../../tensorflow/of-the-caller.js';

export interface Distillation {
  /** The dense model, trained; it is not changed. */
  teacher: LayersModel;
  /** Share of the teacher in the loss, in [0, 1]. Default 0.5. */
  alpha?: number;
  /** Softens probabilities before they are compared; for classifiers by a cross-entropy of tfjs. Default 2. */
  temperature?: number;
}

type Loss = (truth: Tensor, prediction: Tensor) => Tensor;
type Train = (data: Tensor[]) => Tensor[];
interface Trainee {
  lossFunctions: Loss[];
  loss: unknown;
  outputNames: string[];
  makeTrainFunction?: () => Train;
}

const TEMPERATURE = 2;
/** Losses over the classes of a softmax, by the names tfjs has for them. */
const OVER_CLASSES = ['categoricalCrossentropy', 'sparseCategoricalCrossentropy'];

/**
 * loss = (1 - alpha) · loss(truth, student) + alpha · soft(teacher, student), for each sample, so that class weights
 * weigh both. For tfjs's categorical cross-entropies, in whatever form they were given to compile,
 * soft = T² · KL(teacher^(1/T) ‖ student^(1/T)), each normalised again: the softmax of logits divided by T.
 * Hinton et al. 2015, arXiv:1503.02531. For other losses, soft is the loss itself with the teacher for truth.
 * One output. The teacher answers for each batch that tfjs trains on, by whichever method; validation does not ask it.
 */
export class Distiller {
  readonly #options: Required<Distillation>;
  readonly #trainee: Trainee;
  readonly #original: Loss;
  readonly #overClasses: boolean;
  #answer: Tensor | null = null;

  /** @throws EspalierError INVALID_ARGUMENT */
  constructor(model: LayersModel, distillation: Distillation) {
    requireKeys('distillation', distillation, ['teacher', 'alpha', 'temperature']);
    const { teacher, alpha = 0.5, temperature = TEMPERATURE } = distillation;
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
    this.#trainee = traineeOf(model) as Trainee;
    this.#original = this.#trainee.lossFunctions[0]!;
    this.#overClasses = isOverClasses(this.#trainee);
    if (!this.#overClasses && temperature !== TEMPERATURE) {
      const expected = `no temperature, as the loss is none of ${OVER_CLASSES.join(', ')} (a function of your own is not known to be one)`;
      throw invalid('INVALID_ARGUMENT', 'temperature', expected, temperature);
    }
    this.#trainee.lossFunctions[0] = (truth, prediction) => this.#loss(truth, prediction);
    const make = this.#trainee.makeTrainFunction!.bind(this.#trainee);
    this.#trainee.makeTrainFunction = () => {
      const train = make();
      return (data) => this.#taught(data.slice(0, model.inputs.length), () => train(data));
    };
  }

  release(): void {
    this.#trainee.lossFunctions[0] = this.#original;
    delete this.#trainee.makeTrainFunction;
  }

  /** The teacher answers for the batch; outside of `train` the loss is the model's own. */
  #taught<T>(inputs: Tensor[], train: () => T): T {
    const tf = tensorflow();
    const { teacher } = this.#options;
    const answer = tf.tidy(() => teacher.predictOnBatch(inputs.length === 1 ? inputs[0]! : inputs) as Tensor);
    this.#answer = tf.keep(answer);
    try {
      return train();
    } finally {
      this.#answer = null;
      answer.dispose();
    }
  }

  #loss(truth: Tensor, prediction: Tensor): Tensor {
    if (this.#answer === null) return this.#original(truth, prediction);
    const { alpha } = this.#options;
    const hard = this.#original(truth, prediction);
    return hard.mul(1 - alpha).add(this.#soft(this.#answer, prediction).mul(alpha));
  }

  #soft(teacher: Tensor, student: Tensor): Tensor {
    if (!this.#overClasses) return this.#original(teacher, student);
    const { temperature: t } = this.#options;
    const logSoftened = (p: Tensor) => tensorflow().logSoftmax(p.clipByValue(1e-7, 1).log().div(t));
    const log = logSoftened(teacher);
    return log
      .exp()
      .mul(log.sub(logSoftened(student)))
      .sum(-1)
      .mul(t * t);
  }
}

/** Known by name or by being tfjs's own function, alone, in an array or by the output's name. */
function isOverClasses({ loss, outputNames }: Trainee): boolean {
  const given: unknown = Array.isArray(loss)
    ? loss[0]
    : typeof loss === 'object' && loss !== null
      ? (loss as Record<string, unknown>)[outputNames[0]!]
      : loss;
  const functions = tensorflow().metrics as unknown as Record<string, unknown>;
  return OVER_CLASSES.some((name) => given === name || (given !== undefined && given === functions[name]));
}
