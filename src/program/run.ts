/**
 * A Program computed plainly in float64, one sample at a time: what the compiler and the engine are held against. NaN
 * and infinities go where docs/numbers.md says.
 */
import type { Activation } from './activation.js';
import { inputsOf, type Numbers } from './definition.js';
import { denseValues } from './dense.js';
import { definitionOf } from './operations/registry.js';
import type { Program } from './program.js';

/** `apply` computes activations. The outputs come in order; what means nothing (the room after a plane) is NaN. */
export function runProgram(
  program: Program,
  inputs: readonly ArrayLike<number>[],
  apply: (activation: Activation, x: number) => number,
): number[][] {
  const values: Numbers[] = [];
  program.inputs.forEach((port, index) => (values[port.value] = Array.from(inputs[index] ?? [])));
  for (const operation of program.operations) {
    const given = inputsOf(operation).map((value) => values[value] ?? []);
    const weight = 'weight' in operation ? denseValues(operation.weight) : [];
    const y = definitionOf(operation).reference(operation, given, { weight, apply });
    const { activation } = operation as { activation?: Activation };
    values[operation.output] = activation === undefined ? y : y.map((v) => apply(activation, Math.fround(v)));
  }
  return program.outputs.map((port) => [...(values[port.value] ?? [])]);
}
