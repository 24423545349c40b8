/** What changes nothing is dropped, what nobody uses too, and values are numbered in the order in which they are made. */
import { inputsOf } from '../../program/definition.js';
import type { Operation, Program, ProgramPort } from '../../program/program.js';
import { withInputs } from './uses.js';

/** The program without operations that copy or that nobody reads, its values numbered anew. The last pass. Pure. */
export function tidy(program: Program): Program {
  return renumber(dropUnused(dropIdentities(program)));
}

/** y = 1 x + 0 and y = linear(x). */
function dropIdentities(program: Program): Program {
  const instead = new Map<number, number>();
  const now = (value: number): number => instead.get(value) ?? value;
  const operations: Operation[] = [];
  for (const operation of program.operations) {
    const moved = withInputs(operation, now);
    if (isIdentity(moved)) instead.set(moved.output, moved.input);
    else operations.push(moved);
  }
  const outputs = program.outputs.map((port) => ({ ...port, value: now(port.value) }));
  return { ...program, operations, outputs };
}

function isIdentity(operation: Operation): operation is Operation & { input: number } {
  if (operation.op === 'activate') return operation.activation.kind === 'linear';
  return (
    operation.op === 'affine' &&
    operation.activation.kind === 'linear' &&
    operation.scale.every((s) => s === 1) &&
    operation.offset.every((o) => o === 0)
  );
}

function dropUnused(program: Program): Program {
  const used = new Set(program.outputs.map((port) => port.value));
  const operations = [...program.operations].reverse().filter((operation) => {
    if (!used.has(operation.output)) return false;
    for (const input of inputsOf(operation)) used.add(input);
    return true;
  });
  return { ...program, operations: operations.reverse() };
}

/** Inputs first, then what each operation makes; values that nothing makes any more are gone. */
function renumber(program: Program): Program {
  const number = new Map<number, number>();
  for (const port of program.inputs) number.set(port.value, number.size);
  for (const operation of program.operations) number.set(operation.output, number.size);
  const now = (value: number): number => number.get(value) as number;
  const port = (p: ProgramPort): ProgramPort => ({ ...p, value: now(p.value) });
  const kept = [...number.keys()];
  return {
    ...program,
    values: kept.map((value) => ({ ...program.values[value] }) as Program['values'][number]),
    inputs: program.inputs.map(port),
    outputs: program.outputs.map(port),
    operations: program.operations.map((operation) => ({
      ...withInputs(operation, now),
      output: now(operation.output),
    })),
  };
}
