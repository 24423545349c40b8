/** The reference cases made with tfmot 0.8.1 (test/golden/tfmot). */
import { readFileSync } from 'node:fs';

export function golden<T = any>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/tfmot/${name}.json`, import.meta.url), 'utf8')) as T;
}

/** tfmot's snake_case options as ours. */
export function camel<T>(config: Record<string, unknown>): T {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key.replace(/_(.)/g, (_, c: string) => c.toUpperCase()),
      value,
    ]),
  ) as T;
}

/** A number of the files: some are told as strings, "NaN" or "Infinity". */
export const number = (value: number | string): number => Math.fround(Number(value));

export const bits = (mask: Uint8Array): string => mask.join('');
