/**
 * TensorFlow.js as the caller has it. Whoever passes a LayersModel has loaded tfjs already: the same copy is taken, so
 * nothing is imported a second time and nothing need be awaited.
 */
import { createRequire } from 'node:module';
import type { layers } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';
import { TENSORFLOW_REMEDY } from './remedy.js';

export type TF = typeof import('@tensorflow/tfjs-node');
export type LayerVariable = ReturnType<layers.Layer['addWeight']>;

let found: TF | undefined;

/** Throws TENSORFLOW_MISSING where neither @tensorflow/tfjs-node nor @tensorflow/tfjs can be had. */
export function tensorflow(): TF {
  if (found) return found;
  const require = createRequire(import.meta.url);
  const names = ['@tensorflow/tfjs-node', '@tensorflow/tfjs'];
  for (const name of names) {
    const loaded = cached(require, name);
    if (loaded) return (found = loaded);
  }
  let cause: unknown;
  for (const name of names) {
    try {
      return (found = require(name) as TF);
    } catch (error) {
      cause = error;
    }
  }
  const message = `pruning needs @tensorflow/tfjs-node or @tensorflow/tfjs: ${TENSORFLOW_REMEDY}`;
  throw new EspalierError('TENSORFLOW_MISSING', message, { parameter: '@tensorflow/tfjs-node' }, cause);
}

function cached(require: NodeJS.Require, name: string): TF | undefined {
  try {
    const module = require.cache[require.resolve(name)];
    return module?.loaded ? (module.exports as TF) : undefined;
  } catch {
    return undefined;
  }
}
