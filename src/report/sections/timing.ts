/** How long a call takes: distributions, and the time of others over espalier's. */
import { time } from '../../measure/table.js';
import type { RivalResult, Timing } from '../../measure/result.js';
import { logDomain, most, nameAxis, percentAxis, plotWidth, rule, timeAxis, timesAxis } from '../axes.js';
import { colour, engineScale } from '../palette.js';
import { batchesOf, type Case } from '../results.js';
import type { Cell, Chart, Section } from '../section.js';
import { number } from '../section.js';

export const times = (ratio: number): string =>
  `${ratio < 10 ? ratio.toFixed(2) : ratio < 100 ? ratio.toFixed(1) : Math.round(ratio).toLocaleString('en-US')}×`;
const rate = (value: number): string =>
  value < 1000 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');

interface Row {
  one: Case;
  rival: RivalResult;
  timing: Timing;
}

function timingRows(cases: readonly Case[]): Row[] {
  return batchesOf(cases).flatMap((batch) =>
    cases.flatMap((one) =>
      one.network.rivals.flatMap((rival) =>
        rival.timings.filter((timing) => timing.batch === batch).map((timing) => ({ one, rival, timing })),
      ),
    ),
  );
}

/** Engines that were timed, in the order in which they appear. */
function enginesOf(rows: readonly Row[]): { id: string; name: string }[] {
  const seen = new Map<string, string>();
  for (const { rival } of rows) if (!seen.has(rival.id)) seen.set(rival.id, rival.name);
  return [...seen].map(([id, name]) => ({ id, name }));
}

/** One case of each model, for charts that show one: the sparsest. */
export function focusCases(cases: readonly Case[]): Case[] {
  const byModel = new Map<string, Case>();
  for (const one of cases) {
    const best = byModel.get(one.model);
    if (best === undefined || one.network.sparsity > best.network.sparsity) byModel.set(one.model, one);
  }
  return [...byModel.values()];
}

function distributionChart(rows: readonly Row[], one: Case, batch: number): Chart {
  const shown = rows.filter((row) => row.one === one && row.timing.batch === batch);
  const values = shown.map(({ rival, timing: { quantiles: q, p50, max } }) => ({
    engine: rival.name,
    low: q[1] ?? p50,
    q25: q[25] ?? p50,
    p50,
    q75: q[75] ?? p50,
    high: q[99] ?? p50,
    max,
  }));
  const scale = engineScale(enginesOf(shown));
  const all = values.flatMap(({ low, max }) => [low, max]);
  const x = (field: string, width: number) => ({
    field,
    type: 'quantitative',
    scale: { type: 'log', domain: logDomain(all), nice: false },
    axis: timeAxis(all, 'time of a call (logarithmic)', most(width)),
  });
  return {
    id: `latency-${slug(one.label)}-batch-${batch}`,
    title: `Latency at batch ${batch}, ${one.label}`,
    description:
      'Bars from the 25th to the 75th percentile, lines from the 1st to the 99th, the median a dark line, the slowest call a dot.',
    spec: (width) => ({
      width,
      height: { step: 30 },
      data: { values },
      encoding: {
        y: { field: 'engine', type: 'nominal', sort: scale.domain, axis: nameAxis(width) },
        color: { field: 'engine', type: 'nominal', scale, legend: null },
      },
      layer: [
        { mark: { type: 'rule', strokeWidth: 2 }, encoding: { x: x('low', width), x2: { field: 'high' } } },
        { mark: { type: 'bar', height: 14 }, encoding: { x: x('q25', width), x2: { field: 'q75' } } },
        {
          mark: { type: 'tick', thickness: 2.5, size: 18, color: colour('ink') },
          encoding: { x: x('p50', width), color: { value: colour('ink') } },
        },
        { mark: { type: 'point', filled: true, size: 26 }, encoding: { x: x('max', width) } },
      ],
    }),
  };
}

