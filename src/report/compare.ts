/** `espalier compare`: two results, and which differences are beyond what the rounds of each differ by themselves. */
import { invalid } from '../errors.js';
import { median, quantile, seededRandom } from '../measure/race/statistics.js';
import type { BenchResult, NetworkResult, RivalResult, Timing } from '../measure/result.js';

/** Confidence of the interval, and the least difference that is called one. */
const RESAMPLES = 2000;
const LEAST = 0.01;

export interface Difference {
  network: string;
  engine: string;
  id: string;
  batch: number;
  /** Microseconds, medians. */
  a: number;
  b: number;
  /** B over A, with the 95 % bootstrap interval over the rounds of each. */
  ratio: number;
  low: number;
  high: number;
  verdict: 'faster' | 'slower' | 'same';
  noisy: boolean;
}

/** A figure that has no rounds: bytes, milliseconds to load, accuracy. */
export interface Change {
  network: string;
  what: string;
  a: number;
  b: number;
  unit: string;
  better: 'lower' | 'higher';
}

export interface ComparisonOfResults {
  differences: Difference[];
  changes: Change[];
  /** What one has and the other lacks. */
  unmatched: string[];
  /** Why times of the two may not be comparable. */
  warnings: string[];
}

/** B over A of two runs that share no rounds: the medians of each are drawn on their own. */
export function ratioOfRuns(
  a: readonly number[],
  b: readonly number[],
  seed = 1,
): { ratio: number; low: number; high: number } {
  const ratio = median(b) / median(a);
  if (a.length < 2 || b.length < 2) return { ratio, low: ratio, high: ratio };
  const random = seededRandom(seed);
  const draw = (values: readonly number[]) =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN));
  const ratios = Float64Array.from({ length: RESAMPLES }, () => draw(b) / draw(a)).sort();
  return { ratio, low: quantile(ratios, 0.025), high: quantile(ratios, 0.975) };
}

function nameOf(network: NetworkResult, index: number): string {
  const { sparsity, imposed } = network;
  const zeros = `${Number((100 * (imposed ?? sparsity)).toFixed(1))} % zeros`;
  return imposed === null && index > 0 ? `${zeros} (${index + 1})` : zeros;
}

/** Networks of the same name; a single one on each side is the same one whatever it is called. */
function pairs(a: BenchResult, b: BenchResult): { name: string; a?: NetworkResult; b?: NetworkResult }[] {
  const [first, second] = [a.networks, b.networks];
  if (first.length === 1 && second.length === 1 && first[0] !== undefined) {
    return [{ name: nameOf(first[0], 0), a: first[0], b: second[0] }];
  }
  const named = (list: readonly NetworkResult[]) =>
    new Map(list.map((network, index) => [nameOf(network, index), network]));
  const [left, right] = [named(first), named(second)];
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => ({
    name,
    a: left.get(name),
    b: right.get(name),
  }));
}

function difference(network: string, rival: RivalResult, a: Timing, b: Timing): Difference {
  const { ratio, low, high } = ratioOfRuns(a.roundMedians, b.roundMedians);
  const rounds = Math.min(a.roundMedians.length, b.roundMedians.length);
  // Rounds of one run hang together; what lies between two runs they do not show: hence the least difference too.
  const verdict =
    rounds < 2 || Math.abs(ratio - 1) < LEAST ? 'same' : low > 1 ? 'slower' : high < 1 ? 'faster' : 'same';
  return {
    network,
    engine: rival.name,
    id: rival.id,
    batch: a.batch,
    ...{ a: a.p50, b: b.p50, ratio, low, high, verdict },
    noisy: a.noisy || b.noisy,
  };
}

