/** Who uses what: the facts that passes ask before they change a program. */
import { inputsOf } from '../../program/definition.js';
import type { Matrix, Operation, Program } from '../../program/program.js';

export interface Uses {
  /** Uses of a value by operations and outputs. */
  readonly count: (value: number) => number;
  readonly matrixUses: (matrix: Matrix) => number;
}

export function usesOf(program: Program): Uses {
  const counts = new Map<number, number>();
  const matrices = new Map<Matrix, number>();
  const use = (value: number): void => void counts.set(value, (counts.get(value) ?? 0) + 1);
  for (const operation of program.operations) {
    for (const input of inputsOf(operation)) use(input);
    if ('weight' in operation) matrices.set(operation.weight, (matrices.get(operation.weight) ?? 0) + 1);
  }
  for (const port of program.outputs) use(port.value);
  return {
    count: (value) => counts.get(value) ?? 0,
    matrixUses: (matrix) => matrices.get(matrix) ?? 0,
  };
}

/**
 * The operations in order, as a pass goes through them once: it may look up what makes a value so far, put another in
 * its place, or take it out.
 */
export class Sweep {
  readonly #operations: (Operation | null)[] = [];
  readonly #at = new Map<number, number>();

  maker(value: number): Operation | undefined {
    return this.#operations[this.#at.get(value) ?? -1] ?? undefined;
  }

  push(operation: Operation): void {
    this.#at.set(operation.output, this.#operations.length);
    this.#operations.push(operation);
  }

  /** Puts an operation where the maker of `value` is; its output may be another. */
  replace(value: number, operation: Operation): void {
    const at = this.#at.get(value) as number;
    this.#at.delete(value);
    this.#at.set(operation.output, at);
    this.#operations[at] = operation;
  }

  remove(value: number): void {
    this.#operations[this.#at.get(value) as number] = null;
    this.#at.delete(value);
  }

  operations(): Operation[] {
    return this.#operations.filter((operation) => operation !== null);
  }
}

/** The operation with its inputs renamed. */
export function withInputs(operation: Operation, now: (value: number) => number): Operation {
  return 'inputs' in operation
    ? { ...operation, inputs: operation.inputs.map(now) }
    : { ...operation, input: now(operation.input) };
}
