/**
 * What an operation is: one object, in a file of its own in operations/, from which operations/registry.ts makes the
 * union of their types, the checks, the reading and writing of files, the plain executor, the cases that tests run over,
 * and the table of docs/format.md.
 */
import type { Activation } from './activation.js';
import type { Matrix } from './matrix.js';

export type Json = Record<string, unknown>;
export type Numbers = readonly number[];

interface Common<Op extends string> {
  readonly op: Op;
  /** The layer's, for messages. */
  readonly name: string;
  /** The value that it makes. */
  readonly output: number;
}
/** An operation of one input, a value. */
export interface OneInput<Op extends string> extends Common<Op> {
  readonly input: number;
}
/** An operation of several inputs, values. */
export interface ManyInputs<Op extends string> extends Common<Op> {
  readonly inputs: readonly number[];
}
export type AnyOperation = OneInput<string> | ManyInputs<string>;

/** What an operation has of its own. */
export type Settings<O> = Omit<O, 'op' | 'name' | 'input' | 'inputs' | 'output'>;

/** Where the arrays of an operation go in a file. */
export interface WriteContext {
  /** Where the vector starts. */
  readonly vector: (values: Float32Array) => number;
  /** The range that the indices take up. */
  readonly indices: (values: Int32Array) => [number, number];
  /** The index of a matrix in the table of matrices. */
  readonly matrix: (matrix: Matrix) => number;
}

export interface ReadContext {
  /** For messages. */
  readonly name: string;
  readonly vector: (start: unknown, length: number, what: string) => Float32Array;
  readonly indices: (range: unknown, what: string) => Int32Array;
  readonly matrix: (index: unknown) => Matrix;
}

export interface ReferenceContext {
  /** The operation's `weight`, row-major with its zeros; empty without one. */
  readonly weight: ArrayLike<number>;
  readonly apply: (activation: Activation, x: number) => number;
}

/** An operation to test with. */
export interface OperationCase<O> {
  /** What is special of it. */
  readonly name: string;
  /** Of each input the number of features, or the numbers themselves where not any will do. */
  readonly inputs: readonly (number | Numbers)[];
  readonly settings: Settings<O>;
}

export interface OperationDefinition<O extends AnyOperation> {
  readonly op: O['op'];
  /** It has `inputs`, not `input`. */
  readonly manyInputs: O extends ManyInputs<string> ? true : false;
  /** The names that a setting may have, in the order in which a file numbers them: new ones come last. */
  readonly choices?: {
    readonly [K in keyof Settings<O> as Settings<O>[K] extends string ? K : never]: readonly Settings<O>[K][];
  };
  /** For docs/format.md, one line. */
  readonly computes: string;
  /** Every key that `write` may give, and what docs/format.md says of it. */
  readonly keys: Readonly<Record<string, string>>;

  /** Checks settings and lengths against the features of the inputs; returns the features of the output. */
  features(operation: O, inputs: readonly number[]): number;
  /** Its settings as JSON. */
  write(operation: O, context: WriteContext): Json;
  /** Throws INVALID_MODEL; what `features` checks afterwards need not be checked here. */
  read(json: Json, context: ReadContext): Settings<O>;
  /** Computes one sample plainly in float64, but for an `activation`, which comes after. What means nothing is NaN. */
  reference(operation: O, inputs: readonly Numbers[], context: ReferenceContext): number[];
  cases(): readonly OperationCase<O>[];
}

/** The values that an operation reads. */
export function inputsOf(operation: AnyOperation): readonly number[] {
  return 'inputs' in operation ? operation.inputs : [operation.input];
}