export function latency(cases: readonly Case[]): Section {
  const rows = timingRows(cases);
  const looped = rows.some(({ timing }) => timing.callsPerSample > 1);
  const cold = cases.some(({ result }) => result.settings.cold === true);
  return {
    id: 'latency',
    title: 'Latency',
    lead: 'How long one call takes in each engine, and how far its calls spread.',
    charts: focusCases(cases).flatMap((one) =>
      batchesOf([one]).map((batch) => distributionChart(rows, one, batch)),
    ),
    tables: [
      {
        caption: 'Times of a call over all rounds',
        columns: [
          { title: 'network' },
          { title: 'batch', align: 'right' },
          { title: 'engine' },
          ...['p50', 'p90', 'p95', 'p99', 'max', 'mean', 'std. dev.'].map((title) => ({
            title,
            align: 'right' as const,
            unit: 'µs',
          })),
          { title: 'samples/s', align: 'right', unit: '1/s' },
          { title: 'spread of rounds', align: 'right' },
        ],
        rows: rows.map(({ one, rival, timing }) => [
          one.label,
          number(timing.batch, String),
          rival.name + (timing.callsPerSample > 1 ? ` (${timing.callsPerSample} calls a sample)` : ''),
          ...[timing.p50, timing.p90, timing.p95, timing.p99, timing.max, timing.mean, timing.sd].map(
            (value, index): Cell => ({
              ...number(value, time),
              ...(index === 0 && timing.noisy ? { mark: 'noisy' as const } : {}),
            }),
          ),
          number(timing.samplesPerSecond, rate),
          number(timing.spread, (value) => `${(100 * value).toFixed(1)} %`),
        ]),
      },
    ],
    notes: [
      ...(looped
        ? [
            'A call of less than 20 µs is timed in a loop: its percentiles are of means over as many calls as the table says.',
          ]
        : []),
      ...(cold ? ['Caches were flushed before each call (--cold).'] : []),
    ],
  };
}

interface RatioRow {
  network: string;
  sparsity: number;
  batch: number;
  engine: string;
  id: string;
  ratio: number;
  low: number;
  high: number;
  /** One of the two times is too noisy to build on. */
  noisy: boolean;
}

const ownTiming = (one: Case, batch: number): Timing | undefined =>
  one.network.rivals.find(({ id }) => id === 'espalier')?.timings.find((timing) => timing.batch === batch);

/** Engines other than espalier's sparse ones, over espalier runSync. */
export function ratioRows(cases: readonly Case[]): RatioRow[] {
  return timingRows(cases)
    .filter(({ rival, timing }) => timing.vsEspalier !== null && rival.id !== 'espalier')
    .map(({ one, rival, timing }) => ({
      network: one.label,
      sparsity: one.network.sparsity,
      batch: timing.batch,
      engine: rival.name,
      id: rival.id,
      noisy: timing.noisy || ownTiming(one, timing.batch)?.noisy === true,
      ...(timing.vsEspalier as { ratio: number; low: number; high: number }),
    }));
}

