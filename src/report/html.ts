/** A report as one page of HTML that fetches nothing and runs nothing. */
import { escape, type Draw } from './draw.js';
import { cellText, type Cell, type Chart, type Section, type ReportTable } from './section.js';
import { STYLE } from './style.js';
import type { ReportSummary } from './summary.js';

/** Widths of the plots in pixels: for screens and paper, and for phones. */
export const WIDE = 640;
const NARROW = 165;

/** Not even what a model's name might smuggle in may be fetched or run. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const list = (items: readonly string[]) =>
  `<ul>${items.map((item) => `<li>${escape(item)}</li>`).join('')}</ul>`;

const CLASS: Record<NonNullable<Cell['mark']>, string> = { noisy: 'noisy', lost: 'lostcell', won: 'won' };

function cell(value: string | Cell, right: boolean): string {
  const names = [
    ...(right ? ['right'] : []),
    ...(typeof value !== 'string' && value.mark !== undefined ? [CLASS[value.mark]] : []),
  ];
  return `<td${names.length === 0 ? '' : ` class="${names.join(' ')}"`}>${escape(cellText(value))}</td>`;
}

function table({ caption, columns, rows }: ReportTable): string {
  const head = columns
    .map(
      ({ title, align }) =>
        `<th scope="col"${align === 'right' ? ' class="right"' : ''}>${escape(title)}</th>`,
    )
    .join('');
  const body = rows
    .map(
      (cells) => `<tr>${cells.map((value, at) => cell(value, columns[at]?.align === 'right')).join('')}</tr>`,
    )
    .join('\n');
  // Scrolled by keyboard too: hence the tab stop, and a name for those who hear it.
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${escape(caption)}"><table><caption>${escape(caption)}</caption>` +
    `<thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`
  );
}

/** Above so many rows a table opens on demand. */
const LONG = 12;

function tables(section: Section): string {
  return section.tables
    .filter(({ rows }) => rows.length > 0)
    .map((one) =>
      one.rows.length <= LONG && section.charts.length === 0
        ? table(one)
        : `<details${one.rows.length <= LONG ? ' open' : ''}><summary>${escape(`${one.caption} (${one.rows.length} rows)`)}</summary>${table(one)}</details>`,
    )
    .join('\n');
}

async function figure(chart: Chart, draw: Draw): Promise<string> {
  const label = escape(`${chart.title}. ${chart.description}`);
  const image = async (width: number, name: string) => {
    const drawing = await draw(chart, width);
    const attributes = `class="chart" role="img" aria-label="${label}" width="${drawing.width}" height="${drawing.height}"`;
    return `<div class="${name}">${drawing.svg.replace(/<svg([^>]*?) class="marks"/, `<svg$1 ${attributes}`)}</div>`;
  };
  return (
    `<figure id="${escape(chart.id)}"><h3>${escape(chart.title)}</h3><figcaption>${escape(chart.description)}</figcaption>` +
    `${await image(WIDE, 'wide')}${await image(NARROW, 'narrow')}</figure>`
  );
}

/** `draw` undefined: tables alone. */
export async function renderHtml(
  title: string,
  summary: ReportSummary,
  sections: readonly Section[],
  draw: Draw | undefined,
  created: string,
): Promise<string> {
  const parts: string[] = [];
  for (const section of sections) {
    const figures: string[] = [];
    if (draw !== undefined) for (const chart of section.charts) figures.push(await figure(chart, draw));
    parts.push(
      `<section aria-labelledby="${section.id}"><h2 id="${section.id}">${escape(section.title)}</h2>` +
        `<p class="lead">${escape(section.lead)}</p>` +
        (figures.length === 0 ? '' : `<div class="charts">${figures.join('\n')}</div>`) +
        tables(section) +
        section.notes.map((note) => `<p class="note">${escape(note)}</p>`).join('') +
        '</section>',
    );
  }
  const { headline, figures, gained, lost, warnings } = summary;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="generator" content="espalier report">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="kicker">espalier report, ${escape(created)}</p>
<h1>${escape(title)}</h1>
</header>
<main>
<p class="headline">${escape(headline)}</p>
<ul class="figures">${figures.map(({ value, label, tone }) => `<li class="${tone}"><b>${escape(value)}</b><span>${escape(label)}</span></li>`).join('')}</ul>
<div class="two"><section class="gained" aria-labelledby="gained"><h2 id="gained">Gained</h2>${list(gained.length === 0 ? ['Nothing beyond the noise.'] : gained)}</section>
<section class="lost" aria-labelledby="lost"><h2 id="lost">Lost</h2>${list(lost)}</section></div>
${warnings.length === 0 ? '' : `<section class="warnings" aria-labelledby="beware"><h2 id="beware">Beware</h2>${list(warnings)}</section>`}
<nav aria-label="Contents"><ul>${sections.map(({ id, title: name }) => `<li><a href="#${id}">${escape(name)}</a></li>`).join('')}</ul></nav>
${parts.join('\n')}
</main>
<footer>Times are medians over interleaved rounds, each engine in a process of its own. “!” marks times whose rounds lie too far apart. The commands that make these figures again are under “Machine and settings”.</footer>
</body>
</html>
`;
}
