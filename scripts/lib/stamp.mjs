/** Knowing whether a step is done: a fingerprint of what went in, kept beside what came out. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** All files under the given files and folders, sorted. Missing ones are left out. */
export function filesUnder(root, paths, keep = () => true) {
  const found = [];
  const visit = (path) => {
    if (!existsSync(join(root, path))) return;
    if (statSync(join(root, path)).isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) visit(join(path, name));
    } else if (keep(path)) found.push(path);
  };
  for (const path of paths) visit(path);
  return found;
}

/** SHA-256 of the names and contents of files and of further strings. */
export function fingerprint(root, files, ...more) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(join(root, file)));
    hash.update('\0');
  }
  for (const text of more) hash.update(`${text}\0`);
  return hash.digest('hex');
}

export class Stamps {
  constructor(path) {
    this.path = path;
    try {
      this.values = JSON.parse(readFileSync(path, 'utf8'));
    } catch {
      this.values = {};
    }
  }

  matches(name, value) {
    return this.values[name] === value;
  }

  /** Written by rename, so that Ctrl-C never leaves half a file. */
  set(name, value) {
    this.values[name] = value;
    mkdirSync(dirname(this.path), { recursive: true });
    const temporary = `${this.path}.${process.pid}.tmp`;
    writeFileSync(temporary, `${JSON.stringify(this.values, null, 2)}\n`);
    renameSync(temporary, this.path);
  }
}
