/** The head of an .esp file: read once, and then known to all that want something of the file. */
import { types } from 'node:util';
import { invalid } from '../errors.js';
import { object, type Json } from './json.js';
import { parseStrictJson, readSafetensors, type SafeTensor } from '../safetensors.js';

/** An .esp file whose head is read; what it holds is taken out by readProgram, readCodedProgram or readNetwork. */
export interface EspFile {
  readonly bytes: Uint8Array;
  /** A network where its inputs have flexible sizes: there is a program only once these are known. */
  readonly holds: 'program' | 'network';
  /** The program or the network, not checked further. */
  readonly json: Json;
  /** Views of `bytes`. */
  readonly tensors: readonly SafeTensor[];
}

/** Whether these are the first bytes of a safetensors file (and so of an .esp, if any of the formats read here). */
export function looksLikeEsp(bytes: Uint8Array): boolean {
  return bytes.length > 8 && bytes[8] === 0x7b && bytes[7] === 0;
}

/**
 * Reads the head. `bytes` must stay unchanged as long as what comes of them is used.
 * @param options.checksum whether to verify the file's checksum, default true.
 * @throws EspalierError INVALID_MODEL telling what is wrong, UNSUPPORTED_FORMAT for another safetensors file.
 */
export function parseEsp(bytes: Uint8Array, options?: { readonly checksum?: boolean }): EspFile {
  const { metadata, tensors } = readSafetensors(bytes, options);
  const { format, program, network } = metadata;
  if (format !== 'espalier') {
    throw invalid('UNSUPPORTED_FORMAT', '__metadata__.format', '"espalier" (a file of espalier)', format);
  }
  const holds = program === undefined && network !== undefined ? 'network' : 'program';
  const text = holds === 'network' ? network : program;
  if (text === undefined) throw invalid('INVALID_MODEL', '__metadata__.program', 'a string', undefined);
  return { bytes, holds, json: object(parseStrictJson(text, `the ${holds}`), holds), tensors };
}

/** What is given opened is not read again. */
export function opened(file: EspFile | Uint8Array): EspFile {
  return types.isUint8Array(file) ? parseEsp(file) : file;
}
