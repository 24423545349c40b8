#!/usr/bin/env node
/**
 * All set-up of a clone, each step once: `npm run demo` and `npm test` call it, `npm run build` does its first half.
 *
 *   node scripts/setup.mjs [--only tools,npm,addon,ts,python,tensorflow]
 *
 * Safe to interrupt: a step leaves its stamp only after it is whole, and the next run does it again.
 */
import { existsSync, lstatSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  ADDON,
  addonLoads,
  buildWithCMake,
  nodeHeaders,
  placePrebuilt,
  prebuiltPath,
} from '../install/addon.mjs';
import { installPythonHelpers } from './lib/python.mjs';
import { CommandFailed, exitOnInterrupt, run, seconds } from '../install/run.mjs';
import { Stamps, filesUnder, fingerprint } from './lib/stamp.mjs';
import { checkTools, describeMissing } from '../install/tools.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const log = join(root, 'build/setup.log');

class SetupFailed extends Error {}

function checkMachine() {
  const missing = describeMissing(checkTools(['node', 'npm', 'python3', 'pip', 'cmake', 'make', 'c++']));
  if (missing.length > 0) throw new SetupFailed(missing.join('\n'));
  return 'all there';
}

/** The packages of the lockfile that node_modules lacks or has in another version. */
function packagesAmiss() {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  let present;
  try {
    present = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  } catch {
    return ['node_modules'];
  }
  return Object.keys(wanted).filter(
    (name) =>
      name !== '' && wanted[name].optional !== true && present[name]?.version !== wanted[name].version,
  );
}

async function installPackages() {
  const amiss = packagesAmiss();
  if (amiss.length === 0) return undefined;
  if (existsSync(join(root, 'node_modules')) && lstatSync(join(root, 'node_modules')).isSymbolicLink()) {
    return `node_modules is a link and lacks ${amiss.slice(0, 3).join(', ')}: left alone`;
  }
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    log,
    label: 'npm ci',
  });
  return 'npm ci';
}

const NATIVE_SOURCES = ['native', 'CMakeLists.txt', 'binding.gyp'];

async function buildAddon(stamps) {
  const sources = filesUnder(root, NATIVE_SOURCES, (path) => !path.startsWith('native/test/'));
  if (!sources.some((path) => path.startsWith('native/addon/'))) return 'no addon sources';
  const wanted = fingerprint(
    root,
    sources,
    process.platform,
    process.arch,
    nodeHeaders(root),
    process.env.CXX ?? '',
  );
  const built = [ADDON, prebuiltPath()].every((path) => existsSync(join(root, path)));
  if (built && stamps.matches('addon', wanted)) return undefined;
  await buildWithCMake(root, { log });
  const loads = addonLoads(join(root, ADDON));
  if (!loads.ok) throw new SetupFailed(`the addon was built but does not load: ${loads.problem}`);
  placePrebuilt(root);
  stamps.set('addon', wanted);
  return `built ${ADDON}`;
}

async function buildTypeScript(stamps) {
  const sources = filesUnder(root, ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']);
  const wanted = fingerprint(root, sources);
  if (existsSync(join(root, 'dist/index.js')) && stamps.matches('ts', wanted)) return undefined;
  // A file whose source is gone would stay in the package.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    cwd: root,
    log,
    label: 'tsc',
  });
  stamps.set('ts', wanted);
  return 'built dist/';
}

async function installPython() {
  const { installed, folder } = await installPythonHelpers(root, { log });
  return installed ? `installed into ${folder}` : undefined;
}

async function repairTensorFlow() {
  const { setupTensorFlow } = await import(pathToFileURL(join(root, 'dist/setup/tensorflow.js')).href);
  const { changed } = await setupTensorFlow({ project: root, say: (text) => console.log(`      ${text}`) });
  return changed ? 'tfjs-node trains' : undefined;
}

/** Name, title, work, and the steps that it waits for where steps run side by side. */
const STEPS = [
  ['tools', 'tools of the machine', checkMachine, []],
  ['npm', 'npm packages', installPackages, ['tools']],
  ['addon', 'native engine', buildAddon, ['npm']],
  ['ts', 'TypeScript', buildTypeScript, ['npm']],
  ['python', 'Python helpers of the tests', installPython, ['tools']],
  ['tensorflow', 'TensorFlow for tfjs-node', repairTensorFlow, ['ts']],
];

/**
 * Runs the named steps (default: all) and tells of each what it does and how long it took. One after another where a
 * person watches; else side by side, as downloads and compilers do not wait for each other. Where one fails, those that
 * wait for it are not begun, and those under way are whole before the failure is thrown.
 */
export async function setup(only = STEPS.map(([name]) => name)) {
  const stamps = new Stamps(join(root, 'build/.setup.json'));
  const steps = STEPS.filter(([name]) => only.includes(name));
  const started = Date.now();
  rmSync(log, { force: true });
  const done = new Map();
  for (const [index, [name, title, work, after]] of steps.entries()) {
    const number = `[${index + 1}/${steps.length}]`;
    const step = async () => {
      await Promise.all(after.map((other) => done.get(other)));
      const begun = Date.now();
      console.log(`${number} ${title}`);
      const outcome = (await work(stamps)) ?? 'nothing to do';
      console.log(`${number}   ${outcome} (${seconds(Date.now() - begun)})`);
    };
    done.set(name, step());
    if (process.stdout.isTTY) await done.get(name);
  }
  const failed = (await Promise.allSettled(done.values())).find(({ status }) => status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  console.log(`set up in ${seconds(Date.now() - started)}`);
}

/** Prints why set-up or a later step failed, and answers the exit code. */
export function reportFailure(error) {
  if (error instanceof CommandFailed) {
    console.error(`\n${error.tail}\n\n${error.message}. The whole output is in ${log}`);
  } else if (error instanceof SetupFailed || error?.name === 'EspalierError') {
    console.error(`\n${error.message}`);
  } else console.error(error);
  return 1;
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) {
  exitOnInterrupt('interrupted; the next run goes on where this one stopped');
  const only = process.argv.indexOf('--only');
  try {
    await setup(only === -1 ? undefined : process.argv[only + 1]?.split(','));
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}
