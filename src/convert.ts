/**
 * Any source → the bytes of an .esp file: import, compile, CSR by the addon, write. What that takes is loaded when it
 * is first needed: whoever only runs .esp files loads none of it.
 */
import type { LayersModel } from '@tensorflow/tfjs';
import type { Program } from './program/program.js';
import type { ValueFormat } from './program/value-formats.js';
import type { FlexiblePlan } from './engine/flexible.js';
import { valueFormat } from './engine/options.js';
import { openEsp } from './file/source.js';
import { door } from './door.js';
import { EspalierError, invalid, requireKeys } from './errors.js';
import type { Exported, ExportOptions } from './export/index.js';
import type { ImportOptions } from './import/index.js';
import type { Network } from './network/types.js';

export interface ConvertOptions extends ImportOptions {
  /**
   * Rounds the weights of matrices: 'bfloat16', 'float16' or 'int8' (whole numbers times a scale of the row); the file
   * is smaller by it, and the engine may run them as such. Biases and sums stay float32. Default 'float32': as they are.
   */
  readonly values?: ValueFormat;
}

const IMPORT_OPTIONS = { maxMemory: true, timeout: true } satisfies Record<keyof ImportOptions, true>;
const CONVERT_OPTIONS = { ...IMPORT_OPTIONS, values: true } satisfies Record<keyof ConvertOptions, true>;
const EXPORT_OPTIONS = { ...IMPORT_OPTIONS, format: true } satisfies Record<keyof ExportOptions, true>;

/**
 * Converts a model: any source that importModel takes, or an .esp file (read and written anew).
 * Weights that are 0 or -0 are not stored; batch norms and other affine layers are folded into their neighbours.
 * @param destination where to write the .esp file, whole or not at all; without it nothing is written.
 * @returns the bytes of the .esp file; the same model gives the same bytes.
 * @throws EspalierError: NOT_FOUND, INVALID_MODEL (weights that are not finite, too), UNSUPPORTED_LAYER,
 *   UNSUPPORTED_FORMAT, LIMIT_EXCEEDED, IO_FAILED, INVALID_ARGUMENT, ADDON_MISSING.
 */
export async function convertModel(
  source: string | Uint8Array,
  destination?: string,
  options?: ConvertOptions,
): Promise<Uint8Array> {
  if (destination !== undefined && (typeof destination !== 'string' || destination === '')) {
    throw invalid('INVALID_ARGUMENT', 'destination', 'a path', destination);
  }
  requireKeys('options', options ?? {}, CONVERT_OPTIONS);
  const { values: format = 'float32', ...importing } = options ?? {};
  const values = valueFormat(format);
  return door(named(source, 'convertModel'), async () => {
    const bytes = await converted(await openModel(source, importing), values);
    if (destination !== undefined) await (await import('./files.js')).writeFileAtomic(destination, bytes);
    return bytes;
  });
}

/** As convertModel, from a tfjs model in memory (of any backend); its weights are copied. */
export async function fromLayersModel(model: LayersModel, options?: ConvertOptions): Promise<Uint8Array> {
  requireKeys('options', options ?? {}, CONVERT_OPTIONS);
  const values = valueFormat(options?.values ?? 'float32');
  return door('fromLayersModel', async () => {
    const { importLayersModel } = await import('./import/index.js');
    return converted({ model: await importLayersModel(model) }, values);
  });
}

/** How a message names a source: by its path, or by the function that was given something else. */
function named(source: unknown, otherwise: string): string {
  return typeof source === 'string' ? source : otherwise;
}

/** What a source holds. */
export interface OpenedModel {
  /** The program of an .esp file; a network where the file holds one, and of every other source. */
  model: Network | Program;
  /** Bytes of the .esp file; null for other sources. */
  readonly fileBytes: number | null;
}

/** Reads any source that loadModel takes, once. Throws as importModel does. */
export async function openModel(source: string | Uint8Array, options?: ImportOptions): Promise<OpenedModel> {
  const esp = await openEsp(source);
  if (esp === null) return { model: await importModel(source, options), fileBytes: null };
  const { readEsp } = await import('./file/network.js');
  return { model: readEsp(esp), fileBytes: esp.bytes.length };
}

/**
 * A network of flexible sizes is stored as such, as there is a program only once its inputs' sizes are known.
 * `read` is emptied: the network's weights are free once there is a program, before the file takes memory.
 */
