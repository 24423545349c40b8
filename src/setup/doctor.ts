/**
 * `espalier doctor`: what is installed, what is used of the machine, and what is missing with its remedy. It mends
 * nothing, and tries native code only in child processes, where a crash does no harm.
 */
import os from 'node:os';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { ADDON, addonLoads, prebuiltPath } from '../../install/addon.mjs';
import { checkTools, type ToolName } from '../../install/tools.mjs';
import { PACKAGE_FOLDER, packageFile } from '../package.js';
import { TENSORFLOW_REMEDY } from '../tensorflow/remedy.js';
import { runTool, tail } from './commands.js';
import { inspectLibrary } from './library.js';
import { probeTensorFlow } from './probe.js';
import { findTensorFlow, knownToWork } from './tensorflow.js';
import { wheelFor } from './wheels.js';

export type CheckStatus =
  /** There and works. */
  | 'ok'
  /** There and does not work. */
  | 'broken'
  /** Not there. */
  | 'missing';

export interface Check {
  name: string;
  status: CheckStatus;
  version: string | null;
  /** What was found, or what is wrong. */
  detail: string;
  /** What it is needed for. */
  neededFor: string;
  /** The command that mends it; null where there is nothing to mend. */
  remedy: string | null;
}

export interface Diagnosis {
  /** Whether models run, which needs Node and the addon only. */
  inference: boolean;
  /** Whether networks train: a tfjs-node that works. */
  training: boolean;
  machine: {
    cpu: string;
    architecture: string;
    cores: number;
    memoryBytes: number;
    system: string;
  };
  /** Of the addon; null where it does not load. */
  engine: {
    path: string;
    /** The instruction set in use. */
    isa: string;
    /** Those that this build has and this machine can run, best first. */
    available: string[];
    /** ESPALIER_ISA, which forces one; null where it is not set. */
    forced: string | null;
    /** Bytes. */
    caches: { l1d: number; l2: number; l3: number };
  } | null;
  checks: Check[];
}

export interface DoctorOptions {
  /** The folder of the project whose tfjs-node and onnxruntime-node are looked at; default: the current one. */
  project?: string;
}

export async function diagnose(options: DoctorOptions = {}): Promise<Diagnosis> {
  const project = resolve(options.project ?? '.');
  const [node, ...tools] = checkTools([
    'node',
    'npm',
    'python3',
    'pip',
    'cmake',
    'c++',
    'make',
  ] as ToolName[]).map(toolCheck);
  const [addon, tensorflow, library, onnxruntime] = await Promise.all([
    checkAddon(),
    checkTensorFlow(project),
    checkLibrary(),
    checkOnnxRuntime(project),
  ]);
  const checks = [
    ...(node === undefined ? [] : [node]),
    addon.check,
    ...tools,
    tensorflow,
    library,
    onnxruntime,
  ];
  return {
    inference: node?.status === 'ok' && addon.check.status === 'ok',
    training: tensorflow.status === 'ok',
    machine: {
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      architecture: process.arch,
      cores: os.availableParallelism(),
      memoryBytes: os.totalmem(),
      system: `${os.type()} ${os.release()}`,
    },
    engine: addon.engine,
    checks,
  };
}

function toolCheck({
  tool,
  ok,
  version,
  path,
  problem,
  why,
  remedy,
}: ReturnType<typeof checkTools>[number]): Check {
  return {
    name: tool,
    status: ok ? 'ok' : path === undefined ? 'missing' : 'broken',
    version: version ?? null,
    detail: ok ? (path ?? '') : (problem ?? ''),
    neededFor: why,
    remedy: ok ? null : (remedy ?? null),
  };
}

/** Loads the addon, computes CSR and checks it, and tells of the instruction sets. */
const ADDON_PROBE = `
const addon = { exports: {} };
process.dlopen(addon, process.argv[1]);
const csr = addon.exports.csrFromDense(Float32Array.of(0, 2, 0, 0, 0, 3), 2, 3);
const right = [...csr.rowPtr].join() === '0,1,2' && [...csr.colIdx].join() === '1,2' && [...csr.values].join() === '2,3';
if (!right) throw new Error('it computes wrong numbers');
const activation = { kind: 'linear', alpha: 0, beta: 0 };
const weight = { format: 'csr', rows: 2, cols: 3, ...csr };
const port = (name, value, features) => ({ name, shape: [null, features], dtype: 'float32', value });
const model = addon.exports.load({
  version: 1, name: 'doctor', values: [{ features: 3 }, { features: 2 }],
  inputs: [port('x', 0, 3)], outputs: [port('y', 1, 2)],
  operations: [{ op: 'linear', name: 'd', input: 0, output: 1, positions: 1, weight, bias: null, activation }],
}, { threads: 1, batchSizes: [1] });
const y = new Float32Array(2);
model.runSync(1, [Float32Array.of(1, 10, 100)], [y]);
model.dispose();
if (y[0] !== 20 || y[1] !== 300) throw new Error('a network computes wrong numbers');
console.log('espalier-probe ' + JSON.stringify(addon.exports.cpu()));
`;

