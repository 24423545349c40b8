#!/usr/bin/env node
/**
 * The include rule of native/: cpu, sparse <- kernels <- program <- addon. A check of `npm test`: run by itself it names
 * each include that breaks the rule and ends with 1.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesUnder } from './stamp.mjs';

const ENGINE = ['cpu', 'sparse', 'kernels', 'program'];

/** What each folder of native/ may include beside itself. */
export const NATIVE_ROOMS = {
  cpu: [],
  sparse: [],
  kernels: ['cpu', 'sparse'],
  program: ['cpu', 'sparse', 'kernels'],
  addon: ENGINE,
  bench: ENGINE,
  test: ENGINE,
};

/** All includes under native/ that break the rule, as "file:line: why". Headers of the system and of libraries are free. */
export function wrongIncludes(root) {
  const native = join(root, 'native');
  return filesUnder(native, ['.'], (path) => /\.(cc|h|inl)$/.test(path)).flatMap((file) =>
    readFileSync(join(native, file), 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        const why = wrong(native, file, line);
        return why === undefined ? [] : [`native/${file}:${index + 1}: ${why}`];
      }),
  );
}

/** Why a line of a file is no lawful include; undefined where it is one, or none at all. */
function wrong(native, file, line) {
  const [, mark, path] = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/.exec(line) ?? [];
  if (path === undefined) return undefined;
  const ours = existsSync(join(native, path));
  if (mark === '<' && !ours) return undefined;
  if (path.split('/').includes('..') || !ours) {
    return `"${path}" is no file of native/: a header is included by its path from there`;
  }
  const [room] = file.split('/');
  const allowed = NATIVE_ROOMS[room];
  if (allowed === undefined) return `${room} has no line in the include rule (scripts/lib/includes.mjs)`;
  const [from] = path.split('/');
  if (from === room || allowed.includes(from)) return undefined;
  const others = allowed.length === 0 ? 'nothing' : allowed.join(', ');
  return `${room} may include ${others} beside itself, not "${path}"`;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const found = wrongIncludes(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
  for (const message of found) console.error(message);
  process.exitCode = found.length > 0 ? 1 : 0;
}
