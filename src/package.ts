/** Where this package lies and what it is called there: the one place that knows how deep a module of ours lies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of espalier's package.json: one folder up both from dist and from src. */
export const PACKAGE_FOLDER = fileURLToPath(new URL('../', import.meta.url));

/** The path of a file that the package ships. */
export function packageFile(...path: readonly string[]): string {
  return join(PACKAGE_FOLDER, ...path);
}

/** The version in package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
