/** Reading what `espalier bench --json` wrote: other files, and other versions, are told apart by name. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { EspalierError, describe, invalid } from '../errors.js';
import {
  RESULT_FORMAT,
  RESULT_VERSION,
  resultSchema,
  type BenchResult,
  type NetworkResult,
} from '../measure/result.js';

/** A result is a few megabytes at most: more is no result. */
const MOST_BYTES = 256 * 1024 ** 2;

/**
 * Throws INVALID_DATA for what is no result, with the place that is wrong; UNSUPPORTED_FORMAT for a result of another
 * version.
 */
export function parseResult(value: unknown, path = 'result'): BenchResult {
  const found = value as { format?: unknown; version?: unknown } | null;
  if (typeof found !== 'object' || found === null || found.format !== RESULT_FORMAT) {
    throw invalid(
      'INVALID_DATA',
      path,
      `a result of espalier bench (format "${RESULT_FORMAT}")`,
      found?.format ?? value,
    );
  }
  if (found.version !== RESULT_VERSION) {
    const { version } = found;
    const remedy =
      typeof version !== 'number'
        ? 'it is damaged'
        : version > RESULT_VERSION
          ? 'a newer espalier wrote it: update this one'
          : 'an older espalier wrote it: measure again';
    throw new EspalierError(
      'UNSUPPORTED_FORMAT',
      `${path}: version: expected ${RESULT_VERSION}, received ${describe(version)}; ${remedy}`,
      { parameter: 'version', expected: RESULT_VERSION, received: describe(version) },
    );
  }
  const parsed = resultSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path: place, message }) => ({ place: place.join('.'), message }));
  throw new EspalierError('INVALID_DATA', `${path}: ${z.prettifyError(parsed.error)}`, {
    parameter: issues[0]?.place ?? path,
    issues,
  });
}

/** Throws NOT_FOUND, LIMIT_EXCEEDED and what parseResult throws. */
export async function readResult(path: string): Promise<BenchResult> {
  let text: string;
  try {
    const bytes = await readFile(path);
    if (bytes.length > MOST_BYTES)
      throw invalid('LIMIT_EXCEEDED', path, `at most ${MOST_BYTES} bytes`, bytes.length);
    text = bytes.toString('utf8');
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    throw new EspalierError(
      'NOT_FOUND',
      `cannot read the result ${path}: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EspalierError(
      'INVALID_DATA',
      `${path}: expected JSON: ${(cause as Error).message}`,
      { parameter: path },
      cause,
    );
  }
  return parseResult(value, path);
}

/** One network of one result: what a row or a chart of the report is about. */
export interface Case {
  /** Unique in the report, short. */
  label: string;
  model: string;
  result: BenchResult;
  network: NetworkResult;
}

const shortModel = (model: string): string => {
  const name = basename(model);
  const generic = /^model\.(json|esp|h5|keras)$/.test(name);
  return generic
    ? basename(model.slice(0, -name.length - 1)) || name
    : name.replace(/\.(esp|json|h5|keras)$/, '');
};

/** Percent without needless digits: "75 %", "97.5 %". */
export const share = (value: number): string => `${Number((100 * value).toFixed(1))} %`;

/** Networks in the order given; a label names the model where there are several, and the sparsity. */
export function casesOf(results: readonly BenchResult[]): Case[] {
  const models = new Set(results.map(({ model }) => model));
  const cases = results.flatMap((result) =>
    result.networks.map((network) => {
      const sparsity = `${share(network.sparsity)} zeros`;
      const label = models.size > 1 ? `${shortModel(result.model)}, ${sparsity}` : sparsity;
      return { label, model: shortModel(result.model), result, network };
    }),
  );
  const seen = new Map<string, number>();
  for (const one of cases) {
    const times = (seen.get(one.label) ?? 0) + 1;
    seen.set(one.label, times);
    if (times > 1) one.label = `${one.label} (${times})`;
  }
  return cases;
}

/** Of all cases, ascending. */
export const batchesOf = (cases: readonly Case[]): number[] =>
  [
    ...new Set(
      cases.flatMap(({ network }) =>
        network.rivals.flatMap(({ timings }) => timings.map(({ batch }) => batch)),
      ),
    ),
  ].sort((a, b) => a - b);
