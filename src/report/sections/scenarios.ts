/** The scenarios of MLPerf inference: queries that arrive at random under a latency bound, and all samples at once. */
import { time } from '../../measure/table.js';
import { logDomain, logTicks, most, nameAxis } from '../axes.js';
import { engineScale } from '../palette.js';
import type { Case } from '../results.js';
import { number, type Chart, type ReportTable, type Section } from '../section.js';
import { focusCases, slug } from './timing.js';

const rate = (value: number): string =>
  value < 1000 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');

function rateChart(
  one: Case,
  id: string,
  title: string,
  of: (i: number) => number | null,
): Chart | undefined {
  const values = one.network.rivals.flatMap(({ id: engine, name }, index) => {
    const value = of(index);
    return value === null ? [] : [{ id: engine, engine: name, value, text: rate(value) }];
  });
  if (values.length === 0) return undefined;
  const scale = engineScale(values.map(({ id: engine, engine: name }) => ({ id: engine, name })));
  const all = values.map(({ value }) => value);
  return {
    id: `${id}-${slug(one.label)}`,
    title: `${title}, ${one.label}`,
    description: 'A point for each engine on a logarithmic scale; further right is better.',
    spec: (width) => ({
      width,
      height: { step: 32 },
      data: { values },
      encoding: {
        y: { field: 'engine', type: 'nominal', sort: scale.domain, axis: nameAxis(width) },
        x: {
          field: 'value',
          type: 'quantitative',
          scale: { type: 'log', domain: logDomain(all), nice: false },
          axis: {
            title: 'a second (logarithmic)',
            values: logTicks(all, most(width)),
            format: '~s',
            labelOverlap: 'greedy',
          },
        },
        color: { field: 'engine', type: 'nominal', scale, legend: null },
      },
      layer: [
        { mark: { type: 'point', filled: true, size: 90 } },
        { mark: { type: 'text', dy: -11 }, encoding: { text: { field: 'text' } } },
      ],
    }),
  };
}

type Rival = Case['network']['rivals'][number];
type Served = { one: Case; rival: Rival; server: NonNullable<Rival['server']> };
type Offline = { one: Case; rival: Rival; offline: NonNullable<Rival['offline']> };

function serverTable(served: readonly Served[]): ReportTable {
  return {
    caption: 'Server: one query after another in order of arrival; latency counts from the arrival',
    columns: [
      { title: 'network' },
      { title: 'engine' },
      { title: 'samples a query', align: 'right' as const },
      { title: 'bound', align: 'right' as const, unit: 'ms' },
      { title: 'queries/s', align: 'right' as const },
      { title: 'p50', align: 'right' as const, unit: 'µs' },
      { title: 'p99', align: 'right' as const, unit: 'µs' },
      { title: 'tried' },
    ],
    rows: served.map(({ one, rival, server }) => [
      one.label,
      rival.name,
      number(server.batch, String),
      number(server.boundMs, (value) => `${value} ms`),
      server.queriesPerSecond === null
        ? { text: 'none kept it', value: null, mark: 'lost' as const }
        : number(server.queriesPerSecond, rate),
      number(server.p50, time),
      number(server.p99, time),
      server.probes.map(({ rate: tried, met }) => `${rate(tried)} ${met ? '✓' : '✗'}`).join(', '),
    ]),
  };
}

function offlineTable(offline: readonly Offline[]): ReportTable {
  return {
    caption: 'Offline: as many samples as can be served, at the best of the batch sizes',
    columns: [
      { title: 'network' },
      { title: 'engine' },
      { title: 'best batch', align: 'right' as const },
      { title: 'samples/s', align: 'right' as const },
      { title: 'samples', align: 'right' as const },
      { title: 'seconds', align: 'right' as const },
    ],
    rows: offline.map(({ one, rival, offline: own }) => [
      one.label,
      rival.name,
      number(own.batch, String),
      number(own.samplesPerSecond, rate),
      number(own.samples, (value) => value.toLocaleString('en-US')),
      number(own.seconds, (value) => value.toFixed(2)),
    ]),
  };
}

/** The highest rates of a network's engines in both scenarios. */
function rateCharts(one: Case): Chart[] {
  const { rivals } = one.network;
  const bound = rivals.find(({ server }) => server !== undefined)?.server?.boundMs;
  return [
    rateChart(
      one,
      'server',
      `Queries a second within ${bound ?? ''} ms`,
      (i) => rivals[i]?.server?.queriesPerSecond ?? null,
    ),
    rateChart(
      one,
      'offline',
      'Offline throughput in samples',
      (i) => rivals[i]?.offline?.samplesPerSecond ?? null,
    ),
  ].filter((chart) => chart !== undefined);
}

export function scenarios(cases: readonly Case[]): Section {
  const engines = cases.flatMap((one) => one.network.rivals.map((rival) => ({ one, rival })));
  const served = engines.flatMap(({ one, rival }) =>
    rival.server === undefined ? [] : [{ one, rival, server: rival.server }],
  );
  const offline = engines.flatMap(({ one, rival }) =>
    rival.offline === undefined ? [] : [{ one, rival, offline: rival.offline }],
  );
  return {
    id: 'scenarios',
    title: 'Server and offline',
    lead: 'As in MLPerf inference: the highest rate of Poisson arrivals with the 99th percentile within the bound, and throughput with all samples at hand.',
    charts: focusCases(cases).flatMap(rateCharts),
    tables: [
      ...(served.length === 0 ? [] : [serverTable(served)]),
      ...(offline.length === 0 ? [] : [offlineTable(offline)]),
    ],
    notes: [],
  };
}
