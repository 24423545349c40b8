/**
 * Model sources on disk. A repository is a folder of NAME/VERSION/model.esp, or NAME/model.esp for a single version;
 * whatever the loader takes may stand in the place of model.esp.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { EspalierError, invalid } from '../errors.js';
import { MODEL_EXTENSIONS, hasFilesBeside } from '../import/formats.js';

/** One version of a model on disk. */
export interface VersionSource {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  /** Changes when what is on disk does. */
  readonly fingerprint: string;
}

export const MODEL_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const VERSION_NAME = /^[1-9]\d{0,17}$/;

/** Newest last. */
export function byVersion(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

/** What the command line names: a repository, or models one by one. */
export type ModelOrigin =
  | { readonly kind: 'repository'; readonly root: string }
  | { readonly kind: 'model'; readonly source: VersionSource };

/**
 * Reads one argument: a folder of models, a model file, a folder that holds just one model file, or NAME=PATH for a
 * model under another name. Throws NOT_FOUND or INVALID_ARGUMENT.
 */
export async function readOrigin(argument: string, modelName?: string): Promise<ModelOrigin> {
  const named = /^([A-Za-z0-9_][A-Za-z0-9._-]*)=(.+)$/.exec(argument);
  const path = resolve(named?.[2] ?? argument);
  const wanted = named?.[1] ?? modelName;
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new EspalierError('NOT_FOUND', `${path}: no such file or folder`, {
      parameter: 'MODEL',
      received: path,
    });
  }
  const file = found.isDirectory() ? await modelFileIn(path) : path;
  if (file === undefined) return { kind: 'repository', root: path };
  const stem = found.isDirectory() ? basename(path) : nameOfFile(path);
  const name = wanted ?? stem;
  if (!MODEL_NAME.test(name)) {
    throw invalid(
      'INVALID_ARGUMENT',
      'model name',
      'letters, digits, ".", "_" and "-" (give NAME=PATH)',
      name,
    );
  }
  return { kind: 'model', source: { name, version: '1', path: file, fingerprint: await fingerprint(file) } };
}

/** flights/model.json is "flights", flights.esp is "flights". */
function nameOfFile(path: string): string {
  const stem = basename(path, extname(path));
  return stem === 'model' ? basename(resolve(path, '..')) : stem;
}

/** The model file of a folder: model.<known extension>, or else the only file with one. */
async function modelFileIn(folder: string): Promise<string | undefined> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries) {
    if (!MODEL_EXTENSIONS.includes(extname(entry.name)) || entry.name.startsWith('.')) continue;
    // Volumes of Kubernetes are links to links: what counts is what they lead to.
    const isFile = entry.isSymbolicLink()
      ? (await stat(join(folder, entry.name)).catch(() => undefined))?.isFile()
      : entry.isFile();
    if (isFile === true) files.push(entry.name);
  }
  for (const extension of MODEL_EXTENSIONS) {
    if (files.includes(`model${extension}`)) return join(folder, `model${extension}`);
  }
  return files.length === 1 ? join(folder, files[0]!) : undefined;
}

/** Size, time and inode of every file beside the source: weights lie in files of their own for some formats. */
async function fingerprint(file: string): Promise<string> {
  if (!hasFilesBeside(extname(file))) return describeFile(file);
  const folder = resolve(file, '..');
  const names = (await readdir(folder)).sort();
  const all = await Promise.all(names.map((name) => describeFile(join(folder, name))));
  return all.join('|');
}

async function describeFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? `${basename(path)}:${found.size}:${found.mtimeMs}:${found.ino}` : '';
}

/** Every version of every model under a repository's root; of one model where a name is given. */
export async function scanRepository(root: string, only?: string): Promise<VersionSource[]> {
  const sources: VersionSource[] = [];
  for (const name of await folders(root)) {
    if (!MODEL_NAME.test(name) || (only !== undefined && name !== only)) continue;
    const folder = join(root, name);
    const versions = (await folders(folder)).filter((version) => VERSION_NAME.test(version));
    for (const version of versions) {
      const path = await modelFileIn(join(folder, version));
      if (path === undefined) continue;
      sources.push({ name, version, path, fingerprint: await fingerprint(path) });
    }
    if (versions.length > 0) continue;
    const path = await modelFileIn(folder);
    if (path !== undefined) sources.push({ name, version: '1', path, fingerprint: await fingerprint(path) });
  }
  return sources;
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const isFolder = entry.isSymbolicLink()
      ? (await stat(join(path, entry.name)).catch(() => undefined))?.isDirectory()
      : entry.isDirectory();
    if (isFolder === true) names.push(entry.name);
  }
  return names.sort();
}