function speedUpChart(rows: readonly RatioRow[], batch: number, model: string, asLines: boolean): Chart {
  const shown = rows.filter((row) => row.batch === batch && !row.id.endsWith('bind'));
  const scale = engineScale(
    [...new Map(shown.map(({ id, engine }) => [id, engine]))].map(([id, name]) => ({ id, name })),
  );
  const all = [1, ...shown.flatMap(({ low, high }) => [low, high])];
  const ratioScale = { type: 'log', domain: logDomain(all), nice: false };
  const base = {
    id: `speed-up-${slug(model)}-batch-${batch}`,
    title: `Speed-up at batch ${batch}${model === '' ? '' : `, ${model}`}`,
    description:
      'How many times longer other engines take than espalier runSync, with the 95 % confidence interval; above the dashed line espalier is faster.',
  };
  if (asLines) {
    return {
      ...base,
      spec: (width) => ({
        width: plotWidth(width),
        height: Math.min(280, plotWidth(width) * 0.7),
        data: { values: shown },
        layer: [
          rule('y', 1),
          {
            mark: { type: 'line', point: { size: 50, filled: true } },
            encoding: { y: ratioY('ratio', ratioScale, all, width), ...lineX(scale, width) },
          },
          {
            mark: { type: 'rule', strokeWidth: 1.5 },
            encoding: {
              y: ratioY('low', ratioScale, all, width),
              y2: { field: 'high' },
              ...lineX(scale, width),
            },
          },
        ],
      }),
    };
  }
  const x = (field: string, width: number) => ({
    field,
    type: 'quantitative',
    scale: ratioScale,
    axis: timesAxis(all, 'time over that of espalier runSync (logarithmic)', most(width)),
  });
  return {
    ...base,
    spec: (width) => ({
      width,
      height: { step: 34 },
      data: { values: shown },
      encoding: {
        y: { field: 'engine', type: 'nominal', sort: scale.domain, axis: nameAxis(width) },
        color: { field: 'engine', type: 'nominal', scale, legend: null },
      },
      layer: [
        rule('x', 1),
        { mark: { type: 'rule', strokeWidth: 3 }, encoding: { x: x('low', width), x2: { field: 'high' } } },
        { mark: { type: 'point', filled: true, size: 90 }, encoding: { x: x('ratio', width) } },
        {
          transform: [{ calculate: "format(datum.ratio, '.3~r') + '×'", as: 'text' }],
          mark: { type: 'text', dy: -11 },
          encoding: {
            x: x('ratio', width),
            text: { field: 'text' },
            color: { value: colour('ink') },
          },
        },
      ],
    }),
  };
}

const ratioY = (field: string, scale: object, all: number[], width: number) => ({
  field,
  type: 'quantitative',
  scale,
  axis: timesAxis(all, 'time / espalier', most(width)),
});

const lineX = (scale: { domain: string[]; range: string[] }, width: number) => ({
  x: {
    field: 'sparsity',
    type: 'quantitative',
    scale: { zero: false, padding: 12 },
    axis: percentAxis('sparsity'),
  },
  color: {
    field: 'engine',
    type: 'nominal',
    scale,
    legend: { title: null, columns: width < 400 ? 1 : 3 },
  },
});

export function speedUp(cases: readonly Case[]): Section {
  const rows = ratioRows(cases);
  const models = [...new Set(cases.map(({ model }) => model))];
  const charts = models.flatMap((model) => {
    const own = cases.filter((one) => one.model === model);
    const sparsities = new Set(own.map(({ network }) => network.sparsity));
    const ownRows = ratioRows(own);
    return batchesOf(own)
      .filter((batch) => ownRows.some((row) => row.batch === batch && !row.id.endsWith('bind')))
      .map((batch) => speedUpChart(ownRows, batch, models.length > 1 ? model : '', sparsities.size > 1));
  });
  return {
    id: 'speed-up',
    title: 'Speed-up',
    lead: 'The time of each engine over that of espalier runSync, medians of the same interleaved rounds.',
    charts,
    tables: [
      {
        caption:
          'Time over that of espalier runSync, with its 95 % bootstrap confidence interval over rounds',
        columns: [
          { title: 'network' },
          { title: 'batch', align: 'right' },
          { title: 'engine' },
          { title: 'time / espalier', align: 'right' },
          { title: 'from', align: 'right' },
          { title: 'to', align: 'right' },
          { title: 'espalier is' },
        ],
        rows: rows.map(({ network, batch, engine, ratio, low, high, noisy }) => [
          network,
          number(batch, String),
          engine,
          { ...number(ratio, times), ...(noisy ? { mark: 'noisy' as const } : {}) },
          number(low, times),
          number(high, times),
          low > 1
            ? { text: 'faster', mark: 'won' }
            : high < 1
              ? { text: 'slower', mark: 'lost' }
              : { text: 'the same within the noise' },
        ]),
      },
    ],
    notes: [],
  };
}

export const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '') || 'network';
