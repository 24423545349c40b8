/** A result of bench as tables for the screen. */
import Table from 'cli-table3';
import type { BenchResult, NetworkResult, RivalResult, Timing } from './result.js';

const PLAIN = { style: { head: [], border: [] } };

export function renderResult(result: BenchResult): string {
  const parts = [machineLines(result)];
  for (const network of result.networks) {
    parts.push(
      networkTitle(network),
      timings(network),
      footprint(network),
      sizes(network),
      ...absent(network),
    );
  }
  parts.push(...notes(result));
  return parts.join('\n');
}

function machineLines({ machine, settings, load }: BenchResult): string {
  const { l1d, l2, l3 } = machine.caches;
  const cache = [l1d, l2, l3].map((size) => (size === null ? '?' : bytes(size))).join(' / ');
  const pinned = settings.cores === null ? 'not pinned' : `pinned to core ${settings.cores}`;
  return [
    `${machine.cpu}${machine.virtual ? ' (virtual)' : ''}, ${machine.isa.join(' ')}, caches ${cache}, ${machine.cores} cores`,
    `${machine.system}, Node ${machine.node}, espalier ${machine.espalier}${machine.commit === null ? '' : ` (${machine.commit})`}` +
      `, governor ${machine.governor ?? 'unknown'}, busy cores ${load.before.toFixed(1)} before, ${load.during.toFixed(1)} during`,
    `${settings.threads} ${settings.threads === 1 ? 'thread' : 'threads'}, ${pinned}, ${settings.rounds} interleaved rounds, ` +
      `${settings.minTime} s an engine and batch size`,
  ].join('\n');
}

function networkTitle({ sparsity, imposed, weights, nonzeros }: NetworkResult): string {
  const how = imposed === null ? '' : ' (imposed in one shot: for speed only)';
  return `\nsparsity ${sparsity.toFixed(4)}${how}: ${nonzeros} of ${weights} weights are not zero`;
}

function timings({ rivals }: NetworkResult): string {
  const table = new Table({
    ...PLAIN,
    head: ['batch', 'engine', 'p50', 'p90', 'p95', 'p99', 'max', 'samples/s', 'time / espalier (95 %)'],
    colAligns: ['right', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  const batches = [...new Set(rivals.flatMap((rival) => rival.timings.map(({ batch }) => batch)))];
  for (const batch of batches) {
    for (const rival of rivals) {
      const timing = rival.timings.find((one) => one.batch === batch);
      if (timing !== undefined) table.push(row(rival, timing));
    }
  }
  return table.toString();
}

function row(rival: RivalResult, timing: Timing): string[] {
  const { p50, p90, p95, p99, max, samplesPerSecond, vsEspalier } = timing;
  const mark = timing.noisy ? ' !' : '';
  return [
    String(timing.batch),
    `${rival.name}${timing.callsPerSample > 1 ? ` (${timing.callsPerSample} calls a sample)` : ''}`,
    `${time(p50)}${mark}`,
    ...[p90, p95, p99, max].map(time),
    rate(samplesPerSecond),
    vsEspalier === null
      ? ''
      : `${times(vsEspalier.ratio)} [${times(vsEspalier.low)}, ${times(vsEspalier.high)}]`,
  ];
}

function footprint({ rivals }: NetworkResult): string {
  const table = new Table({
    ...PLAIN,
    head: ['engine', 'load', 'first inference', 'RSS', 'peak RSS', 'largest difference'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
  });
  const ms = (value: number | null) => (value === null ? '' : time(value * 1000));
  const megabytes = (value: number | null) => (value === null ? '' : bytes(Math.max(value, 0)));
  for (const rival of rivals.filter(({ loadMs }) => loadMs !== null)) {
    table.push([
      rival.name,
      ms(rival.loadMs),
      ms(rival.firstMs),
      megabytes(rival.rssBytes),
      megabytes(rival.peakRssBytes),
      rival.maxAbsDifference?.toExponential(1) ?? '',
    ]);
  }
  return table.toString();
}

function sizes({ sizes: { dense, stripped, esp, source } }: NetworkResult): string {
  const table = new Table({
    ...PLAIN,
    head: ['file', 'bytes', 'gzip -9'],
    colAligns: ['left', 'right', 'right'],
  });
  const add = (name: string, size: { raw: number; gzip: number | null } | null) => {
    if (size !== null) table.push([name, grouped(size.raw), size.gzip === null ? '' : grouped(size.gzip)]);
  };
  add('the file named', source);
  add('dense float32 weights', dense);
  add('stripped float32 weights, zeros in place', stripped);
  add('.esp', esp);
  return table.toString();
}

function absent({ rivals }: NetworkResult): string[] {
  return rivals
    .filter(({ status }) => status !== 'ok')
    .map(({ name, status, message }) => `${name}: ${status}${message === null ? '' : `: ${message}`}`);
}

function notes({ networks, load, settings, complete }: BenchResult): string[] {
  const lines = [
    'Times are of one call; RSS is above an empty Node process; the dense file is of the same weights.',
  ];
  const timings = networks.flatMap(({ rivals }) => rivals.flatMap((rival) => rival.timings));
  if (timings.some(({ noisy }) => noisy)) {
    lines.push(
      `! the medians of the rounds lie more than ${settings.noiseLimit * 100} % apart: the machine was too noisy for this figure`,
    );
  }
  if (load.noisy) {
    lines.push(
      `warning: other work ran on this machine (${load.before.toFixed(1)} busy cores before the run, ${load.during.toFixed(1)} during)`,
    );
  }
  if (!complete) lines.push('interrupted: the rounds that were finished are shown');
  return lines;
}

/** Microseconds, in the unit that reads well. */
export function time(us: number): string {
  if (us < 1) return `${us.toFixed(3)} µs`;
  if (us < 10) return `${us.toFixed(2)} µs`;
  if (us < 1000) return `${us.toFixed(1)} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(2)} ms`;
  return `${(us / 1e6).toFixed(2)} s`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${Math.round(count / 1024)} KB`;
  return `${(count / 1024 ** 2).toFixed(1)} MB`;
}

const grouped = (count: number) => count.toLocaleString('en');
const times = (ratio: number) => `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(1)}×`;
const rate = (perSecond: number) =>
  perSecond < 1000 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en');
