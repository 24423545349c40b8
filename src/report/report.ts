/** `espalier report`: results of bench as a page, as Markdown or as CSV. */
import { basename, dirname, join, relative } from 'node:path';
import { invalid } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import type { BenchResult } from '../measure/result.js';
import { renderCsv } from './csv.js';
import { loadDraw, standalone } from './draw.js';
import { WIDE, renderHtml } from './html.js';
import { renderMarkdown } from './markdown.js';
import { casesOf, readResult, type Case } from './results.js';
import type { Section } from './section.js';
import { accuracy } from './sections/accuracy.js';
import { agreement, machine } from './sections/agreement.js';
import { memory, sizes } from './sections/footprint.js';
import { breakEven, layers, roofline } from './sections/layers.js';
import { scenarios } from './sections/scenarios.js';
import { latency, speedUp } from './sections/timing.js';
import { summarise } from './summary.js';

export const FORMATS = ['html', 'md', 'csv'] as const;
export type ReportFormat = (typeof FORMATS)[number];

export interface ReportOptions {
  /** Default html. */
  format?: ReportFormat;
  /** Default: after the models. */
  title?: string;
  /** false: tables alone, and Vega is not needed. Default true for html. */
  charts?: boolean;
  /** Folder that gets every chart as an .svg file; Markdown shows them from there. */
  chartFolder?: string;
  /** Where the report will lie: links to charts are relative to it. */
  output?: string;
}

/** The parts of a report that have something to show. */
export function sectionsOf(results: readonly BenchResult[], cases: readonly Case[]): Section[] {
  const sections = [
    speedUp(cases),
    latency(cases),
    scenarios(cases),
    sizes(cases),
    accuracy(cases),
    layers(cases),
    roofline(cases),
    breakEven(cases),
    memory(cases),
    agreement(cases),
    machine(results),
  ];
  return sections.filter(({ tables }) => tables.some(({ rows }) => rows.length > 0));
}

/**
 * The report as text. Throws INVALID_ARGUMENT for no results or an unknown format, TOOL_MISSING where charts are wanted
 * and Vega is not installed, IO_FAILED.
 */
export async function renderReport(
  results: readonly BenchResult[],
  options: ReportOptions = {},
): Promise<string> {
  const { format = 'html', charts = true, chartFolder, output } = options;
  if (results.length === 0) throw invalid('INVALID_ARGUMENT', 'results', 'one result or more', []);
  if (!FORMATS.includes(format)) throw invalid('INVALID_ARGUMENT', 'format', FORMATS.join(', '), format);
  const cases = casesOf(results);
  const sections = sectionsOf(results, cases);
  const models = [...new Set(cases.map(({ model }) => model))];
  const title =
    options.title ??
    `${models.slice(0, 4).join(', ')}${models.length > 4 ? ' and more' : ''}: sparse and dense`;
  const draw = charts && (format === 'html' || chartFolder !== undefined) ? await loadDraw() : undefined;
  const files = new Map<string, string>();
  if (draw !== undefined && chartFolder !== undefined) {
    for (const chart of sections.flatMap((section) => section.charts)) {
      const file = join(chartFolder, `${chart.id}.svg`);
      await writeFileAtomic(file, standalone(await draw(chart, WIDE), chart));
      const from = output === undefined ? '.' : dirname(output);
      files.set(chart.id, relative(from, file) || basename(file));
    }
  }
  if (format === 'csv') return renderCsv(sections);
  const summary = summarise(cases);
  if (format === 'md') return renderMarkdown(title, summary, sections, files);
  const created = results.map((result) => result.created.slice(0, 10)).sort();
  const dates = [...new Set([created[0], created.at(-1)])].join(' to ');
  return renderHtml(title, summary, sections, draw, dates);
}

/** Reads results and renders them; also throws what readResult throws. */
export async function reportFiles(paths: readonly string[], options: ReportOptions = {}): Promise<string> {
  const results: BenchResult[] = [];
  for (const path of paths) results.push(await readResult(path));
  return renderReport(results, options);
}
