/** A layer at a time: its share of the call, how far from the roofs of the machine, and from which sparsity on it pays. */
import { bytes, time } from '../../measure/table.js';
import type { BreakEven, LayersResult, OperationResult, Roofs } from '../../measure/result.js';
import { logDomain, logTicks, most, nameAxis, percentAxis, plotWidth, timeAxis } from '../axes.js';
import { colour } from '../palette.js';
import { share, type Case } from '../results.js';
import { number, type Chart, type Section } from '../section.js';
import { focusCases, slug, times } from './timing.js';

/** More layers than these would make a chart that nobody reads: the slowest are drawn, the table has all. */
const MOST_DRAWN = 24;

interface Looked {
  one: Case;
  layers: LayersResult;
}

const looked = (cases: readonly Case[]): Looked[] =>
  cases.flatMap((one) => (one.network.layers ?? []).map((layers) => ({ one, layers })));

/** Names of operations need not be unique, but rows of a chart must be. */
function named(operations: readonly OperationResult[]): (OperationResult & { label: string })[] {
  return operations.map((operation, index) => ({
    ...operation,
    label:
      operations.findIndex(({ name }) => name === operation.name) === index
        ? operation.name
        : `${operation.name} (${operation.op}, ${index + 1})`,
  }));
}

function timeChart({ one, layers }: Looked): Chart {
  const all = named(layers.operations);
  const slowest = [...all].sort((a, b) => b.us - a.us).slice(0, MOST_DRAWN);
  const values = all
    .filter((operation) => slowest.includes(operation))
    .map(({ label, us, share: part, sparsity, denseUs }) => ({
      label,
      us,
      denseUs,
      text: `${time(us)}, ${share(part)}${sparsity === null ? '' : `, ${share(sparsity)} zeros`}`,
    }));
  const top = Math.max(...values.map(({ us, denseUs }) => Math.max(us, denseUs ?? 0)), 0.001);
  const order = values.map(({ label }) => label);
  return {
    id: `layers-${slug(one.label)}-batch-${layers.batch}`,
    title: `Time a layer at batch ${layers.batch}, ${one.label}`,
    description:
      'Bars are the time of each operation, with its share of the call and its zeros; the line marks the time with dense kernels.',
    spec: (width) => ({
      width,
      height: { step: 34 },
      data: { values },
      encoding: { y: { field: 'label', type: 'nominal', sort: order, axis: nameAxis(width) } },
      layer: [
        {
          mark: { type: 'bar', height: 12, color: colour('c0'), yOffset: 5 },
          encoding: {
            x: {
              field: 'us',
              type: 'quantitative',
              scale: { domain: [0, top * 1.04] },
              axis: {
                ...timeAxis([1], 'time of the operation'),
                values: undefined,
                tickCount: most(width) - 1,
              },
            },
          },
        },
        {
          mark: { type: 'tick', thickness: 2.5, size: 18, color: colour('c4'), yOffset: 5 },
          encoding: { x: { field: 'denseUs', type: 'quantitative' } },
        },
        {
          mark: { type: 'text', align: 'left', baseline: 'bottom', yOffset: -2, dx: 1 },
          encoding: { x: { datum: 0 }, text: { field: 'text' } },
        },
      ],
    }),
  };
}

const layerColumns = (titles: [string, string?][]) =>
  titles.map(([title, unit]) => ({
    title,
    ...(unit === undefined ? {} : { unit }),
    align: 'right' as const,
  }));

export function layers(cases: readonly Case[]): Section {
  const all = looked(cases);
  const focus = new Set(focusCases(cases));
  return {
    id: 'layers',
    title: 'Layer by layer',
    lead: 'Where the time of a call goes, measured inside the engine, operation by operation.',
    charts: all
      .filter(({ one, layers: { operations } }) => focus.has(one) && operations.length > 0)
      .map(timeChart),
    tables: [
      {
        caption: 'Median time of each operation within a call; effective counts the weights that are there',
        columns: [
          { title: 'network' },
          { title: 'batch', align: 'right' },
          { title: 'layer' },
          { title: 'operation' },
          ...layerColumns([
            ['weights'],
            ['zeros'],
            ['time', 'µs'],
            ['share'],
            ['dense path', 'µs'],
            ['GFLOP/s effective', 'GFLOP/s'],
            ['GFLOP/s dense-equivalent', 'GFLOP/s'],
            ['bytes', 'bytes'],
          ]),
          { title: 'layout' },
        ],
        rows: all.flatMap(({ one, layers: own }) => [
          ...own.operations.map((o) => [
            one.label,
            number(own.batch, String),
            o.name,
            o.op,
            o.rows === 0
              ? { text: '–', value: null }
              : number(o.rows * o.cols, () => `${o.rows} × ${o.cols}`),
            number(o.sparsity, share),
            number(o.us, time),
            number(o.share, share),
            {
              ...number(o.denseUs, time),
              ...(o.denseUs !== null && o.denseUs < o.us * 0.95 ? { mark: 'lost' as const } : {}),
            },
            number(o.rows === 0 ? null : o.gflops, (value) => value.toFixed(2)),
            number(o.rows === 0 ? null : o.denseGflops, (value) => value.toFixed(2)),
            number(o.bytes, bytes),
            o.layout,
          ]),
          [
            one.label,
            number(own.batch, String),
            '(the call itself and transposes)',
            '',
            ...[1, 2].map(() => ({ text: '–', value: null })),
            number(own.otherUs, time),
            number(own.totalUs === 0 ? null : own.otherUs / own.totalUs, share),
            ...[1, 2, 3, 4].map(() => ({ text: '–', value: null })),
            '',
          ],
        ]),
      },
    ],
    notes: all.some(({ layers: { repeats } }) => repeats > 1)
      ? [
          'Operations too short for the clock ran several times in a row: their weights come from the nearest cache then, as they do in a network this small.',
        ]
      : [],
  };
}

