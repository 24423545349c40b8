/** Axes that read well: logarithmic ones with few, round labels. */

import { colour } from './palette.js';

/** Round numbers (1, 2, 5 times powers of ten) that span the values, thinned to at most `most`. */
export function logTicks(values: readonly number[], most = 7): number[] {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return [1];
  const [low, high] = [Math.min(...positive), Math.max(...positive)];
  const decades = Array.from(
    { length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, i) => 10 ** (Math.floor(Math.log10(low)) + i),
  );
  const inside = (steps: readonly number[]) =>
    decades
      .flatMap((decade) => steps.map((step) => Number((step * decade).toPrecision(6))))
      .filter((tick) => tick >= low / 1.6 && tick <= high * 1.6);
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = inside(steps);
    if (ticks.length > 0 && ticks.length <= most) return ticks;
  }
  const tens = inside([1]);
  const every = Math.ceil(tens.length / most);
  return tens.length === 0 ? [low] : tens.filter((_, index) => index % every === 0);
}

/** The range that a scale of these ticks and values needs. */
export function logDomain(values: readonly number[]): [number, number] {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return [0.5, 2];
  return [Math.min(...positive) / 1.15, Math.max(...positive) * 1.15];
}

/** For microseconds. */
const TIME_LABEL =
  "datum.value < 1000 ? format(datum.value, '~r') + ' µs' : datum.value < 1e6 ? format(datum.value / 1000, '~r') + ' ms' : format(datum.value / 1e6, '~r') + ' s'";

export const timeAxis = (values: readonly number[], title: string, most = 7): object => ({
  title,
  values: logTicks(values, most),
  labelExpr: TIME_LABEL,
  labelOverlap: 'greedy',
});

export const timesAxis = (values: readonly number[], title: string, most = 7): object => ({
  title,
  values: logTicks(values, most),
  labelExpr: "format(datum.value, '~r') + '×'",
  labelOverlap: 'greedy',
});

export const percentAxis = (title: string): object => ({ title, format: '~%', tickCount: 6 });

/** Labels shrink with the chart: on a phone they must leave room for the marks. */
export const nameAxis = (width: number): object => ({
  title: null,
  labelLimit: width < 400 ? 165 : 260,
  ...(width < 400 ? { labelFontSize: 11 } : {}),
  domain: false,
  ticks: false,
  labelPadding: 6,
});

/** How many labels a logarithmic axis of this width has room for. */
export const most = (width: number): number => (width < 400 ? 4 : 7);

export const rule = (field: 'x' | 'y', at: number) => ({
  mark: { type: 'rule' as const, color: colour('soft'), strokeDash: [4, 3] },
  encoding: { [field]: { datum: at } },
});

/** Charts without names along their left side have more room for the plot on a phone. */
export const plotWidth = (width: number): number => (width < 400 ? Math.max(width, 245) : width);
