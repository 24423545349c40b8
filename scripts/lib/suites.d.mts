import type { Outcome } from './tally.mjs';

export function countVitest(root: string, report: unknown): Required<Outcome>;
export function countGoogleTest(reports: unknown[]): Required<Outcome>;
export function googleTestFilter(filter: string): string;
