/** loadModel: a source → a Model that runs. What importing and compiling need is loaded only for sources that need it. */
import { types } from 'node:util';
import { readCodedProgram } from './file/read.js';
import { Model } from './engine/model.js';
import { addonOptions, type EngineOptions } from './engine/options.js';
import { door } from './door.js';
import { invalid } from './errors.js';
import { openEsp } from './file/source.js';
import type { ImportOptions } from './import/index.js';

/** Those of importing count for sources that are imported on the fly: all but .esp files. */
export interface LoadOptions extends EngineOptions, ImportOptions {
  /**
   * Whether the checksum of an .esp file is verified, default true: it costs about a millisecond for each few MB, and
   * finds a file that a disk or a transfer changed. What memory safety needs is checked either way.
   */
  readonly checksum?: boolean;
}

/**
 * Loads a model that is ready to run.
 * @param source the path or the bytes of an .esp file, or any source that convertModel takes (converted on the fly).
 *   Bytes must not change while the model loads.
 *   A model whose inputs have flexible sizes takes { data, shape }; it is compiled for each shape when that first comes.
 * @throws EspalierError: NOT_FOUND, INVALID_MODEL, UNSUPPORTED_FORMAT, UNSUPPORTED_LAYER, INVALID_ARGUMENT,
 *   LIMIT_EXCEEDED, IO_FAILED, ADDON_MISSING.
 */
export async function loadModel(source: string | Uint8Array, options: LoadOptions = {}): Promise<Model> {
  return door(typeof source === 'string' ? source : 'loadModel', () => load(source, options));
}

async function load(source: string | Uint8Array, options: LoadOptions): Promise<Model> {
  if (typeof options !== 'object' || options === null) {
    throw invalid('INVALID_ARGUMENT', 'options', 'an object', options);
  }
  const { checksum = true, maxMemory, timeout, ...engine } = options;
  if (typeof checksum !== 'boolean') {
    throw invalid('INVALID_ARGUMENT', 'checksum', 'true or false', checksum);
  }
  const checked = addonOptions(engine);
  const esp = await openEsp(source, { checksum });
  if (esp === null) {
    const { importModel, planOf } = await import('./convert.js');
    return new Model(await planOf(await importModel(source, { maxMemory, timeout })), checked);
  }
  if (esp.holds === 'network') {
    const [{ planOf }, { readNetwork }] = await Promise.all([
      import('./convert.js'),
      import('./file/network.js'),
    ]);
    return new Model(await planOf(readNetwork(esp)), checked);
  }
  // What was read here is ours alone; what the caller handed in stays the caller's.
  const { buffer } = esp.bytes;
  const ours = typeof source === 'string' && types.isArrayBuffer(buffer) ? buffer : undefined;
  return new Model(readCodedProgram(esp), checked, ours);
}
