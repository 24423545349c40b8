/** The rivals that `espalier bench` knows, and the user's own. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TENSORFLOW_REMEDY } from '../../tensorflow/remedy.js';
import { invalid } from '../../errors.js';

/** Files that networks are written as for rivals. */
export type Format = 'onnx' | 'tfjs' | 'keras' | 'savedmodel' | 'tflite';

export interface Entry {
  /** Unique in a run. */
  id: string;
  /** Shown until the rival has told its own name. */
  name: string;
  module: string;
  /** Handed to the module's `make`, where one module holds several rivals. */
  variant?: string;
  /** Files that it reads. */
  needs: Format[];
  /** Lives in a Python process: `module` is its name in python/bench_worker.py. */
  python?: boolean;
  /** How to get it. */
  install: string;
  /** What to do where it is there and does not work. */
  repair?: string;
}

const TENSORFLOW = 'python3 -m pip install tensorflow';
const module = (name: string) => fileURLToPath(new URL(`../rivals/${name}.js`, import.meta.url));
const python = (id: string, name: string, needs: Format[], install: string): Entry => ({
  ...{ id, name, module: id, needs, install, python: true },
});
const espalier = (variant: string, name: string): Entry => ({
  id: variant,
  name,
  module: module('espalier'),
  variant,
  needs: [],
  install: 'npm rebuild espalier --ignore-scripts=false',
});

/** Always measured. The first is what the others' answers are compared with. */
export const OWN: readonly Entry[] = [
  espalier('espalier', 'espalier runSync'),
  espalier('espalier-bind', 'espalier bind'),
];

/** What --against names. */
export const AGAINST: Readonly<Record<string, readonly Entry[]>> = {
  'tfjs-node': [
    {
      id: 'tfjs-node',
      name: 'tfjs-node predict',
      module: module('tfjs-node'),
      needs: ['tfjs'],
      install: TENSORFLOW_REMEDY,
      repair: 'npx espalier setup-tensorflow',
    },
  ],
  onnxruntime: [
    {
      id: 'onnxruntime',
      name: 'onnxruntime-node',
      module: module('onnxruntime'),
      needs: ['onnx'],
      install: 'npm install onnxruntime-node onnx-proto',
    },
  ],
  dense: [
    espalier('espalier-dense', 'espalier dense runSync'),
    espalier('espalier-dense-bind', 'espalier dense bind'),
  ],
  'tfjs-savedmodel': [
    {
      id: 'tfjs-savedmodel',
      name: 'tfjs-node SavedModel',
      module: module('tfjs-savedmodel'),
      needs: ['savedmodel'],
      install: `${TENSORFLOW_REMEDY} && ${TENSORFLOW}`,
      repair: 'npx espalier setup-tensorflow',
    },
  ],
  'tfjs-wasm': [
    {
      id: 'tfjs-wasm',
      name: 'tfjs wasm',
      module: module('tfjs-wasm'),
      needs: ['tfjs'],
      install: 'npm install @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0',
    },
  ],
  keras: [python('keras', 'Keras predict_on_batch', ['keras'], TENSORFLOW)],
  tensorflow: [python('tensorflow', 'TensorFlow function', ['keras'], TENSORFLOW)],
  litert: [python('litert', 'LiteRT', ['tflite'], `python3 -m pip install ai-edge-litert && ${TENSORFLOW}`)],
  openvino: [python('openvino', 'OpenVINO', ['onnx'], 'python3 -m pip install openvino')],
};

/** Those that npm alone provides, and espalier's own dense path. */
export const DEFAULT_AGAINST: readonly string[] = ['tfjs-node', 'onnxruntime', 'dense'];

/** The entries of --against and --rival. Throws INVALID_ARGUMENT for an unknown name, NOT_FOUND for a missing file. */
export function roster(against: readonly string[], modules: readonly string[]): Entry[] {
  const entries = [...OWN];
  const names = against.flatMap((name) => (name === 'all' ? Object.keys(AGAINST) : [name]));
  for (const name of new Set(names)) {
    const found = Object.hasOwn(AGAINST, name) ? AGAINST[name] : undefined;
    if (found === undefined) {
      throw invalid(
        'INVALID_ARGUMENT',
        '--against',
        `some of ${Object.keys(AGAINST).join(', ')}, or all`,
        name,
      );
    }
    entries.push(...found);
  }
  for (const [index, path] of modules.entries()) {
    const file = resolve(path);
    if (!existsSync(file)) throw invalid('NOT_FOUND', '--rival', 'a file with a module', path);
    entries.push({
      id: `rival-${index + 1}`,
      name: path,
      module: file,
      needs: ['onnx', 'tfjs'],
      install: '',
    });
  }
  return entries;
}
