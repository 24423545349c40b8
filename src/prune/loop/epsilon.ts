/** Adam as Keras computes it, with the Adam of tfjs. */

interface Adam {
  epsilon: number;
  beta2: number;
  iterations: number;
  getConfig(): Record<string, unknown>;
}

/**
 * Keras: w -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + e); tfjs adds e to the bias-corrected root instead,
 * which is the same as e * sqrt(1 - b2^t) in Keras's place. So at step t tfjs is given e / sqrt(1 - b2^t).
 */
export class KerasEpsilon {
  readonly optimizer: object;
  readonly #adam: Adam;
  readonly #epsilon: number;

  private constructor(optimizer: object) {
    this.optimizer = optimizer;
    this.#adam = optimizer as Adam;
    this.#epsilon = this.#adam.epsilon;
    // What is saved or copied is the epsilon that was asked for.
    const config = this.#adam.getConfig.bind(optimizer);
    this.#adam.getConfig = () => ({ ...config(), epsilon: this.#epsilon });
  }

  /** null for optimizers other than Adam. */
  static of(optimizer: object): KerasEpsilon | null {
    const { getClassName, epsilon, beta2 } = optimizer as Adam & { getClassName?: () => string };
    const adam = typeof getClassName === 'function' && getClassName.call(optimizer) === 'Adam';
    return adam && typeof epsilon === 'number' && typeof beta2 === 'number'
      ? new KerasEpsilon(optimizer)
      : null;
  }

  /** Before the optimizer's next update. */
  beginStep(): void {
    const adam = this.#adam;
    adam.epsilon = this.#epsilon / Math.sqrt(1 - Math.pow(adam.beta2, adam.iterations + 1));
  }

  /** The optimizer is as it was. */
  restore(): void {
    this.#adam.epsilon = this.#epsilon;
    delete (this.#adam as Partial<Adam>).getConfig;
  }
}
