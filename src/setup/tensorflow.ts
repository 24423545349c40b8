/**
 * `espalier setup-tensorflow`: makes @tensorflow/tfjs-node of a project work.
 *
 * Its own install script cannot: the bucket it downloads libtensorflow and its addon from answers 403 (tfjs issue
 * 8742). The same C API is in TensorFlow's wheel on PyPI; tfjs-node's sources, which npm brings, build against it.
 */
import { existsSync, realpathSync } from 'node:fs';
import { cp, link, mkdir, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { temporaryBeside } from '../../install/cache.mjs';
import { checkTools, describeMissing, which } from '../../install/tools.mjs';
import { EspalierError } from '../errors.js';
import { INSTALL_TENSORFLOW } from '../tensorflow/remedy.js';
import { writeFileAtomic } from '../files.js';
import { runTool, tail } from './commands.js';
import { nodeDirectory } from './headers.js';
import { type SetupProgress, provideLibrary } from './library.js';
import { probeTensorFlow, restoreNodeUtil } from './probe.js';
import { type Wheel, wheelFor } from './wheels.js';

export interface SetupTensorFlowOptions extends SetupProgress {
  /** The folder of the project whose tfjs-node is to be repaired. */
  project: string;
}

export interface TensorFlowInstallation {
  /** The folder of @tensorflow/tfjs-node. */
  folder: string;
  version: string;
  /** The libtensorflow version in the file names that its installer looks for. */
  library: string;
}

/** What is left beside the binding once it was seen to work, so that the next run knows that there is nothing to do. */
interface Stamp {
  /** The versions of Node under which a training step worked. */
  probed: string[];
  /** Bytes of the binding and of the libraries then. */
  files: Record<string, number>;
}

/** Where a project's tfjs-node lies; undefined if it has none. */
export async function findTensorFlow(project: string): Promise<TensorFlowInstallation | undefined> {
  let manifest: string;
  try {
    manifest = createRequire(join(resolve(project), 'package.json')).resolve(
      '@tensorflow/tfjs-node/package.json',
    );
  } catch {
    return undefined;
  }
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const folder = realpathSync(dirname(manifest));
  const constants = await readFile(join(folder, 'scripts/deps-constants.js'), 'utf8').catch(() => '');
  const library = /LIBTENSORFLOW_VERSION = '([\d.]+)'/.exec(constants)?.[1] ?? '2.9.1';
  return { folder, version, library };
}

async function readStamp(folder: string): Promise<Stamp | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'lib/.espalier.json'), 'utf8')) as Stamp;
  } catch {
    return undefined;
  }
}

function writeStamp(folder: string, stamp: Stamp): Promise<void> {
  return writeFileAtomic(join(folder, 'lib/.espalier.json'), `${JSON.stringify(stamp)}\n`);
}

/** The sizes of what tfjs-node loads: its binding and TensorFlow's libraries. */
async function binaries(folder: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const room of ['lib', 'deps/lib']) {
    const entries = await readdir(join(folder, room), { recursive: true }).catch(() => []);
    for (const name of entries.sort()) {
      const path = join(room, name);
      const found = await stat(join(folder, path)).catch(() => undefined);
      if (found?.isFile() === true && !name.endsWith('.json')) sizes[path] = found.size;
    }
  }
  return sizes;
}

/** Whether this Node was seen to train with exactly these binaries. Reads sizes only: quick. */
export async function knownToWork(folder: string): Promise<boolean> {
  const stamp = await readStamp(folder);
  if (stamp === undefined || !stamp.probed.includes(process.version)) return false;
  return JSON.stringify(stamp.files) === JSON.stringify(await binaries(folder));
}

/** A name for a big file of the cache: a hard link, on another file system a symbolic one, else a copy. */
async function provideFile(source: string, destination: string): Promise<void> {
  for (const way of [link, symlink]) {
    try {
      await way(source, destination);
      return;
    } catch {
      // The next way may do: file systems differ in what they allow.
    }
  }
  await cp(source, destination);
}

