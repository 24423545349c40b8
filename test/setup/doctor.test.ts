/** `espalier doctor` as users run it: what it finds, what it says is missing, and its exit codes. */
import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diagnose, type Diagnosis } from '../../src/setup/doctor.js';
import { runTool } from '../../src/setup/commands.js';
import { renderDiagnosis } from '../../src/cli/commands/doctor.js';
import { which } from '../../install/tools.mjs';

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js');
let empty: string;
beforeAll(async () => {
  empty = await mkdtemp(join(tmpdir(), 'espalier-doctor-'));
  await writeFile(join(empty, 'package.json'), '{}');
});
afterAll(() => rm(empty, { recursive: true, force: true }));

const doctor = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  runTool(process.execPath, [MAIN, 'doctor', ...args], { env: { ...process.env, ...env } });

describe('diagnose', () => {
  it('finds the engine, runs a network with it and names the instruction sets', async () => {
    const diagnosis = await diagnose({ project: empty });
    expect(diagnosis.inference).toBe(true);
    expect(diagnosis.engine?.available).toContain(diagnosis.engine?.isa);
    expect(diagnosis.engine?.available.at(-1)).toBe('portable');
    expect(diagnosis.engine?.caches.l1d).toBeGreaterThan(0);
    expect(diagnosis.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['node', 'npm', 'python3', 'pip', 'cmake', 'c++', 'make', 'addon']),
    );
  });

  it('tells how to get the tfjs-node that a project lacks', async () => {
    const { training, checks } = await diagnose({ project: empty });
    expect(training).toBe(false);
    expect(checks.find(({ name }) => name === '@tensorflow/tfjs-node')).toMatchObject({
      status: 'missing',
      remedy: expect.stringContaining('npm install --ignore-scripts @tensorflow/tfjs-node'),
    });
  });

  it('tells a tfjs-node that is there and does not load from one that is not there', async () => {
    const project = await mkdtemp(join(tmpdir(), 'espalier-doctor-'));
    const folder = join(project, 'node_modules/@tensorflow/tfjs-node');
    await mkdir(folder, { recursive: true });
    await writeFile(join(project, 'package.json'), '{}');
    await writeFile(join(folder, 'package.json'), '{"version": "4.22.0", "main": "index.js"}');
    await writeFile(join(folder, 'index.js'), 'throw new Error("no binding here")');
    try {
      const { training, checks } = await diagnose({ project });
      expect(training).toBe(false);
      expect(checks.find(({ name }) => name === '@tensorflow/tfjs-node')).toMatchObject({
        status: 'broken',
        version: '4.22.0',
        detail: expect.stringContaining('no binding here'),
        remedy: 'npx espalier setup-tensorflow',
      });
    } finally {
      await rm(project, { recursive: true, force: true });
    }
  });
});

describe('renderDiagnosis', () => {
  it('shows what is broken with what it is for and what mends it', () => {
    const diagnosis: Diagnosis = {
      inference: false,
      training: true,
      machine: { cpu: 'A CPU', architecture: 'x64', cores: 3, memoryBytes: 2 ** 30, system: 'Linux 6' },
      engine: null,
      checks: [
        {
          name: 'addon',
          status: 'missing',
          version: null,
          detail: 'espalier.node is missing',
          neededFor: 'running models',
          remedy: 'npm run build',
        },
      ],
    };
    const text = renderDiagnosis(diagnosis);
    expect(text).toContain('A CPU (x64), 3 cores, 1024 MB');
    expect(text).toMatch(
      /missing {2}addon +espalier.node is missing\n +needed for running models.*npm run build/,
    );
    expect(text).toContain('models do not run here');
    expect(text).toContain('networks train here');
  });
});

describe('espalier doctor', () => {
  it('exits with 0 where models run, and prints JSON that says so', async () => {
    const { code, output } = await doctor(['--json', '--project', empty]);
    expect(code).toBe(0);
    const diagnosis = JSON.parse(output) as Diagnosis;
    expect(diagnosis.inference).toBe(true);
    expect(diagnosis.machine.cores).toBeGreaterThan(0);
  });

  it('exits with 1 where training is asked for and tfjs-node is not there', async () => {
    const { code, output } = await doctor(['--training', '--project', empty]);
    expect(code).toBe(1);
    expect(output).toContain('networks do not train here');
  });

  it('exits with 1 where the engine does not run, and names the remedy', async () => {
    const { code, output } = await doctor(['--project', empty], { ESPALIER_ISA: 'sse9' });
    expect(code).toBe(1);
    expect(output).toContain('models do not run here');
    expect(output).toContain('unset ESPALIER_ISA');
  });

  it('names the tools that are missing with the command that installs each', async () => {
    // Only Node on PATH: npm, CMake, make, the compiler and Python are missing.
    const bin = join(empty, 'bin');
    await mkdir(bin, { recursive: true });
    await symlink(which('node') ?? process.execPath, join(bin, 'node'));
    const { code, output } = await doctor(['--json', '--project', empty], {
      PATH: bin,
      CXX: '',
      PYTHON: '',
      ESPALIER_PYTHON: '',
    });
    expect(code).toBe(0);
    const { checks } = JSON.parse(output) as Diagnosis;
    for (const name of ['npm', 'python3', 'pip', 'cmake', 'c++', 'make']) {
      const check = checks.find((one) => one.name === name);
      expect(check, name).toMatchObject({ status: 'missing', remedy: expect.stringMatching(/install/) });
    }
  });
});
