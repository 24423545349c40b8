export interface Outcome {
  passed?: number;
  failures?: string[];
  skips?: string[];
}
export class Tally {
  add(suite: string, outcome: Outcome): void;
  close(options?: { ci?: boolean }): 0 | 1;
}
