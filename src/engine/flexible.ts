/** Models whose inputs have flexible sizes: a program of its own for each shape, made when it first comes. */
import type { Program } from '../program/program.js';
import { EspalierError } from '../errors.js';
import type { Shape } from '../network/types.js';
import { sampleShapes, type PortInfo } from './tensors.js';

/** What a flexible model is made of; the shapes of its ports have null where they are flexible. */
export interface FlexiblePlan {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly shape: Shape }[];
  readonly outputs: readonly { readonly name: string; readonly shape: Shape }[];
  /** The program for these shapes of the inputs, without the batch; its matrices are CSR. */
  readonly specialise: (shapes: readonly (readonly number[])[]) => Program;
}

/** Programs that are kept, the last used first out last. */
const MOST_SHAPES = 8;

interface Fixed {
  memory(): number;
  dispose(): void;
}

/**
 * The models that a flexible model has become so far, one for each set of input shapes. Compiling takes milliseconds,
 * so the last MOST_SHAPES that were used are kept; those that bound functions run on are kept as long as this lives.
 */
export class ShapeCache<Model extends Fixed> {
  readonly #models = new Map<string, Model>();
  /** Those that callers hold functions of: never dropped. */
  readonly #held = new Set<Model>();
  #last: Model | null = null;
  #disposed = false;

  constructor(
    private readonly plan: FlexiblePlan,
    private readonly ports: readonly PortInfo[],
    private readonly make: (program: Program) => Model,
  ) {}

  /** The model for the shapes of these inputs. Throws INVALID_INPUT, DISPOSED, and as compiling does. */
  at(inputs: unknown, hold = false): Model {
    this.#alive();
    const shapes = sampleShapes(this.ports, inputs);
    const key = JSON.stringify(shapes);
    const known = this.#models.get(key);
    const model = known ?? this.make(this.plan.specialise(shapes));
    this.#models.delete(key);
    this.#models.set(key, model);
    if (hold) this.#held.add(model);
    this.#last = model;
    this.#drop();
    return model;
  }

  /** That of the last call. */
  last(): Model {
    this.#alive();
    if (this.#last === null) {
      throw new EspalierError(
        'INVALID_ARGUMENT',
        'the sizes of this model are flexible: run it once before',
        {
          parameter: 'batch',
          expected: 'a call of run or runSync before',
        },
      );
    }
    return this.#last;
  }

  memory(): number {
    this.#alive();
    return [...this.#models.values()].reduce((sum, model) => sum + model.memory(), 0);
  }

  dispose(): void {
    for (const model of this.#models.values()) model.dispose();
    this.#models.clear();
    this.#last = null;
    this.#disposed = true;
  }

  #alive(): void {
    if (this.#disposed) throw new EspalierError('DISPOSED', 'the model is disposed', { parameter: 'model' });
  }

  #drop(): void {
    for (const [key, model] of this.#models) {
      if (this.#models.size <= MOST_SHAPES) return;
      if (this.#held.has(model) || model === this.#last) continue;
      this.#models.delete(key);
      model.dispose();
    }
  }
}
