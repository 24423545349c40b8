/**
 * Program: what the engine *does*. Plain data, made from a Network by `compile` (pure TypeScript), stored in
 * an .esp file, checked again and run by the addon.
 *
 * A value is `features` float32 numbers a sample, row-major over the sample's own shape. Inside the engine
 * values lie features x batch.
 */
import type { Operation } from './operations/registry.js';

export type { Activation, ActivationKind } from './activation.js';
export type { Matrix } from './matrix.js';
export type { Operation };

export const PROGRAM_VERSION = 1;

export interface ProgramValue {
  /** float32 numbers a sample. */
  readonly features: number;
}

export interface ProgramPort {
  readonly name: string;
  /** With the batch first, null. */
  readonly shape: readonly (number | null)[];
  readonly dtype: 'float32';
  /** Index into `values`. */
  readonly value: number;
}

/**
 * Operations are in an order in which they can be computed; each value is an input of the program or the
 * output of exactly one operation. An input may be an output too. Reshapes are no operations: they share a value.
 */
export interface Program {
  readonly version: number;
  readonly name: string;
  readonly values: readonly ProgramValue[];
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  readonly operations: readonly Operation[];
}
