/** The package as its users get it: packed, installed into an empty project, built from source there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const MINUTES = 60_000;
const MODEL = join(root, 'test/golden/models/mlp_regression/model.json');

let folder: string;
let installed: string;

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = process.env) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  return { status, stdout, output: `${stdout}${stderr}` };
}

/** Loads and runs a model in the project, in a process of its own. */
function runModel() {
  const script = `
    const { loadModel } = await import('espalier');
    const model = await loadModel(${JSON.stringify(MODEL)}, { threads: 1 });
    const features = model.inputs[0].shape[1];
    console.log(JSON.stringify(Array.from(model.runSync(new Float32Array(2 * features).fill(0.5)))));
    model.dispose();`;
  return run(process.execPath, ['--input-type=module', '-e', script], folder);
}

let expected: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-package-'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  const packed = run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], root);
  expect(packed.status, packed.output).toBe(0);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
  const done = run('npm', ['install', ...options, `./${tarball}`], folder);
  expect(done.status, done.output).toBe(0);
  installed = join(folder, 'node_modules/espalier');
}, 5 * MINUTES);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the packed package', () => {
  it('runs a model with install scripts off and without TensorFlow', () => {
    expect(existsSync(join(folder, 'node_modules/@tensorflow'))).toBe(false);
    const ran = runModel();
    expect(ran.status, ran.output).toBe(0);
    const answer = JSON.parse(ran.stdout) as number[];
    expect(answer.length).toBeGreaterThan(0);
    expect(answer.every(Number.isFinite)).toBe(true);
    expected = ran.stdout;
  });

  it('has its commands and its other doors', () => {
    const bin = join(folder, 'node_modules/.bin/espalier');
    expect(run(bin, ['--version'], folder).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
    const inspected = run(bin, ['inspect', MODEL], folder);
    expect(inspected.status, inspected.output).toBe(0);
    const doors = `for (const door of ['espalier/prune', 'espalier/serve']) console.log(Object.keys(await import(door)).length > 0);`;
    const loaded = run(process.execPath, ['--input-type=module', '-e', doors], folder);
    expect(loaded.stdout, loaded.output).toBe('true\ntrue\n');
  });

  it('keeps the prebuilt engine where it loads', () => {
    const script = run(process.execPath, [join(installed, 'install/install.mjs')], installed);
    expect(script.status, script.output).toBe(0);
    expect(existsSync(join(installed, 'build'))).toBe(false);
  });

  it('names the missing tool and its command where it cannot be built', () => {
    rmSync(join(installed, 'prebuilds'), { recursive: true });
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    symlinkSync(process.execPath, join(tools, 'node'));
    const script = run(process.execPath, [join(installed, 'install/install.mjs')], installed, {
      PATH: tools,
    });
    expect(script.status).toBe(1);
    expect(script.output).toMatch(/c\+\+.* not found.*Install it with: /);
    const refused = runModel();
    expect(refused.status).toBe(1);
    expect(refused.output).toMatch(/npm rebuild espalier --ignore-scripts=false/);
  });

  it('builds from source with CMake', { timeout: 10 * MINUTES }, () => {
    const script = run(process.execPath, [join(installed, 'install/install.mjs')], installed);
    expect(script.status, script.output).toBe(0);
    expect(script.output).toMatch(/built the native engine with CMake/);
    expect(runModel().stdout).toBe(expected);
  });

  it('builds from source with node-gyp, and runs alike', { timeout: 10 * MINUTES }, () => {
    rmSync(join(installed, 'build'), { recursive: true });
    const gyp = createRequire(join(root, 'package.json')).resolve('node-gyp/bin/node-gyp.js');
    const library = pathToFileURL(join(installed, 'install/addon.mjs')).href;
    const script = `
      const { buildWithNodeGyp } = await import(${JSON.stringify(library)});
      await buildWithNodeGyp(${JSON.stringify(installed)}, { gyp: ${JSON.stringify(gyp)} });`;
    const built = run(process.execPath, ['--input-type=module', '-e', script], installed);
    expect(built.status, built.output).toBe(0);
    expect(runModel().stdout).toBe(expected);
  });
});
