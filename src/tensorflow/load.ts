/** Getting TensorFlow, only when something trains: nothing of inference needs it. */
import { EspalierError } from '../errors.js';
import { TENSORFLOW_REMEDY } from './remedy.js';

export type TF = typeof import('@tensorflow/tfjs-node');

export interface TensorFlow {
  tf: TF;
  /** 'tfjs-node' is the real one; 'tfjs' is pure JavaScript: slow, without TensorBoard, never a baseline. */
  package: 'tfjs-node' | 'tfjs';
  version: string;
}

export interface TensorFlowOptions {
  /** Threads of TensorFlow; default: all cores. Heeded by the first load in a process only. */
  threads?: number;
  /** Whether pure-JavaScript tfjs will do where tfjs-node does not load; default true. */
  allowPure?: boolean;
  /** Is told that pure JavaScript trains. */
  warn?: (text: string) => void;
}

export const TENSORFLOW_OPTIONS = {
  threads: true,
  allowPure: true,
  warn: true,
} satisfies Record<keyof TensorFlowOptions, true>;

let loaded: TensorFlow | undefined;

/** Imports by a name that the compiler does not follow: both packages are optional. */
async function importOptional(name: string): Promise<TF> {
  const imported = (await import(name)) as TF & { default?: TF };
  return imported.default ?? imported;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

/**
 * Loads @tensorflow/tfjs-node once a process. Throws TENSORFLOW_MISSING with the command that mends it where neither it
 * nor (if allowed) @tensorflow/tfjs can be had.
 */
export async function loadTensorFlow(options: TensorFlowOptions = {}): Promise<TensorFlow> {
  const { threads, allowPure = true, warn } = options;
  if (loaded?.package === 'tfjs-node' || (loaded !== undefined && allowPure)) return loaded;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  // oneDNN is on by default; saying so keeps TensorFlow from remarking on it.
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  if (threads !== undefined) {
    process.env.TF_NUM_INTRAOP_THREADS = String(threads);
    process.env.TF_NUM_INTEROP_THREADS = String(threads);
  }
  let problem: string;
  try {
    const tf = await importOptional('@tensorflow/tfjs-node');
    loaded = { tf, package: 'tfjs-node', version: tf.version['tfjs-core'] };
    return loaded;
  } catch (error) {
    problem = firstLine(error);
  }
  if (allowPure) {
    try {
      const tf = await importOptional('@tensorflow/tfjs');
      await tf.ready();
      warn?.(
        `@tensorflow/tfjs-node does not load (${problem}): pure JavaScript trains instead, many times slower. Mend it with: ${TENSORFLOW_REMEDY}`,
      );
      loaded = { tf, package: 'tfjs', version: tf.version['tfjs-core'] };
      return loaded;
    } catch {
      // The message below tells of tfjs-node, which is the one to install.
    }
  }
  throw new EspalierError(
    'TENSORFLOW_MISSING',
    `@tensorflow/tfjs-node does not load (${problem}). Mend it with: ${TENSORFLOW_REMEDY}`,
    {
      parameter: '@tensorflow/tfjs-node',
    },
  );
}
