/** What a network weighs: files, memory, and the time until it answers first. */
import { bytes, time } from '../../measure/table.js';
import { colour } from '../palette.js';
import { share, type Case } from '../results.js';
import { number, type Chart, type Section } from '../section.js';

const KINDS = [
  ['dense', 'dense float32'],
  ['stripped', 'stripped, zeros in place'],
  ['esp', '.esp'],
] as const;

interface SizeRow {
  network: string;
  kind: string;
  coding: 'raw' | 'gzip -9';
  bytes: number;
}

function sizeRows(cases: readonly Case[]): SizeRow[] {
  return cases.flatMap((one) =>
    KINDS.flatMap(([key, kind]) => {
      const { raw, gzip } = one.network.sizes[key];
      return [
        { network: one.label, kind, coding: 'raw' as const, bytes: raw },
        ...(gzip === null ? [] : [{ network: one.label, kind, coding: 'gzip -9' as const, bytes: gzip }]),
      ];
    }),
  );
}

function sizeChart(cases: readonly Case[]): Chart {
  const values = sizeRows(cases).map((row) => ({ ...row, what: `${row.kind}, ${row.coding}` }));
  const domain = KINDS.flatMap(([, kind]) => [`${kind}, raw`, `${kind}, gzip -9`]);
  return {
    id: 'sizes',
    title: 'Bytes of the weights',
    description: 'Bars of bytes: dense, stripped and .esp, each raw and after gzip -9.',
    spec: (width) => ({
      data: { values },
      facet: { row: { field: 'network', title: null, header: { labelOrient: 'top', labelAnchor: 'start' } } },
      spacing: 12,
      spec: {
        width,
        height: { step: 17 },
        encoding: {
          y: {
            field: 'what',
            type: 'nominal',
            sort: domain,
            axis: { title: null, labelLimit: width < 400 ? 120 : 260, domain: false, ticks: false },
          },
          x: {
            field: 'bytes',
            type: 'quantitative',
            axis: { title: 'bytes', format: '~s', tickCount: width < 400 ? 3 : 6 },
            scale: { domainMax: Math.max(1, ...values.map((row) => row.bytes)) * 1.14 },
          },
        },
        layer: [
          {
            mark: { type: 'bar', height: 12 },
            encoding: {
              color: {
                field: 'kind',
                type: 'nominal',
                scale: {
                  domain: KINDS.map(([, kind]) => kind),
                  range: [colour('c2'), colour('c5'), colour('c0')],
                },
                legend: null,
              },
            },
          },
          {
            transform: [{ calculate: "format(datum.bytes, '.3~s')", as: 'text' }],
            mark: { type: 'text', align: 'left', dx: 4 },
            encoding: { text: { field: 'text' } },
          },
        ],
      },
    }),
  };
}

const grouped = (value: number) => value.toLocaleString('en-US');

export function sizes(cases: readonly Case[]): Section {
  return {
    id: 'sizes',
    title: 'Size',
    lead: 'Bytes of the weights as dense float32, stripped with the zeros in place, and as an .esp file.',
    charts: [sizeChart(cases)],
    tables: [
      {
        caption: 'Bytes raw and after gzip -9',
        columns: [
          { title: 'network' },
          { title: 'zeros', align: 'right' },
          { title: 'weights not zero', align: 'right' },
          ...['dense', 'dense, gzip', 'stripped', 'stripped, gzip', '.esp', '.esp, gzip', '.esp / dense'].map(
            (title) => ({ title, align: 'right' as const, unit: title.includes('/') ? undefined : 'bytes' }),
          ),
        ],
        rows: cases.map(({ label, network: { sparsity, nonzeros, sizes: own } }) => [
          label,
          number(sparsity, share),
          number(nonzeros, grouped),
          ...KINDS.flatMap(([key]) => [number(own[key].raw, grouped), number(own[key].gzip, grouped)]),
          number(own.dense.raw === 0 ? null : own.esp.raw / own.dense.raw, (value) => value.toFixed(3)),
        ]),
      },
    ],
    notes: [
      'The .esp file is told with its header. Of a model that came pruned the dense weights are not at hand: then only their raw size is known.',
    ],
  };
}

export function memory(cases: readonly Case[]): Section {
  const ms = (value: number) => time(value * 1000);
  return {
    id: 'memory',
    title: 'Load and memory',
    lead: 'The time until a fresh process has loaded the library and the network and answered first, and the memory it takes.',
    charts: [],
    tables: [
      {
        caption: 'Load, first inference and resident memory above an empty Node process',
        columns: [
          { title: 'network' },
          { title: 'engine' },
          { title: 'load', align: 'right', unit: 'ms' },
          { title: 'first inference', align: 'right', unit: 'ms' },
          { title: 'RSS', align: 'right', unit: 'bytes' },
          { title: 'peak RSS', align: 'right', unit: 'bytes' },
        ],
        rows: cases.flatMap(({ label, network }) =>
          network.rivals
            .filter(({ loadMs }) => loadMs !== null)
            .map((rival) => [
              label,
              rival.name,
              number(rival.loadMs, ms),
              number(rival.firstMs, ms),
              number(rival.rssBytes, (value) => bytes(Math.max(0, value))),
              number(rival.peakRssBytes, (value) => bytes(Math.max(0, value))),
            ]),
        ),
      },
    ],
    notes: [],
  };
}
