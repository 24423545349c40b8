export interface OperationRow {
  readonly op: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly computes: string;
}
export function withOperations(document: string, operations: readonly OperationRow[]): string;
