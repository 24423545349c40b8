/** The command `espalier inspect`: its options, and a model as tables. */
import Table from 'cli-table3';
import { Command } from 'commander';
import { invalid } from '../../errors.js';
import type { Inspection } from '../../inspect/inspect.js';
import type { ValueFormat } from '../../program/value-formats.js';
import { MAX_MEMORY, TIMEOUT, valuesOption } from '../options.js';
import { grouped, percent, shapeWithBatch } from '../format.js';
import { MODEL_SOURCES } from '../../import/formats.js';

/** `espalier inspect MODEL`. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description("tell a model's layers, weights and sparsity, and what the engine makes of them")
    .argument('<model>', MODEL_SOURCES)
    .option('--batch <size>', 'the batch size that layouts and kernels are chosen for', '1')
    .option('--tune', 'measure the layouts that could be the fastest, and keep that')
    .option('--cold', 'choose layouts for weights that come from memory at each call')
    .option('--values <format>', 'run the weights rounded: bf16, f16 or int8', valuesOption)
    .option(...MAX_MEMORY)
    .option(...TIMEOUT)
    .option('--json', 'print it as JSON')
    .action(
      async (
        source: string,
        options: {
          batch: string;
          tune?: boolean;
          cold?: boolean;
          values?: ValueFormat;
          maxMemory?: number;
          timeout?: number;
          json?: boolean;
        },
      ) => {
        const batch = Number(options.batch);
        if (!Number.isInteger(batch) || batch < 1) {
          throw invalid('INVALID_ARGUMENT', '--batch', 'a whole number of 1 or more', options.batch);
        }
        const { inspectModel } = await import('../../inspect/inspect.js');
        const inspection = await inspectModel(source, {
          batch,
          tune: options.tune,
          cold: options.cold,
          values: options.values,
          maxMemory: options.maxMemory,
          timeout: options.timeout,
        });
        console.log(options.json === true ? JSON.stringify(inspection, null, 2) : render(inspection));
      },
    );
}

function table(head: string[], rows: (string | number)[][], right: readonly number[]): string {
  const plain = { head: [] as string[], border: [] as string[], compact: true };
  const colAligns = head.map((_, column) => (right.includes(column) ? 'right' : 'left'));
  const made = new Table({ head, style: plain, colAligns });
  made.push(...rows);
  return made.toString();
}

function microseconds(ns: number | null): string {
  return ns === null ? '-' : `${(ns / 1000).toPrecision(3)} µs`;
}

function render(inspection: Inspection): string {
  const { name, fileBytes, inputs, outputs, layers, operations, totals, batch } = inspection;
  const port = (p: Inspection['inputs'][number]): string => `${p.name} ${shapeWithBatch(p.shape)} ${p.dtype}`;
  const parts = [
    `${name}${fileBytes === null ? '' : `, ${grouped(fileBytes)} bytes`}`,
    `inputs   ${inputs.map(port).join('\n         ')}`,
    `outputs  ${outputs.map(port).join('\n         ')}`,
  ];
  if (layers !== null) {
    parts.push(
      '\nThe network',
      table(
        ['layer', 'kind', 'output', 'parameters', 'non-zero', 'sparsity'],
        layers.map((l) => [
          l.name,
          l.kind,
          shapeWithBatch(l.shape),
          grouped(l.parameters),
          grouped(l.nonZero),
          percent(l.sparsity),
        ]),
        [3, 4, 5],
      ),
    );
  }
  if (inputs.some(({ shape }) => shape.slice(1).includes(null))) {
    parts.push('\nThe sizes of the inputs are flexible: a program is made for each shape that comes.');
    return parts.join('\n');
  }
  parts.push(
    `\nThe program, at batch ${batch}`,
    table(
      [
        'operation',
        'of layer',
        'matrix',
        'sparsity',
        'MACs',
        'effective',
        'layout',
        'kernel',
        'bytes',
        'predicted',
        'measured',
      ],
      operations.map((o) => [
        o.activation === null ? o.op : `${o.op} + ${o.activation}`,
        o.name,
        o.rows === 0 ? '-' : `${o.rows} x ${o.cols}`,
        percent(o.sparsity),
        grouped(o.macs),
        grouped(o.effectiveMacs),
        o.layout,
        o.kernel,
        grouped(o.bytes),
        microseconds(o.predictedNs),
        microseconds(o.measuredNs),
      ]),
      [3, 4, 5, 8, 9, 10],
    ),
    `${grouped(totals.nonZero)} of ${grouped(totals.weights)} weights, sparsity ${percent(totals.sparsity)}; ` +
      `${grouped(totals.effectiveMacs)} of ${grouped(totals.macs)} multiply-accumulates a sample; ` +
      `${grouped(totals.memory)} bytes in memory`,
  );
  return parts.join('\n');
}
