/** Models computed by Keras, with inputs, outputs and a tolerance (test/golden). */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Arr } from '../../src/reference/index.js';

export const GOLDEN = join(import.meta.dirname, '..', 'golden');

interface Port {
  readonly name: string;
  readonly shape: number[];
  readonly dtype: string;
  readonly file: string;
}

export interface Golden {
  readonly name: string;
  readonly folder: string;
  readonly hint?: string;
  readonly compare: { readonly atol: number; readonly rtol: number };
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** The cases of test/golden/<set>. */
export function goldenCases(set: 'models' | 'quantized' | 'keras3'): Golden[] {
  const root = join(GOLDEN, set);
  return readdirSync(root).map((name) => {
    const folder = join(root, name);
    const meta = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as Golden;
    return { ...meta, name: `${set}/${name}`, folder };
  });
}

/** The forms of a case that are there. */
export function forms(golden: Golden): string[] {
  return ['model.json', 'model_tfjs.json', 'model.h5', 'model.keras'].filter((file) =>
    existsSync(join(golden.folder, file)),
  );
}

export function readPort(golden: Golden, port: Port): Arr {
  const bytes = new Uint8Array(readFileSync(join(golden.folder, port.file))).buffer;
  const data = port.dtype === 'int32' ? Float32Array.from(new Int32Array(bytes)) : new Float32Array(bytes);
  return { shape: port.shape, data };
}

/** The largest error in units of the tolerance: at most 1 is right. */
export function worstError(golden: Golden, actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const { atol, rtol } = golden.compare;
  let worst = actual.length === expected.length ? 0 : Infinity;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!) / (atol + rtol * Math.abs(expected[i]!));
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  return worst;
}
