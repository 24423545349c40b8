export function filesUnder(root: string, paths: string[], keep?: (path: string) => boolean): string[];
export function fingerprint(root: string, files: string[], ...more: string[]): string;
export class Stamps {
  constructor(path: string);
  matches(name: string, value: string): boolean;
  set(name: string, value: string): void;
}
