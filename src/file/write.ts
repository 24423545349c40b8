/** A Program as the bytes of an .esp file; docs/format.md describes every one of them. */
import { checkProgram } from '../program/check.js';
import { inputsOf, type WriteContext } from '../program/definition.js';
import { definitionOf } from '../program/operations/registry.js';
import type { Matrix, Program, ProgramPort } from '../program/program.js';
import { EspalierError } from '../errors.js';
import { PoolWriter } from './pools.js';
import { encodeRuns, runBytes } from './runs.js';
import { writeSafetensors } from '../safetensors.js';
import { encodeValues } from './values.js';

/** The non-zeros of a dense matrix: csrFromDense. */
export type CsrOf = (
  values: Float32Array,
  rows: number,
  cols: number,
) => Pick<Extract<Matrix, { format: 'csr' }>, 'rowPtr' | 'colIdx' | 'values'>;

/**
 * The same program gives the same bytes. Its matrices are CSR, or dense, and `csrOf` gives their non-zeros when their
 * turn comes: 12 bytes a weight of all at once would be most of what converting takes. One that several operations share
 * is stored once.
 * Throws INVALID_MODEL unless the program is whole (`checkProgram`).
 */
export function writeProgram(program: Program, csrOf?: CsrOf): Uint8Array {
  checkProgram(program);
  const pools = new PoolWriter();
  const matrices = new Map<Matrix, { index: number; json: Record<string, unknown> }>();
  const context: WriteContext = {
    vector: (values) => pools.vector(values),
    indices: (values) => pools.append('indices', values),
    matrix(matrix) {
      let known = matrices.get(matrix);
      if (known === undefined) {
        const csr =
          matrix.format === 'dense' && csrOf !== undefined
            ? {
                ...{ format: 'csr' as const, rows: matrix.rows, cols: matrix.cols },
                ...csrOf(matrix.values, matrix.rows, matrix.cols),
              }
            : matrix;
        known = { index: matrices.size, json: writeMatrix(csr, pools) };
        matrices.set(matrix, known);
      }
      return known.index;
    },
  };
  // Values are numbered anew: the inputs, then what each operation makes. So outputs need no mention.
  const number = new Map<number, number>();
  for (const port of program.inputs) number.set(port.value, number.size);
  const operations = program.operations.map((operation) => {
    const inputs = inputsOf(operation).map((value) => number.get(value) as number);
    const previous = number.size - 1;
    number.set(operation.output, number.size);
    return {
      op: operation.op,
      name: operation.name,
      ...(inputs.length === 1 && inputs[0] === previous ? {} : { inputs }),
      ...definitionOf(operation).write(operation, context),
    };
  });
  const port = ({ name, shape }: ProgramPort) => ({ name, shape });
  const json = {
    version: program.version,
    name: program.name,
    inputs: program.inputs.map(port),
    outputs: program.outputs.map((output) => ({ ...port(output), value: number.get(output.value) })),
    matrices: [...matrices.values()].map((known) => known.json),
    operations,
  };
  return writeSafetensors({
    metadata: { format: 'espalier', program: JSON.stringify(json) },
    tensors: pools.tensors(),
  });
}

/** A matrix in the table of matrices; its parts go to the pools. */
export function writeMatrix(matrix: Matrix, pools: PoolWriter): Record<string, unknown> {
  if (matrix.format !== 'csr') {
    throw new EspalierError('INTERNAL', 'only CSR matrices are stored: csrFromDense comes first');
  }
  const { rows, cols } = matrix;
  const sizes = runBytes(matrix, rows, cols);
  const bits = sizes.indexOf(Math.min(...sizes));
  const bytes = sizes[bits] as number;
  const { dtype, codes, palette, tops, high, scales } = encodeValues(matrix.values, matrix.rowPtr);
  return {
    rows,
    cols,
    bits,
    runs: pools.append('runs', encodeRuns(matrix, rows, cols, bits, bytes)),
    dtype,
    values: pools.append(`values.${dtype}`, codes),
    ...(palette === undefined ? {} : { palette: pools.append('palettes', palette) }),
    ...(high === undefined ? {} : { tops, high: pools.append('high', high) }),
    ...(scales === undefined ? {} : { scales: pools.append('scales', scales) }),
  };
}
