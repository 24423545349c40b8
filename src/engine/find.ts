/** Finding and loading the native addon; when it cannot be, saying what would help. */
import { createRequire } from 'node:module';
import { EspalierError } from '../errors.js';
import { PACKAGE_FOLDER } from '../package.js';
import type { Addon } from './addon.js';

/** Where the addon may lie, the best first: one built on this machine, then the one that came with the package. */
export function addonPaths(root: string = PACKAGE_FOLDER): string[] {
  return [
    `${root}build/Release/espalier.node`,
    `${root}prebuilds/${process.platform}-${process.arch}/espalier.node`,
  ];
}

let loaded: Addon | undefined;

/** The addon of this thread, loaded once. Throws ADDON_MISSING with what was tried and the remedy. */
export function addon(): Addon {
  return (loaded ??= loadAddon(addonPaths()));
}

/** Loads the first of `paths` that loads. */
export function loadAddon(paths: readonly string[]): Addon {
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  for (const path of paths) {
    try {
      return require(path) as Addon;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const missing = code === 'MODULE_NOT_FOUND' && message.includes(path);
      tried.push(`${path}: ${missing ? 'not there' : (message.split('\n')[0] ?? '')}`);
    }
  }
  const platform = `${process.platform}-${process.arch}`;
  throw new EspalierError(
    'ADDON_MISSING',
    [
      `the native engine for ${platform} could not be loaded`,
      ...tried.map((line) => `  ${line}`),
      'Possible solutions:',
      '- in a project: npm rebuild espalier --ignore-scripts=false',
      '  (builds it; needs a C++17 compiler, make and CMake, or Python 3 in place of CMake)',
      '- in a clone of espalier: npm run build',
      `- node_modules copied from another machine: install on this one (${platform}, Node ${process.version})`,
    ].join('\n'),
    { parameter: 'addon', expected: platform, received: tried },
  );
}
