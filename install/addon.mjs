/**
 * Building the native addon from source, used by set-up in the clone and by the install script of the package.
 * Node's headers come from npm's node-api-headers: nothing is downloaded.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run } from './run.mjs';
import { which } from './tools.mjs';

export const ADDON = 'build/Release/espalier.node';

/** Where the addon for the packing platform lies in the package. */
export function prebuiltPath() {
  return `prebuilds/${process.platform}-${process.arch}/espalier.node`;
}

/** The folders of node_api.h and napi.h, from the packages as `root` resolves them, as CMake takes a list. */
export function nodeHeaders(root) {
  const require = createRequire(join(root, 'package.json'));
  return `${require('node-api-headers').include_dir};${dirname(require.resolve('node-addon-api'))}`;
}

/** The command line of cmake-js where `root` has it (the clone), else undefined: the package's users need CMake alone. */
function cmakeJs(root) {
  try {
    return createRequire(join(root, 'package.json')).resolve('cmake-js/bin/cmake-js');
  } catch {
    return undefined;
  }
}

/**
 * Configures (once) and builds CMakeLists.txt into build/cmake; the addon goes to build/Release/espalier.node. By
 * cmake-js in the clone; where it is not installed by the same two calls of CMake that it makes.
 */
export async function buildWithCMake(root, { log } = {}) {
  const build = join(root, 'build/cmake');
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(Math.min(availableParallelism(), 4));
  const tool = cmakeJs(root);
  if (tool !== undefined) {
    const args = ['build', '--directory', root, '--out', build, '--parallel', parallel, '--prefer-make'];
    await run(process.execPath, [tool, ...args], { cwd: root, log, label: 'cmake-js' });
    return;
  }
  await run('cmake', ['-S', root, '-B', build, `-DESPALIER_NODE_HEADERS=${nodeHeaders(root)}`], {
    log,
    label: 'cmake (configure)',
  });
  await run('cmake', ['--build', build, '--parallel', parallel], { log, label: 'cmake (build)' });
}

/** Copies the built addon to where the package keeps it. By rename, so that a running process keeps its old one. */
export function placePrebuilt(root) {
  const destination = join(root, prebuiltPath());
  mkdirSync(dirname(destination), { recursive: true });
  copyFileSync(join(root, ADDON), `${destination}.tmp`);
  renameSync(`${destination}.tmp`, destination);
}

/** Whether the addon at `path` loads here: tried in a child process, as a foreign binary may take the process down. */
export function addonLoads(path) {
  if (!existsSync(path)) return { ok: false, problem: `${path} is missing` };
  const probe = spawnSync(
    process.execPath,
    ['-e', 'process.dlopen({ exports: {} }, process.argv[1])', path],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  );
  if (probe.status === 0) return { ok: true };
  const reason =
    (probe.stderr ?? '').split('\n').find((line) => line.includes('Error')) ?? `ended by ${probe.signal}`;
  return { ok: false, problem: reason.trim() };
}

/** The node-gyp to use: the one npm hands to scripts, the project's, or the one on PATH. */
export function nodeGyp(root) {
  const handed = process.env.npm_config_node_gyp;
  if (handed !== undefined && existsSync(handed)) return handed;
  try {
    return createRequire(join(root, 'package.json')).resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return which('node-gyp');
  }
}

/**
 * Builds with node-gyp from binding.gyp into build/Release. Node's headers are the running Node's or made of
 * node-api-headers by the built package: nothing is downloaded.
 */
export async function buildWithNodeGyp(root, { log, gyp }) {
  const { nodeDirectory } = await import(pathToFileURL(join(root, 'dist/setup/headers.js')).href);
  const headers = await nodeDirectory();
  await run(process.execPath, [gyp, 'rebuild', `--nodedir=${headers}`], {
    cwd: root,
    log,
    label: 'node-gyp',
  });
}
