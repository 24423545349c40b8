/**
 * Clients send the same JSON header before ever new tensors: what was read and checked of it once holds for the same
 * bytes again. Kept for each version, as its ports decide what is right.
 */
import type { InferRequest, Plan } from './types.js';

const MOST = 64;
/** Longer headers are seldom sent twice. */
const LONGEST = 2048;

export class Plans {
  /** By the header, a character a byte; the oldest goes first. */
  readonly #plans = new Map<string, Plan>();

  get size(): number {
    return this.#plans.size;
  }

  /** The request that these bytes make, where its header is known and its tensors are as long as that says. */
  find(body: Buffer, headerLength: number): InferRequest | undefined {
    if (headerLength > LONGEST || this.#plans.size === 0) return undefined;
    const key = body.toString('latin1', 0, headerLength);
    const plan = this.#plans.get(key);
    if (plan === undefined || body.length !== headerLength + plan.length) return undefined;
    const inputs = plan.inputs.map(({ at, size }) =>
      body.subarray(headerLength + at, headerLength + at + size),
    );
    return { ...plan.request, inputs, plan };
  }

  /** Keeps a header that was found right; one with an id is not likely to come again. */
  keep(body: Buffer, headerLength: number, plan: Plan): void {
    if (headerLength > LONGEST || plan.request.id !== undefined) return;
    if (this.#plans.size >= MOST) this.#plans.delete(this.#plans.keys().next().value!);
    this.#plans.set(body.toString('latin1', 0, headerLength), plan);
  }
}