async function checkAddon(): Promise<{ check: Check; engine: Diagnosis['engine'] }> {
  const base = { name: 'addon', version: null, neededFor: 'running models' };
  const remedy = 'npm rebuild espalier --ignore-scripts=false (in a clone: npm run build)';
  const paths = [ADDON, prebuiltPath()].map((path) => packageFile(path));
  let problem: string | undefined;
  for (const path of paths) {
    const loads = addonLoads(path);
    if (!loads.ok) {
      problem ??= loads.problem;
      continue;
    }
    const { code, output } = await runTool(process.execPath, ['-e', ADDON_PROBE, path], {
      timeout: 30_000,
    });
    const answer = /^espalier-probe (.*)$/m.exec(output)?.[1];
    if (code !== 0 || answer === undefined) {
      const line = output.split('\n').find((text) => /Error/.test(text)) ?? tail(output, 2);
      return {
        check: { ...base, status: 'broken', detail: `${path}: ${line}`, remedy: isaRemedy(line, remedy) },
        engine: null,
      };
    }
    const cpu = JSON.parse(answer) as {
      isa: string;
      available: string[];
      caches: { l1d: number; l2: number; l3: number };
    };
    const forced = process.env.ESPALIER_ISA ?? '';
    return {
      check: { ...base, status: 'ok', detail: path, remedy: null },
      engine: {
        path,
        isa: cpu.isa,
        available: cpu.available,
        caches: cpu.caches,
        forced: forced === '' ? null : forced,
      },
    };
  }
  return { check: { ...base, status: 'missing', detail: problem ?? 'not found', remedy }, engine: null };
}

/** An instruction set forced by name is mended by other means than a build. */
function isaRemedy(problem: string, remedy: string): string {
  return (process.env.ESPALIER_ISA ?? '') !== '' && /ESPALIER_ISA|isa/i.test(problem)
    ? 'unset ESPALIER_ISA'
    : remedy;
}

async function checkTensorFlow(project: string): Promise<Check> {
  const base = { name: '@tensorflow/tfjs-node', neededFor: 'training, pruning and the baseline of bench' };
  const installation = await findTensorFlow(project);
  if (installation === undefined) {
    return {
      ...base,
      status: 'missing',
      version: null,
      detail: `${project} has none`,
      remedy: TENSORFLOW_REMEDY,
    };
  }
  const { folder, version } = installation;
  const { ok, problem } = (await knownToWork(folder))
    ? { ok: true, problem: '' }
    : await probeTensorFlow(folder);
  return ok
    ? { ...base, status: 'ok', version, detail: folder, remedy: null }
    : {
        ...base,
        status: 'broken',
        version,
        detail: firstLine(problem),
        remedy: 'npx espalier setup-tensorflow',
      };
}

const firstLine = (text: string) =>
  text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim() ?? text;

/** TensorFlow's library in the user's cache. Once tfjs-node works it is not needed any more. */
async function checkLibrary(): Promise<Check> {
  const base = { name: "TensorFlow's library", neededFor: 'setup-tensorflow, which fetches it' };
  try {
    const wheel = wheelFor(process.platform, process.arch);
    const { folder, state } = await inspectLibrary(wheel);
    const remedy = state === 'whole' ? null : 'npx espalier setup-tensorflow';
    const status = state === 'whole' ? 'ok' : state === 'damaged' ? 'broken' : 'missing';
    const detail =
      state === 'absent'
        ? `not in the cache: ${folder}`
        : state === 'damaged'
          ? `damaged: ${folder}`
          : folder;
    return { ...base, status, version: wheel.version, detail, remedy };
  } catch (error) {
    return { ...base, status: 'missing', version: null, detail: (error as Error).message, remedy: null };
  }
}

async function checkOnnxRuntime(project: string): Promise<Check> {
  const base = { name: 'onnxruntime-node', neededFor: 'comparing with it in bench' };
  const install = 'npm install onnxruntime-node onnx-proto';
  let manifest: string | undefined;
  for (const from of [project, PACKAGE_FOLDER]) {
    try {
      manifest ??= createRequire(join(from, 'package.json')).resolve('onnxruntime-node/package.json');
    } catch {
      // The next place may have it.
    }
  }
  if (manifest === undefined) {
    return { ...base, status: 'missing', version: null, detail: `${project} has none`, remedy: install };
  }
  const { code, output } = await runTool(
    process.execPath,
    [
      '-p',
      "'version ' + require(process.argv[1] + '/package.json').version + (require(process.argv[1]).InferenceSession ? '' : '?')",
      dirname(manifest),
    ],
    { timeout: 30_000 },
  );
  const version = /^version (\S+)$/m.exec(output)?.[1] ?? null;
  return code === 0 && version !== null
    ? { ...base, status: 'ok', version, detail: dirname(manifest), remedy: null }
    : { ...base, status: 'broken', version, detail: firstLine(tail(output, 5)), remedy: install };
}
