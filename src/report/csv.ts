/** All numbers of a report as one tidy table: a number a line, with what it is of. */
import Papa from 'papaparse';
import { cellText, type Section } from './section.js';

const COLUMNS = ['section', 'table', 'row', 'labels', 'measure', 'unit', 'value', 'text'];

/**
 * Lines of section, table, row (from 1), labels (the texts of the row, "column=text" joined by "; "), measure, unit,
 * value (a number, in the unit; empty where there is none) and the text that the report shows. Texts that a spreadsheet
 * would take for formulas are quoted.
 */
export function renderCsv(sections: readonly Section[]): string {
  const rows: unknown[][] = [];
  for (const section of sections) {
    for (const table of section.tables) {
      table.rows.forEach((cells, index) => {
        const labels = cells
          .flatMap((cell, at) =>
            typeof cell === 'string' && cell !== '' ? [`${table.columns[at]?.title}=${cell}`] : [],
          )
          .join('; ');
        cells.forEach((cell, at) => {
          const column = table.columns[at];
          if (typeof cell === 'string' || column === undefined) return;
          const { value } = cell;
          const told = value === undefined ? '' : (value ?? '');
          rows.push([
            section.id,
            table.caption,
            index + 1,
            labels,
            column.title,
            column.unit ?? '',
            told,
            cellText(cell),
          ]);
        });
      });
    }
  }
  return `${Papa.unparse({ fields: COLUMNS, data: rows }, { newline: '\n', escapeFormulae: /^[=+\-@\t\r](?!\d|\.\d)/ })}\n`;
}
