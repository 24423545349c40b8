/** The map of the house is what the code does, and a wrong import is refused, of whatever kind. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOMS } from '../../scripts/lib/rooms.cjs';
import { withRooms } from '../../scripts/lib/rooms.mjs';

const root = join(import.meta.dirname, '../..');

interface Cruise {
  modules: { source: string; dependencies: { resolved: string }[] }[];
  summary: { violations: { from: string; rule: { name: string }; cycle?: { name: string }[] }[] };
}

function cruise(folder: string): Cruise {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
      ...['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'],
    ],
    { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Cruise;
}

/** Wrong imports of each kind: file, text, and the rule that must refuse it. */
const PLANTED: [file: string, text: string, rule: string][] = [
  ['src/engine/planted.ts', `export { convertModel } from '../convert.js';`, 'room-engine'],
  [
    'src/network/planted.ts',
    `import type { Program } from '../program/program.js';\nexport type Planted = Program;`,
    'room-network',
  ],
  ['src/file/planted.ts', `export type Planted = import('../engine/model.js').Model;`, 'room-file'],
  ['src/compile/planted.ts', `export const planted = () => import('../engine/model.js');`, 'room-compile'],
  ['src/serve/planted.ts', `export const planted = () => import('../cli/format.js');`, 'cli-is-the-roof'],
  ['src/load/planted.ts', `export { setups } from '@tensorflow/tfjs-node';`, 'tfjs-only-where-it-trains'],
  // A circle of types is one.
  [
    'src/metrics/planted-egg.ts',
    `import type { Hen } from './planted-hen.js';\nexport type Egg = { of: Hen };`,
    'no-circular',
  ],
  [
    'src/metrics/planted-hen.ts',
    `export const hen = () => import('./planted-egg.js');\nexport type Hen = { name: string };`,
    'no-circular',
  ],
  ['src/attic/planted.ts', `export { describe } from '../errors.js';`, 'room-unknown'],
];

describe('the rooms of src', () => {
  let folder: string;
  let seen: Cruise;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-rooms-'));
    for (const name of [
      'src',
      'scripts',
      'install',
      '.dependency-cruiser.cjs',
      'tsconfig.json',
      'package.json',
    ]) {
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const [file, text] of PLANTED) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), `${text}\n`);
    }
    seen = cruise(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(PLANTED)('%s: %s is refused by %s', (file, _text, rule) => {
    // A circle is told once, from one of its files.
    const told = seen.summary.violations.filter(
      ({ from, cycle = [] }) => from === file || cycle.some(({ name }) => name === file),
    );
    expect(told.map((found) => found.rule.name)).toContain(rule);
  });

  it('import what scripts/lib/rooms.cjs says, no less and no more', () => {
    const room = (path: string) => /^src\/([^/.]+)/.exec(path)?.[1];
    const planted = new Set(PLANTED.map(([file]) => file));
    expect(seen.summary.violations.filter(({ from }) => !planted.has(from))).toEqual([]);
    const imports = new Map(ROOMS.map(({ name }) => [name, new Set<string>()]));
    for (const { source, dependencies } of seen.modules) {
      if (planted.has(source)) continue;
      for (const { resolved } of dependencies) {
        const [from, to] = [room(source), room(resolved)];
        if (from !== undefined && to !== undefined && from !== to) imports.get(from)?.add(to);
      }
    }
    for (const { name, imports: listed } of ROOMS) {
      expect([...(imports.get(name) ?? [])].sort(), `src/${name}`).toEqual([...listed].sort());
    }
  });

  it('are listed from the ground up: none imports a room below it in the list', () => {
    const names = ROOMS.map(({ name }) => name);
    for (const [floor, { name, imports }] of ROOMS.entries()) {
      const above = imports.filter((other) => !names.slice(0, floor).includes(other));
      expect(above, `src/${name}`).toEqual([]);
    }
  });

  it('are all there are', () => {
    const there = new Set(readdirSync(join(root, 'src')).map((name) => basename(name, '.ts')));
    expect([...there].sort()).toEqual(ROOMS.map(({ name }) => name).sort());
  });
});

it('the table in docs/architecture.md is current: npm run rooms writes it anew', async () => {
  const path = join(root, 'docs/architecture.md');
  const text = readFileSync(path, 'utf8');
  const options = { ...(await resolveConfig(path)), parser: 'markdown' };
  expect(text).toBe(await format(withRooms(root, text), options));
});
