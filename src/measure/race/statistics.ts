/** Statistics of times: quantiles, spread between rounds, and the ratio of two with its confidence interval. */

/** Numbers in [0, 1) from a 32-bit seed (mulberry32): the same on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The q-quantile (q in [0, 1]) of ascending numbers, interpolated linearly as numpy does by default. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (at - below);
}

/** Ascending copy. */
export function ascending(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort();
}

export function median(values: ArrayLike<number>): number {
  return quantile(ascending(values), 0.5);
}

export interface Summary {
  count: number;
  mean: number;
  /** Of the sample: divided by count - 1; 0 where there is one. */
  sd: number;
  min: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
}

/** Of one number or more. */
export function summarize(values: ArrayLike<number>): Summary {
  const sorted = ascending(values);
  const count = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / count;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    count,
    mean,
    sd: count > 1 ? Math.sqrt(squares / (count - 1)) : 0,
    min: sorted[0] ?? Number.NaN,
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: sorted[count - 1] ?? Number.NaN,
  };
}

/**
 * How far the medians of the rounds lie apart: their interquartile range over their median. Undefined with fewer than
 * three rounds, which tell nothing of it.
 */
export function spread(roundMedians: ArrayLike<number>): number | undefined {
  if (roundMedians.length < 3) return undefined;
  const sorted = ascending(roundMedians);
  return (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / quantile(sorted, 0.5);
}

export interface Ratio {
  ratio: number;
  /** The 95 % confidence interval; both ends are the ratio where there is one round only. */
  low: number;
  high: number;
}

/**
 * The median of `numerator` over the median of `denominator`, each a number a round, measured in the same rounds.
 * The interval is the percentile bootstrap over rounds: whole rounds are drawn, for samples within one hang together,
 * and both sides of a round are drawn together, for drift hits both.
 */
export function ratioOfRounds(
  numerator: ArrayLike<number>,
  denominator: ArrayLike<number>,
  options: { resamples?: number; seed?: number } = {},
): Ratio {
  const { resamples = 2000, seed = 1 } = options;
  const rounds = Math.min(numerator.length, denominator.length);
  const ratio = median(numerator) / median(denominator);
  if (rounds < 2) return { ratio, low: ratio, high: ratio };
  const random = seededRandom(seed);
  const ratios = new Float64Array(resamples);
  const above = new Float64Array(rounds);
  const below = new Float64Array(rounds);
  for (let i = 0; i < resamples; i++) {
    for (let k = 0; k < rounds; k++) {
      const round = Math.floor(random() * rounds);
      above[k] = numerator[round] ?? Number.NaN;
      below[k] = denominator[round] ?? Number.NaN;
    }
    ratios[i] = median(above) / median(below);
  }
  ratios.sort();
  return { ratio, low: quantile(ratios, 0.025), high: quantile(ratios, 0.975) };
}
