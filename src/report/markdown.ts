/** A report as Markdown: the same summary and tables; charts as files beside it, where they were asked for. */
import { cellText, type Cell, type Section, type ReportTable } from './section.js';
import type { ReportSummary } from './summary.js';

/** Pipes and line ends would end a cell; the rest of Markdown and HTML is taken as text. */
const plain = (text: string): string =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll(/([*_`[\]])/g, '\\$1');

const marked = (cell: string | Cell): string => {
  const text = plain(cellText(cell));
  return typeof cell !== 'string' && cell.mark === 'noisy' ? `${text} !` : text;
};

function table({ caption, columns, rows }: ReportTable): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [
    `*${plain(caption)}*`,
    '',
    line(columns.map(({ title }) => plain(title))),
    line(columns.map(({ align }) => (align === 'right' ? '---:' : '---'))),
    ...rows.map((cells) => line(cells.map(marked))),
  ].join('\n');
}

/** `charts`: the file of each chart by its id, relative to the page. */
export function renderMarkdown(
  title: string,
  summary: ReportSummary,
  sections: readonly Section[],
  charts: ReadonlyMap<string, string> = new Map(),
): string {
  const list = (items: readonly string[]) => items.map((item) => `- ${plain(item)}`).join('\n');
  const parts = [
    `# ${plain(title)}`,
    `**${plain(summary.headline)}**`,
    `Gained:\n\n${list(summary.gained)}`,
    `Lost:\n\n${list(summary.lost)}`,
    ...(summary.warnings.length === 0 ? [] : [`Beware:\n\n${list(summary.warnings)}`]),
  ];
  for (const section of sections) {
    parts.push(`## ${plain(section.title)}`, plain(section.lead));
    for (const chart of section.charts) {
      const file = charts.get(chart.id);
      if (file !== undefined)
        parts.push(`![${plain(`${chart.title}. ${chart.description}`)}](${encodeURI(file)})`);
    }
    parts.push(...section.tables.filter(({ rows }) => rows.length > 0).map(table));
    parts.push(...section.notes.map(plain));
  }
  return `${parts.join('\n\n')}\n`;
}
