/**
 * The one list of source formats: what importModel tells apart, in this order, and what messages, help texts, docs and
 * the server's scan of a repository know. Light: what reading a format needs is loaded when one is read.
 */
import type { ImportFormat } from './format.js';
import { kerasH5 } from './keras-h5/format.js';
import { kerasZip } from './keras-zip/format.js';
import { tfjsLayers } from './tfjs-layers/format.js';

/** Where several files of a folder are a model, the first format here is the one that is taken. */
export const IMPORT_FORMATS: readonly ImportFormat[] = [tfjsLayers, kerasZip, kerasH5];

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names[names.length - 1]!}`;

/** "a TFJS model.json or its folder, a .keras file or a Keras .h5 file". */
export const IMPORTED = listed(IMPORT_FORMATS.map(({ name }) => name));

/** What every command that takes a model says that it takes: an .esp file too. */
export const MODEL_SOURCES = listed(['an .esp file', ...IMPORT_FORMATS.map(({ name }) => name)]);

/** Endings of model files, the preferred one first. */
export const MODEL_EXTENSIONS: readonly string[] = [
  '.esp',
  ...IMPORT_FORMATS.flatMap(({ extensions }) => extensions),
];

/** Whether a model in a file of this ending has other files beside it. */
export function hasFilesBeside(extension: string): boolean {
  return IMPORT_FORMATS.some(({ beside, extensions }) => beside && extensions.includes(extension));
}
