/** A part of a report as data: a table always, a chart where one helps. HTML, Markdown and CSV are made from it. */

export interface ReportColumn {
  title: string;
  align?: 'left' | 'right';
  /** Of the numbers, for CSV and the header; the text of a cell has it where it reads better. */
  unit?: string;
}

/** What a person reads, and the number behind it where there is one. */
export interface Cell {
  text: string;
  value?: number | null;
  /** Too noisy to build on, or lost against another. */
  mark?: 'noisy' | 'lost' | 'won';
}

export interface ReportTable {
  caption: string;
  columns: ReportColumn[];
  rows: (string | Cell)[][];
}

export interface Chart {
  /** Unique in the report, for names of files. */
  id: string;
  title: string;
  /** What it shows, for those who do not see it. */
  description: string;
  /** A Vega-Lite specification for a drawing area of so many pixels. */
  spec: (width: number) => object;
}

export interface Section {
  id: string;
  title: string;
  /** What is to be seen here, in a sentence. */
  lead: string;
  charts: Chart[];
  tables: ReportTable[];
  notes: string[];
}

export const cellText = (cell: string | Cell): string => (typeof cell === 'string' ? cell : cell.text);

export const number = (value: number | null | undefined, text: (value: number) => string): Cell =>
  value === null || value === undefined ? { text: '–', value: null } : { text: text(value), value };
