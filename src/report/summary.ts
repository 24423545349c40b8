/** What a reader learns in ten seconds: what was gained, what was lost, and how far to trust it. */
import { bytes } from '../measure/table.js';
import { share, type Case } from './results.js';
import { focusCases, ratioRows, times } from './sections/timing.js';

export interface ReportSummary {
  /** The one sentence. */
  headline: string;
  /** A figure each, the most important first. */
  figures: { value: string; label: string; tone: 'gain' | 'loss' | 'plain' }[];
  gained: string[];
  lost: string[];
  warnings: string[];
}

/** The baseline that the headline speaks of: the first of these that was timed. */
const BASELINES = ['tfjs-node', 'onnxruntime', 'espalier-dense'];

export function summarise(cases: readonly Case[]): ReportSummary {
  const focus = focusCases(cases);
  const gained: string[] = [];
  const lost: string[] = [];
  const figures: ReportSummary['figures'] = [];
  for (const one of focus) speedLines(one, cases, gained, lost);
  for (const one of focus) sizeLines(one, focus.length > 1, gained, lost);
  for (const one of focus) qualityLines(one, focus.length > 1, gained, lost);
  otherSparsities(cases, focus, lost);
  const [first] = focus;
  if (first !== undefined) figures.push(...headFigures(first));
  return {
    headline: headlineOf(focus),
    figures,
    gained,
    lost: lost.length === 0 ? ['Nothing that was measured was lost.'] : lost,
    warnings: warningsOf(cases),
  };
}

function best(one: Case) {
  const rows = ratioRows([one]).filter(({ id }) => !id.endsWith('bind'));
  for (const id of BASELINES) {
    const own = rows.filter((row) => row.id === id);
    if (own.length > 0) return own[0];
  }
  return rows[0];
}

function headlineOf(focus: readonly Case[]): string {
  const parts = focus.map((one) => {
    const row = best(one);
    const { sizes, sparsity } = one.network;
    const size =
      sizes.dense.raw === 0 ? '' : `, in ${share(sizes.esp.raw / sizes.dense.raw)} of the dense bytes`;
    const subject = focus.length > 1 ? one.label : `The network with ${share(sparsity)} zeros`;
    if (row === undefined) return `${subject} was measured alone${size}`;
    const { ratio, low, high, engine, batch, noisy } = row;
    const verdict =
      low > 1
        ? `runs ${times(ratio)} as fast as ${engine} at batch ${batch}`
        : high < 1
          ? `runs ${times(1 / ratio)} slower than ${engine} at batch ${batch}`
          : `runs as fast as ${engine} at batch ${batch}, within the noise`;
    return `${subject} ${verdict}${noisy ? ' (a noisy figure)' : ''}${size}`;
  });
  return parts.length > 4
    ? `${parts.slice(0, 4).join('; ')}; and ${parts.length - 4} more.`
    : `${parts.join('; ')}.`;
}

function headFigures(one: Case): ReportSummary['figures'] {
  const figures: ReportSummary['figures'] = [];
  const rows = ratioRows([one]);
  const firstBatch = Math.min(...rows.map(({ batch }) => batch));
  for (const id of BASELINES) {
    const row = rows.find((candidate) => candidate.id === id && candidate.batch === firstBatch);
    if (row === undefined) continue;
    const lostIt = row.high < 1;
    figures.push({
      value: `${times(lostIt ? 1 / row.ratio : row.ratio)}${row.noisy ? ' !' : ''}`,
      label: `${lostIt ? 'slower' : 'as fast'} ${lostIt ? 'than' : 'as'} ${row.engine}, batch ${row.batch}`,
      tone: lostIt ? 'loss' : row.low > 1 ? 'gain' : 'plain',
    });
  }
  const { dense, esp } = one.network.sizes;
  if (dense.raw > 0) {
    figures.push({
      value: share(esp.raw / dense.raw),
      label: `of the dense bytes (${bytes(esp.raw)} of ${bytes(dense.raw)})`,
      tone: esp.raw < dense.raw ? 'gain' : 'loss',
    });
  }
  const { accuracy } = one.network;
  if (accuracy?.dense?.rmse != null && accuracy.model.rmse !== null) {
    const change = accuracy.model.rmse / accuracy.dense.rmse - 1;
    figures.push({
      value: `${change >= 0 ? '+' : ''}${(100 * change).toFixed(2)} %`,
      label: `RMSE against dense (${accuracy.model.rmse.toPrecision(4)} ${accuracy.target})`,
      tone: change > 0.01 ? 'loss' : change < 0 ? 'gain' : 'plain',
    });
  } else if (accuracy?.model.accuracy != null) {
    const before = accuracy.dense?.accuracy;
    const change = before == null ? undefined : accuracy.model.accuracy - before;
    figures.push({
      value: `${(100 * accuracy.model.accuracy).toFixed(2)} %`,
      label:
        change === undefined
          ? 'accuracy'
          : `accuracy, ${change >= 0 ? '+' : ''}${(100 * change).toFixed(2)} points against dense`,
      tone: change === undefined ? 'plain' : change < -0.005 ? 'loss' : change > 0 ? 'gain' : 'plain',
    });
  }
  return figures;
}

