/** What the pages for contributors name is there. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UNIT } from '../../scripts/lib/unit.mjs';

const root = join(import.meta.dirname, '../..');
const PAGES = ['CONTRIBUTING.md', 'docs/architecture.md', 'docs/results/README.md'];
const TOP = new Set(readdirSync(root));

/** Words in backticks that are paths from the root of the tree: not what is built, and not patterns. */
function pathsIn(text: string): string[] {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, words = '']) => words.split(/[\s=]+/));
  const built = /^(build|dist|node_modules|prebuilds|runs)\//;
  return quoted.filter(
    (path) =>
      path.includes('/') && TOP.has(path.split('/')[0] ?? '') && !built.test(path) && !/[*<>…]/.test(path),
  );
}

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('names paths that are there', () => {
    const links = [...text.matchAll(/\]\(([^)#:\s]+)\)/g)].map(([, to = '']) => join(dirname(page), to));
    const named = [...pathsIn(text), ...links];
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('names commands that are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const commands = [...text.matchAll(/`npm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect(commands.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
    expect(commands.length).toBeGreaterThan(0);
  });
});

it('npm run test:unit names tests that are there', () => {
  expect(UNIT.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
