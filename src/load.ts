/** loadModel: a source → a Model that runs. What importing and compiling need is loaded only for sources that need it. */
import { types } from 'node:util';
import { holdsNetwork, readCodedProgram } from './file/read.js';
import { Model } from './engine/model.js';
import { addonOptions, type LoadOptions } from './engine/options.js';
import { espBytes } from './file/source.js';

/**
 * Loads a model that is ready to run.
 * @param source the path or the bytes of an .esp file, or any source that convertModel takes (converted on the fly).
 *   Bytes must not change while the model loads.
 *   A model whose inputs have flexible sizes takes { data, shape }; it is compiled for each shape when that first comes.
 * @throws EspalierError: NOT_FOUND, INVALID_MODEL, UNSUPPORTED_FORMAT, UNSUPPORTED_LAYER, INVALID_ARGUMENT,
 *   LIMIT_EXCEEDED, IO_FAILED, ADDON_MISSING.
 */
export async function loadModel(source: string | Uint8Array, options?: LoadOptions): Promise<Model> {
  const checked = addonOptions(options);
  const bytes = await espBytes(source);
  if (bytes === null) {
    const { importModel, planOf } = await import('./convert.js');
    return new Model(await planOf(await importModel(source)), checked);
  }
  if (holdsNetwork(bytes)) {
    const [{ planOf }, { readNetwork }] = await Promise.all([
      import('./convert.js'),
      import('./file/network.js'),
    ]);
    return new Model(await planOf(readNetwork(bytes)), checked);
  }
  // What was read here is ours alone; what the caller handed in stays the caller's.
  const ours = typeof source === 'string' && types.isArrayBuffer(bytes.buffer) ? bytes.buffer : undefined;
  return new Model(readCodedProgram(bytes), checked, ours);
}