async function converted(read: { model?: Network | Program }, values: ValueFormat): Promise<Uint8Array> {
  const { isFlexible } = await import('./network/specialise.js');
  const { compile } = await import('./compile/index.js');
  const { roundMatrix, roundValues } = await import('./program/value-formats.js');
  const { csrFromDense } = await import('./engine/csr.js');
  const { writeProgram } = await import('./file/write.js');
  const program = ((): Program | null => {
    const model = read.model as Network | Program;
    if ('operations' in model) return roundValues(model, values);
    return isFlexible(model) ? null : compile(model);
  })();
  if (program !== null) {
    delete read.model;
    return writeProgram(program, (weights, rows, cols) =>
      roundMatrix({ format: 'csr', rows, cols, ...csrFromDense(weights, rows, cols) }, values),
    );
  }
  const source = read.model as Network;
  if (values !== 'float32') {
    throw invalid('INVALID_ARGUMENT', 'values', "'float32' for a model of flexible sizes", values);
  }
  return (await import('./file/network.js')).writeNetwork(source, csrFromDense);
}

/** What a Model is made of: the program of a network, or, where its inputs have flexible sizes, how to make one. */
export async function planOf(network: Network): Promise<Program | FlexiblePlan> {
  const { isFlexible, withInputShapes } = await import('./network/specialise.js');
  if (!isFlexible(network)) return compileNetwork(network);
  const { compile } = await import('./compile/index.js');
  const { withCsr } = await import('./engine/csr.js');
  const port = ({ name, value }: Network['inputs'][number]) => ({
    name,
    shape: (network.values[value] as Network['values'][number]).shape,
  });
  return {
    name: network.name,
    inputs: network.inputs.map(port),
    outputs: network.outputs.map(port),
    specialise: (shapes) => {
      try {
        return withCsr(compile(withInputShapes(network, shapes)));
      } catch (error) {
        if (error instanceof EspalierError) throw error;
        // Settings of a file that make no sense show first where something is computed with them.
        throw new EspalierError(
          'INVALID_MODEL',
          `the network cannot be compiled: ${String(error)}`,
          {},
          error,
        );
      }
    },
  };
}

/**
 * The program of any source that loadModel takes, its matrices CSR.
 * @throws UNSUPPORTED_FORMAT for an .esp file of flexible sizes, which has none yet; else as loadModel does.
 */
export async function programOf(source: string | Uint8Array): Promise<Program> {
  const esp = await openEsp(source);
  if (esp === null) return compileNetwork(await importModel(source));
  return (await import('./file/read.js')).readProgram(esp);
}

/**
 * Imports a model as a Network: the path of a TFJS layers model.json or of its folder, told by its content.
 * @throws EspalierError: NOT_FOUND, INVALID_MODEL, UNSUPPORTED_LAYER, UNSUPPORTED_FORMAT, LIMIT_EXCEEDED,
 *   INVALID_ARGUMENT.
 */
export async function importModel(source: string | Uint8Array, options?: ImportOptions): Promise<Network> {
  requireKeys('options', options ?? {}, IMPORT_OPTIONS);
  return door(named(source, 'importModel'), async () =>
    (await import('./import/index.js')).importModel(source, options),
  );
}

/**
 * Writes a model for others to load, as a TFJS layers model or a Keras .h5 file: see ExportOptions.
 * @param source any source that importModel takes, a Network, or an .esp file whose operations Keras has layers for.
 * @param destination 'tfjs': a folder, or a path that ends in .json; 'h5': the path of the file.
 * @throws EspalierError: UNSUPPORTED_LAYER for what the format cannot hold, with the layer's name; INVALID_ARGUMENT,
 *   IO_FAILED, and what importModel throws.
 */
export async function exportModel(
  source: string | Uint8Array | Network,
  destination: string,
  options?: ExportOptions,
): Promise<Exported> {
  requireKeys('options', options ?? {}, EXPORT_OPTIONS);
  return door(named(source, 'exportModel'), async () =>
    (await import('./export/index.js')).exportModel(source, destination, options),
  );
}

/** The program of a network, its matrices CSR. Throws UNSUPPORTED_LAYER, ADDON_MISSING. */
export async function compileNetwork(network: Network): Promise<Program> {
  const { compile } = await import('./compile/index.js');
  const { withCsr } = await import('./engine/csr.js');
  return withCsr(compile(network));
}
