/** What a source format is: a folder beside this file, and its line in formats.ts. */
import type { Network } from '../network/types.js';

/** What a format is read from. */
export interface FormatSource {
  readonly bytes: Uint8Array;
  /** The folder of the file, where other files of the model lie; null where there are only bytes. */
  readonly folder: string | null;
  /** Bytes that weights may take while the model is read. */
  readonly maxMemory: number;
}

export interface ImportFormat {
  readonly id: string;
  /** What a user calls it, with its article, in help and messages: "a Keras .h5 file". */
  readonly name: string;
  /** How its files' names end, the usual ending first; a server's repository is searched for these. */
  readonly extensions: readonly string[];
  /** The file that a folder is taken for, where a folder is given. */
  readonly inFolder?: string;
  /** Whether a model is several files, which lie beside the one that is named. */
  readonly beside: boolean;
  /** Told by content: the file's bytes, of which only the start matters to most. */
  matches(bytes: Uint8Array): boolean;
  /** @throws INVALID_MODEL, UNSUPPORTED_LAYER, UNSUPPORTED_FORMAT, LIMIT_EXCEEDED. What reading needs is loaded here. */
  read(source: FormatSource): Promise<Network>;
}

export function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}
