export interface Floor {
  suite: string;
  network: string;
  sparsity?: number;
  batch: number;
  id: string;
  over: string;
  atLeast: number;
}
export interface Suite {
  suite: string;
  results: { network: string; sparsity: number; batch: number; id: string; over: Record<string, number> }[];
}
export function checkFloors(
  suites: readonly Suite[],
  floors: readonly Floor[],
): (Floor & { ratio: number | undefined; verdict: 'ok' | 'MISS' | 'absent' })[];