function changesOf(network: string, a: NetworkResult, b: NetworkResult): Change[] {
  const changes: Change[] = [];
  const add = (
    what: string,
    unit: string,
    from: number | null | undefined,
    to: number | null | undefined,
    better: 'lower' | 'higher' = 'lower',
  ) => {
    if (from == null || to == null) return;
    changes.push({ network, what, a: from, b: to, unit, better });
  };
  add('.esp file', 'bytes', a.sizes.esp.raw, b.sizes.esp.raw);
  for (const one of a.rivals) {
    const other = b.rivals.find(({ id }) => id === one.id);
    add(`${one.name}: load`, 'ms', one.loadMs, other?.loadMs);
    add(`${one.name}: first inference`, 'ms', one.firstMs, other?.firstMs);
    add(`${one.name}: peak RSS`, 'bytes', one.peakRssBytes, other?.peakRssBytes);
    add(
      `${one.name}: server`,
      'queries/s',
      one.server?.queriesPerSecond,
      other?.server?.queriesPerSecond,
      'higher',
    );
    add(
      `${one.name}: offline`,
      'samples/s',
      one.offline?.samplesPerSecond,
      other?.offline?.samplesPerSecond,
      'higher',
    );
  }
  add('RMSE', '', a.accuracy?.model.rmse, b.accuracy?.model.rmse);
  add('accuracy', '', a.accuracy?.model.accuracy, b.accuracy?.model.accuracy, 'higher');
  return changes;
}

function warningsOf(a: BenchResult, b: BenchResult): string[] {
  const warnings: string[] = [];
  const differs = (what: string, one: unknown, other: unknown) => {
    if (JSON.stringify(one) === JSON.stringify(other)) return;
    const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value ?? null));
    warnings.push(`${what} differs: ${text(one)} and ${text(other)}; times of the two may not be comparable`);
  };
  differs('the CPU', a.machine.cpu, b.machine.cpu);
  differs('the number of threads', a.settings.threads, b.settings.threads);
  differs('Node', a.machine.node, b.machine.node);
  differs('--cold', a.settings.cold ?? false, b.settings.cold ?? false);
  for (const [side, { load, complete }] of [
    ['A', a],
    ['B', b],
  ] as const) {
    if (load.noisy) warnings.push(`others were computing while ${side} was measured`);
    if (!complete) warnings.push(`${side} was interrupted: its finished rounds are compared`);
  }
  return warnings;
}

export function compareResults(a: BenchResult, b: BenchResult): ComparisonOfResults {
  const answer: ComparisonOfResults = {
    differences: [],
    changes: [],
    unmatched: [],
    warnings: warningsOf(a, b),
  };
  for (const { name, a: first, b: second } of pairs(a, b)) {
    if (first === undefined || second === undefined) {
      answer.unmatched.push(`${name} is only in ${first === undefined ? 'B' : 'A'}`);
      continue;
    }
    const ids = new Set([...first.rivals, ...second.rivals].map(({ id }) => id));
    for (const id of ids) {
      const [one, other] = [first, second].map(({ rivals }) => rivals.find((rival) => rival.id === id));
      const batches = new Set([...(one?.timings ?? []), ...(other?.timings ?? [])].map(({ batch }) => batch));
      for (const batch of batches) {
        const [ta, tb] = [one, other].map((rival) => rival?.timings.find((timing) => timing.batch === batch));
        if (one !== undefined && ta !== undefined && tb !== undefined)
          answer.differences.push(difference(name, one, ta, tb));
        else
          answer.unmatched.push(
            `${name}: ${(one ?? other)?.name} at batch ${batch} was timed only in ${ta === undefined ? 'B' : 'A'}`,
          );
      }
    }
    answer.changes.push(...changesOf(name, first, second));
  }
  return answer;
}

/** "5%", "5 %" or "0.05" as a share. Throws INVALID_ARGUMENT. */
export function parseShare(text: string, name = '--fail-if-slower'): number {
  const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)\s*$/.exec(text);
  if (match === null) throw invalid('INVALID_ARGUMENT', name, 'a share such as 5% or 0.05', text);
  return Number(match[1]) / (match[2] === '%' ? 100 : 1);
}

/**
 * Differences of espalier's own engines that are slower by more than `limit` beyond the noise: the whole interval lies
 * above it.
 */
export function regressions(comparison: ComparisonOfResults, limit: number): Difference[] {
  return comparison.differences.filter(
    ({ id, verdict, low }) => id.startsWith('espalier') && verdict === 'slower' && low > 1 + limit,
  );
}
