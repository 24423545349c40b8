/** The network in each format that a rival reads. One that cannot be written is that rival's problem only. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageFile } from '../package.js';
import type { Program } from '../program/program.js';
import { exportModel } from '../export/index.js';
import { toOnnx } from '../export/onnx/index.js';
import type { RivalContext } from './race/rival.js';
import type { Entry, Format } from './race/roster.js';
import type { Lane } from './race/runner.js';
import { espBytes } from './source.js';
import { toTfjs } from '../export/tfjs-of-program.js';

export interface Prepared {
  lanes: Lane[];
  esp: Uint8Array;
  espFile: string;
}

type Problem = NonNullable<Lane['problem']>;

/** Made from one another: what must be written before it. */
const FROM: Partial<Record<Format, Format>> = { savedmodel: 'keras', tflite: 'keras' };

const SCRIPT = packageFile('python', 'bench_worker.py');

class Absent extends Error {}

/** By the user's TensorFlow; a minute and more for large networks. */
function convertByPython(python: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '' };
    execFile(python, [SCRIPT, '--convert', ...args], { env, timeout: 600_000 }, (error, _, stderr) => {
      if (error === null) return resolve();
      const last = stderr.trimEnd().split('\n').at(-1) ?? '';
      const absent = (error as NodeJS.ErrnoException).code === 'ENOENT' || /ModuleNotFoundError/.test(stderr);
      reject(absent ? new Absent(last || error.message) : new Error(last || error.message));
    });
  });
}

export async function prepareFiles(
  program: Program,
  entries: readonly Entry[],
  folder: string,
  python: string,
  given: { esp?: Uint8Array; tfjs?: string },
): Promise<Prepared> {
  const files: RivalContext['files'] = { esp: join(folder, 'model.esp') };
  const esp = given.esp ?? (await espBytes(program));
  await writeFile(files.esp, esp);
  const writers: Record<Format, () => Promise<string>> = {
    onnx: async () => {
      const path = join(folder, 'model.onnx');
      await writeFile(path, await toOnnx(program));
      return path;
    },
    tfjs: async () => {
      const { manifest, weights } = toTfjs(program);
      const path = join(folder, 'model.json');
      await writeFile(join(folder, 'weights.bin'), weights);
      await writeFile(path, JSON.stringify(manifest));
      return path;
    },
    keras: async () => (await exportModel(files.esp, join(folder, 'model.h5'), { format: 'h5' })).path,
    savedmodel: async () => {
      const path = join(folder, 'savedmodel');
      await convertByPython(python, [join(folder, 'model.h5'), '--savedmodel', path]);
      return path;
    },
    tflite: async () => {
      const path = join(folder, 'model.tflite');
      await convertByPython(python, [join(folder, 'model.h5'), '--tflite', path]);
      return path;
    },
  };
  const problems: Partial<Record<Format, Problem>> = {};
  // A user's own rival reads what it wants of what there is; for its sake nothing slow is made.
  const needed = new Set(entries.flatMap(({ needs }) => needs));
  for (const format of Object.keys(writers) as Format[]) {
    if (![...needed].some((need) => need === format || FROM[need] === format)) continue;
    const before = FROM[format];
    if (before !== undefined && problems[before] !== undefined) {
      problems[format] = problems[before];
      continue;
    }
    try {
      files[format] = await writers[format]();
    } catch (error) {
      const absent = error instanceof Absent || (error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND';
      problems[format] = { status: absent ? 'absent' : 'unsupported', message: (error as Error).message };
    }
  }
  if (given.tfjs !== undefined) files.tfjsGiven = given.tfjs;
  const lanes = entries.map((entry): Lane => {
    const wanted = entry.needs.length === 1 ? entry.needs[0] : undefined;
    return { entry, files, problem: wanted === undefined ? undefined : problems[wanted] };
  });
  return { lanes, esp, espFile: files.esp };
}