/** A sentence an engine: all its batch sizes in one. */
function speedLines(one: Case, cases: readonly Case[], gained: string[], lost: string[]): void {
  const subject = cases.length > 1 ? `${one.label}: ` : '';
  const rows = ratioRows([one]).filter(({ id }) => !id.endsWith('bind'));
  for (const engine of new Set(rows.map((row) => row.engine))) {
    const own = rows.filter((row) => row.engine === engine);
    const at = (list: typeof own, text: (row: (typeof own)[number]) => string) =>
      list.map((row) => `${text(row)}${row.noisy ? ' (noisy)' : ''} at batch ${row.batch}`).join(', ');
    const won = own.filter(({ low }) => low > 1);
    const slower = own.filter(({ high }) => high < 1);
    const even = own.filter(({ low, high }) => low <= 1 && high >= 1);
    if (won.length > 0)
      gained.push(`${subject}${at(won, ({ ratio }) => times(ratio))} as fast as ${engine}.`);
    if (slower.length > 0)
      lost.push(`${subject}${at(slower, ({ ratio }) => `${times(1 / ratio)} slower`)} than ${engine}.`);
    if (even.length > 0)
      lost.push(`${subject}no faster than ${engine} ${at(even, () => '').trim()}, within the noise.`);
  }
}

/** Where another sparsity of the same model loses, although the sparsest does not. */
function otherSparsities(cases: readonly Case[], focus: readonly Case[], lost: string[]): void {
  const others = cases.filter((one) => !focus.includes(one));
  for (const one of others) {
    const rows = ratioRows([one]).filter(({ id, high }) => high < 1 && !id.endsWith('bind'));
    if (rows.length === 0) continue;
    lost.push(
      `${one.label}: ${rows.map(({ engine, batch, ratio }) => `${times(1 / ratio)} slower than ${engine} at batch ${batch}`).join(', ')}.`,
    );
  }
}

function sizeLines(one: Case, named: boolean, gained: string[], lost: string[]): void {
  const { dense, stripped, esp } = one.network.sizes;
  const subject = named ? `${one.label}: the` : 'The';
  if (dense.raw === 0) return;
  const line = `${subject} .esp file takes ${bytes(esp.raw)}, ${share(esp.raw / dense.raw)} of dense float32`;
  if (esp.raw < dense.raw) gained.push(`${line}.`);
  else lost.push(`${line}.`);
  if (stripped.gzip !== null && esp.raw > stripped.gzip) {
    lost.push(
      `${subject} .esp file is larger than gzip -9 of the stripped weights (${bytes(stripped.gzip)}), which would have to be unpacked before use.`,
    );
  }
}

function qualityLines(one: Case, named: boolean, gained: string[], lost: string[]): void {
  const { accuracy } = one.network;
  if (accuracy === undefined || accuracy.dense === null) return;
  const subject = named ? `${one.label}: ` : '';
  const { model, dense } = accuracy;
  if (model.rmse !== null && dense.rmse !== null) {
    const change = model.rmse / dense.rmse - 1;
    const line = `${subject}RMSE ${model.rmse.toPrecision(4)} against ${dense.rmse.toPrecision(4)} dense (${change >= 0 ? '+' : ''}${(100 * change).toFixed(2)} %).`;
    if (change <= 0) gained.push(line);
    else lost.push(line);
  }
  if (model.accuracy !== null && dense.accuracy !== null) {
    const change = model.accuracy - dense.accuracy;
    const line = `${subject}accuracy ${(100 * model.accuracy).toFixed(2)} % against ${(100 * dense.accuracy).toFixed(2)} % dense.`;
    if (change >= 0) gained.push(line);
    else lost.push(line);
  }
}

function warningsOf(cases: readonly Case[]): string[] {
  const warnings: string[] = [];
  const results = [...new Set(cases.map(({ result }) => result))];
  for (const { load, model, complete } of results) {
    const where = results.length > 1 ? `${model}: ` : '';
    if (load.noisy) {
      warnings.push(
        `${where === '' ? 'Other' : `${where}other`} work ran on the machine (${load.before.toFixed(1)} busy cores before, ${load.during.toFixed(1)} during): absolute times are too long, and ratios lean.`,
      );
    }
    if (!complete) warnings.push(`${where}interrupted: only the finished rounds are here.`);
  }
  const timings = cases.flatMap(({ network }) => network.rivals.flatMap((rival) => rival.timings));
  const noisy = timings.filter((timing) => timing.noisy).length;
  if (noisy > 0) {
    warnings.push(
      `${noisy} of ${timings.length} times are marked “!”: their rounds lie too far apart to build on.`,
    );
  }
  const machines = new Set(results.map(({ machine }) => machine.cpu));
  if (machines.size > 1) warnings.push('The results are of different machines: compare ratios, not times.');
  const missing = new Set(
    cases.flatMap(({ network }) =>
      network.rivals.filter(({ status }) => status !== 'ok').map(({ name, status }) => `${name} (${status})`),
    ),
  );
  if (missing.size > 0) warnings.push(`Not timed: ${[...missing].join(', ')}. The reasons are below.`);
  return warnings;
}
