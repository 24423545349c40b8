/** An activation of its own joins the operation before it, which then applies it to its result while it is at hand. */
import type { Program } from '../../program/program.js';
import { Sweep, usesOf } from './uses.js';

export function fuseActivation(program: Program): Program {
  const uses = usesOf(program);
  const sweep = new Sweep();
  for (const operation of program.operations) {
    const before = operation.op === 'activate' ? sweep.maker(operation.input) : undefined;
    if (
      operation.op === 'activate' &&
      before !== undefined &&
      'activation' in before &&
      before.activation.kind === 'linear' &&
      uses.count(operation.input) === 1
    ) {
      sweep.replace(operation.input, {
        ...before,
        output: operation.output,
        activation: operation.activation,
      });
    } else sweep.push(operation);
  }
  return { ...program, operations: sweep.operations() };
}