/** Lays deps/ out as tfjs-node's installer would have, whole or not at all. */
async function layOut(installation: TensorFlowInstallation, wheel: Wheel, library: string): Promise<void> {
  const deps = join(installation.folder, 'deps');
  const temporary = temporaryBeside(deps);
  try {
    await mkdir(join(temporary, 'lib'), { recursive: true });
    await cp(join(library, 'include'), join(temporary, 'include'), { recursive: true });
    for (const name of wheel.libraries) {
      await provideFile(join(library, 'lib', name), join(temporary, 'lib', name));
    }
    for (const [name, target] of Object.entries(wheel.links)) {
      await symlink(target, join(temporary, 'lib', name.replace('VERSION', installation.library)));
    }
    await rm(deps, { recursive: true, force: true });
    await rename(temporary, deps);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Runs tfjs-node's own install script, which finds deps/ in place and is told to compile instead of to download. */
async function compileBinding(installation: TensorFlowInstallation): Promise<void> {
  const missing = describeMissing(checkTools(['npm', 'python3', 'make', 'c++']));
  if (missing.length > 0) throw new EspalierError('TOOL_MISSING', missing.join('\n'), { parameter: 'tools' });
  await rm(join(installation.folder, 'lib'), { recursive: true, force: true });
  const macRunPath =
    process.platform === 'darwin' ? { LDFLAGS: '-Wl,-rpath,@loader_path/../../deps/lib' } : {};
  const { code, output } = await runTool(which('npm') ?? 'npm', ['run', 'install'], {
    cwd: installation.folder,
    env: {
      ...process.env,
      ...macRunPath,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
      npm_config_nodedir: await nodeDirectory(),
      npm_config_build_from_source: 'true',
      npm_config_update_notifier: 'false',
    },
  });
  if (code !== 0) {
    throw new EspalierError(
      'TENSORFLOW_MISSING',
      `tfjs-node did not compile (${code}):\n${tail(output, 30)}`,
      {
        parameter: '@tensorflow/tfjs-node',
        received: code,
      },
    );
  }
}

/**
 * Repairs the project's tfjs-node where it does not work: fetches TensorFlow's library into the user's cache, lays it
 * out, compiles the binding and tries a training step in a child process. Does nothing where that has been done.
 *
 * Throws NOT_FOUND if the project has no tfjs-node, TOOL_MISSING with the command that installs the tool, and
 * TENSORFLOW_MISSING if it cannot be made to work.
 */
export async function setupTensorFlow(
  options: SetupTensorFlowOptions,
): Promise<{ changed: boolean; folder: string }> {
  const installation = await findTensorFlow(options.project);
  if (installation === undefined) {
    throw new EspalierError(
      'NOT_FOUND',
      `project: expected @tensorflow/tfjs-node in ${resolve(options.project)}, found none. ` +
        `Install it with: ${INSTALL_TENSORFLOW}`,
      { parameter: 'project' },
    );
  }
  const { folder } = installation;
  if (await knownToWork(folder)) return { changed: false, folder };

  await restoreNodeUtil(folder);
  if (existsSync(join(folder, 'lib')) && (await probeTensorFlow(folder)).ok) {
    await recordWorking(folder);
    return { changed: false, folder };
  }

  const wheel = wheelFor(process.platform, process.arch);
  const library = await provideLibrary(wheel, options);
  options.say('laying out the library and compiling the binding (about 10 s)');
  await layOut(installation, wheel, library);
  await compileBinding(installation);
  options.say('trying a training step');
  const { ok, problem } = await probeTensorFlow(folder);
  if (!ok) {
    throw new EspalierError('TENSORFLOW_MISSING', `tfjs-node was built and does not work: ${problem}`, {
      parameter: '@tensorflow/tfjs-node',
    });
  }
  await recordWorking(folder);
  return { changed: true, folder };
}

async function recordWorking(folder: string): Promise<void> {
  const files = await binaries(folder);
  const stamp = await readStamp(folder);
  const before = JSON.stringify(stamp?.files) === JSON.stringify(files) ? (stamp?.probed ?? []) : [];
  await writeStamp(folder, { probed: [...new Set([...before, process.version])], files });
}