/** The roofs as lines over the intensities of the points. */
function roofLines(roofs: Roofs, intensities: readonly number[]) {
  const [low, high] = logDomain([
    ...intensities,
    roofs.fmaGflops / roofs.memoryGBs,
    roofs.fmaGflops / roofs.cacheGBs,
  ]);
  return (
    [
      ['memory', roofs.memoryGBs],
      ['cache', roofs.cacheGBs],
    ] as const
  ).flatMap(([roof, bandwidth]) =>
    [low, roofs.fmaGflops / bandwidth, high].map((intensity) => ({
      roof: `${roof} ${bandwidth.toFixed(1)} GB/s`,
      intensity,
      gflops: Math.min(roofs.fmaGflops, intensity * bandwidth),
    })),
  );
}

function rooflineChart(roofs: Roofs, one: Case): Chart | undefined {
  const points = (one.network.layers ?? []).flatMap(({ batch, operations }) =>
    operations
      .filter(({ rows, gflops, intensity }) => rows > 0 && gflops > 0 && intensity > 0)
      .map(({ name, intensity, gflops }) => ({ name, intensity, gflops, batch: `batch ${batch}` })),
  );
  if (points.length === 0) return undefined;
  const lines = roofLines(
    roofs,
    points.map(({ intensity }) => intensity),
  );
  const xs = lines.map(({ intensity }) => intensity);
  const ys = [...lines, ...points].map(({ gflops }) => gflops);
  const axis = (title: string, values: number[], width: number) => ({
    title,
    values: logTicks(values, most(width)),
    format: '~r',
    labelOverlap: 'greedy',
  });
  return {
    id: `roofline-${slug(one.label)}`,
    title: `Roofline, ${one.label}`,
    description:
      'Each layer by the work that it does a byte and the speed that it reaches, below the roofs of cache, memory and arithmetic as measured on this machine.',
    spec: (width) => ({
      width: plotWidth(width),
      height: Math.min(340, plotWidth(width) * 0.8),
      layer: [
        {
          data: { values: lines },
          mark: { type: 'line', strokeWidth: 2, color: colour('soft') },
          encoding: {
            x: {
              field: 'intensity',
              type: 'quantitative',
              scale: { type: 'log', domain: logDomain(xs), nice: false },
              axis: axis('effective FLOP a byte (logarithmic)', xs, width),
            },
            y: {
              field: 'gflops',
              type: 'quantitative',
              scale: { type: 'log', domain: logDomain(ys), nice: false },
              axis: axis('GFLOP/s (logarithmic)', ys, width),
            },
            strokeDash: {
              field: 'roof',
              type: 'nominal',
              legend: { title: 'roof', columns: 1 },
            },
          },
        },
        {
          data: { values: points },
          mark: { type: 'point', filled: true, size: 90, opacity: 0.85 },
          encoding: {
            x: { field: 'intensity', type: 'quantitative' },
            y: { field: 'gflops', type: 'quantitative' },
            color: {
              field: 'batch',
              type: 'nominal',
              sort: [...new Set(points.map(({ batch }) => batch))],
              scale: { range: ['c0', 'c5', 'c4', 'c8'].map(colour) },
              legend: { title: null, columns: 2 },
            },
          },
        },
      ],
    }),
  };
}

