/** The experiment's results as Markdown. */
export function experimentTable(report: Record<string, unknown>): string;
export function replaceBetweenMarks(text: string, table: string): string;
