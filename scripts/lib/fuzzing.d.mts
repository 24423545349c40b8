export interface SeedFiles {
  files: Buffer[];
  extension: string;
  inside?: string;
  mend?: (bytes: Buffer) => Buffer;
}
export const FORMATS: readonly string[];
export function seedFiles(folder: string): Promise<Record<string, SeedFiles>>;
export function mutated(seeds: SeedFiles, number: number, folder: string): { path: string; bytes: Buffer };