export function roofline(cases: readonly Case[]): Section {
  const all = looked(cases).filter(({ one }) => one.result.roofs !== undefined);
  const focus = new Set(focusCases(cases));
  return {
    id: 'roofline',
    title: 'Roofline',
    lead: 'How near each layer comes to what the machine can do: arithmetic, or the bandwidth its weights come through.',
    charts: cases
      .filter((one) => focus.has(one))
      .flatMap((one) => {
        const { roofs } = one.result;
        const chart = roofs === undefined ? undefined : rooflineChart(roofs, one);
        return chart === undefined ? [] : [chart];
      }),
    tables: [
      {
        caption: 'Layers with a matrix against the roofs',
        columns: [
          { title: 'network' },
          { title: 'batch', align: 'right' },
          { title: 'layer' },
          { title: 'FLOP', align: 'right', unit: 'FLOP' },
          { title: 'FLOP a byte', align: 'right' },
          { title: 'GFLOP/s', align: 'right' },
          { title: 'roof there', align: 'right', unit: 'GFLOP/s' },
          { title: 'reached', align: 'right' },
          { title: 'bound by' },
        ],
        rows: all.flatMap(({ one, layers: own }) =>
          own.operations
            .filter(({ rows }) => rows > 0)
            .map((o) => [
              one.label,
              number(own.batch, String),
              o.name,
              number(o.flops, (value) => value.toLocaleString('en-US')),
              number(o.intensity, (value) => value.toPrecision(3)),
              number(o.gflops, (value) => value.toFixed(2)),
              number(o.attainableGflops, (value) => value.toFixed(2)),
              number(o.attainableGflops === 0 ? null : o.gflops / o.attainableGflops, share),
              o.bound === 'compute'
                ? 'arithmetic'
                : o.roof === 'cache'
                  ? 'cache bandwidth'
                  : 'memory bandwidth',
            ]),
        ),
      },
    ],
    notes: [
      'Roofs were measured right before: multiply-add in registers, reading 1 MiB (cache) and 256 MiB (memory). The bandwidth that counts is that of the cache where all packed weights and values of the network fit the last-level cache.',
      'More than 100 % is possible: the nearest caches are faster than the 1 MiB that the cache roof reads.',
    ],
  };
}

function breakEvenChart(rows: readonly (BreakEven & { one: Case })[], one: Case, batch: number): Chart {
  const values = rows
    .filter((row) => row.one === one && row.batch === batch)
    .slice(0, 40)
    .map(({ name, rows: r, cols, sparsity }) => ({
      label: `${name} (${r} × ${cols})`,
      sparsity: sparsity ?? 1,
      text: sparsity === null ? 'never' : share(sparsity),
    }));
  return {
    id: `break-even-${slug(one.label)}-batch-${batch}`,
    title: `Break-even sparsity at batch ${batch}, ${one.model}`,
    description: 'From which share of zeros on each layer is faster than on the dense path.',
    spec: (width) => ({
      width,
      height: { step: 26 },
      data: { values },
      encoding: {
        y: { field: 'label', type: 'nominal', sort: null, axis: nameAxis(width) },
        x: {
          field: 'sparsity',
          type: 'quantitative',
          scale: { domain: [0, 1] },
          axis: percentAxis('share of zeros from which sparse is faster'),
        },
      },
      layer: [
        { mark: { type: 'rule', strokeWidth: 2, color: colour('line') }, encoding: { x2: { datum: 0 } } },
        { mark: { type: 'point', filled: true, size: 90, color: colour('c0') } },
        {
          mark: { type: 'text', dy: -9 },
          encoding: { text: { field: 'text' } },
        },
      ],
    }),
  };
}

export function breakEven(cases: readonly Case[]): Section {
  // The same layers at every sparsity: the scan of one network of each model tells it.
  const rows = focusCases(cases.filter(({ network }) => network.breakEven !== undefined)).flatMap((one) =>
    (one.network.breakEven ?? []).map((row) => ({ ...row, one })),
  );
  const charts = focusCases(cases).flatMap((one) =>
    [...new Set(rows.filter((row) => row.one === one).map(({ batch }) => batch))].map((batch) =>
      breakEvenChart(rows, one, batch),
    ),
  );
  return {
    id: 'break-even',
    title: 'Break-even sparsity',
    lead: 'From which share of zeros on a layer is faster here than on the dense path; below it the engine stays dense.',
    charts,
    tables: [
      {
        caption: 'Zeros in one shot by magnitude, each layer alone with its weights in the caches',
        columns: [
          { title: 'model' },
          { title: 'batch', align: 'right' },
          { title: 'layer' },
          { title: 'matrix', align: 'right' },
          { title: 'break-even', align: 'right' },
          { title: 'dense', align: 'right', unit: 'µs' },
          { title: 'measured' },
        ],
        rows: rows.map(({ one, batch, name, rows: r, cols, sparsity, denseUs, points }) => [
          one.model,
          number(batch, String),
          name,
          number(r * cols, () => `${r} × ${cols}`),
          sparsity === null ? { text: 'never', value: null } : number(sparsity, share),
          number(denseUs, time),
          points
            .map((point) => `${share(point.sparsity)}: ${times(denseUs / point.us)} ${point.layout}`)
            .join(', '),
        ]),
      },
    ],
    notes: [],
  };
}
