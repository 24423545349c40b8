/**
 * safetensors files: 8 bytes length of the header, the header (JSON), the tensors one after the other.
 * https://github.com/huggingface/safetensors#format
 *
 * What is read is not trusted: lengths, offsets, overlaps, holes, duplicate keys and depth are checked before any use,
 * and nothing is allocated that the file does not fill.
 *
 * The metadata ends with `crc32`: the CRC-32 of the whole file, in eight hexadecimal digits, taken while the digits are
 * zeros. It finds what a disk or a transfer changed; files of before have none and are read without it.
 */
import { types } from 'node:util';
import { crc32 } from 'node:zlib';
import { EspalierError, describe } from './errors.js';

const ITEM_BYTES = { F32: 4, I32: 4, F16: 2, U16: 2, I8: 1, U8: 1 } as const;
export type SafeDType = keyof typeof ITEM_BYTES;

export interface SafeTensor {
  readonly name: string;
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A tensor to write: its bytes may lie in several places. */
export interface SafeParts extends Omit<SafeTensor, 'data'> {
  readonly data: Uint8Array | readonly Uint8Array[];
}

export interface SafeFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly SafeTensor[];
}

const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 16;

const CHECKSUM = 'crc32';
const NO_CHECKSUM = '00000000';
/** How it begins in a header; quotes inside of strings have a backslash, so that no text can look like it. */
const CHECKSUM_START = `"${CHECKSUM}":"`;

/** The bytes of a file; the same tensors and metadata give the same bytes. Wider types should come first. */
export function writeSafetensors(file: {
  readonly metadata: SafeFile['metadata'];
  readonly tensors: readonly SafeParts[];
}): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { ...file.metadata, [CHECKSUM]: NO_CHECKSUM } };
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const { name, dtype, shape, data } of file.tensors) {
    const start = end;
    for (const part of types.isUint8Array(data) ? [data] : data) {
      parts.push(part);
      end += part.byteLength;
    }
    header[name] = { dtype, shape, data_offsets: [start, end] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.fill(0x20, 8, 8 + padded);
  bytes.set(text, 8);
  let at = 8 + padded;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  seal(bytes, 8 + padded);
  return bytes;
}

/** Where the digits of the checksum lie in the first `end` bytes; undefined where there is none. */
function checksumPlace(bytes: Uint8Array, end: number): number | undefined {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, end);
  const found = header.indexOf(CHECKSUM_START);
  const place = found + CHECKSUM_START.length;
  return found === -1 || place + NO_CHECKSUM.length > end ? undefined : place;
}

/** The checksum of the bytes, as if the digits at `place` were zeros. */
function checksumOf(bytes: Uint8Array, place: number): string {
  const before = crc32(bytes.subarray(0, place));
  const value = crc32(bytes.subarray(place + NO_CHECKSUM.length), crc32(NO_CHECKSUM, before));
  return value.toString(16).padStart(NO_CHECKSUM.length, '0');
}

/** Writes the checksum of the bytes into their header, which ends at `end`; for a header without one does nothing. */
export function seal(bytes: Uint8Array, end: number): void {
  const place = checksumPlace(bytes, end);
  if (place !== undefined) bytes.set(Buffer.from(checksumOf(bytes, place), 'latin1'), place);
}

function verifyChecksum(bytes: Uint8Array, end: number, stored: string): void {
  const place = checksumPlace(bytes, end);
  const found = place === undefined ? 'none' : checksumOf(bytes, place);
  if (found !== stored) {
    throw broken(
      `its bytes have the checksum ${found}, it was written with ${describe(stored)}: it was changed since`,
    );
  }
}

/**
 * Reads without copying: the tensors are views of `bytes`. Throws INVALID_MODEL, telling what is wrong.
 * @param options.checksum whether to verify the checksum of a file that has one, default true: about a millisecond for
 *   each few MB.
 */
export function readSafetensors(
  bytes: Uint8Array,
  { checksum = true, what = '.esp file' }: { readonly checksum?: boolean; readonly what?: string } = {},
): SafeFile {
  return whole(what, () => readParts(bytes, checksum));
}

function readParts(bytes: Uint8Array, checksum: boolean): SafeFile {
  if (bytes.length < 10) throw broken(`${bytes.length} bytes are too few`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(Math.min(bytes.length - 8, MAX_HEADER_BYTES))) {
    throw broken(`a header of ${declared} bytes in a file of ${bytes.length}`);
  }
  const length = Number(declared);
  const header = parseHeader(bytes.subarray(8, 8 + length));
  const data = bytes.subarray(8 + length);
  const tensors: SafeTensor[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(entry);
    else tensors.push(parseTensor(name, entry, data));
  }
  tensors.sort((a, b) => a.data.byteOffset - b.data.byteOffset || a.data.byteLength - b.data.byteLength);
  let end = 0;
  for (const tensor of tensors) {
    const start = tensor.data.byteOffset - data.byteOffset;
    if (start !== end) throw broken(`tensor ${describe(tensor.name)} starts at ${start}, not at ${end}`);
    end = start + tensor.data.byteLength;
  }
  if (end !== data.length) throw broken(`the tensors end at ${end}, the data at ${data.length}`);
  const { [CHECKSUM]: stored, ...rest } = metadata;
  if (checksum && stored !== undefined) verifyChecksum(bytes, 8 + length, stored);
  return { metadata: rest, tensors };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  // The format asks for it: leading space would be another header to other readers.
  if (bytes[0] !== 0x7b) throw broken('the header does not start with {');
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = strictJson(text, 'the header');
  } catch (error) {
    if (error instanceof Broken) throw error;
    throw broken('the header is not UTF-8');
  }
  if (!isObject(header)) throw broken('the header is not an object');
  return header;
}

function parseMetadata(entry: unknown): Record<string, string> {
  if (!isObject(entry) || !Object.values(entry).every((value) => typeof value === 'string')) {
    throw broken('__metadata__ is not a record of strings');
  }
  return entry as Record<string, string>;
}

function parseTensor(name: string, entry: unknown, data: Uint8Array): SafeTensor {
  const what = `tensor ${describe(name)}`;
  if (!isObject(entry) || Object.keys(entry).sort().join() !== 'data_offsets,dtype,shape') {
    throw broken(`${what} has other keys than dtype, shape and data_offsets`);
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(ITEM_BYTES, dtype)) {
    throw broken(`${what} has dtype ${describe(dtype)}, not one of ${Object.keys(ITEM_BYTES).join(', ')}`);
  }
  if (!Array.isArray(shape) || !shape.every(isLength)) throw broken(`${what} has shape ${describe(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isLength)) {
    throw broken(`${what} has offsets ${describe(offsets)}`);
  }
  const [start, end] = offsets as [number, number];
  if (start > end || end > data.length) {
    throw broken(`${what} lies at ${start} to ${end}, in data of ${data.length} bytes`);
  }
  const items = (shape as number[]).reduce((product, extent) => product * extent, 1);
  if (items * ITEM_BYTES[dtype as SafeDType] !== end - start) {
    throw broken(`${what} of ${describe(shape)} ${dtype} takes ${end - start} bytes`);
  }
  return { name, dtype: dtype as SafeDType, shape: shape as number[], data: data.subarray(start, end) };
}

/** JSON.parse that also refuses a key given twice and deep nesting, for what is in an .esp file. Throws INVALID_MODEL. */
export function parseStrictJson(text: string, what: string): unknown {
  return whole('.esp file', () => strictJson(text, what));
}

function strictJson(text: string, what: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw broken(`${what} is not JSON`, cause);
  }
  // The text is JSON now, so that strings, braces and colons are all there is to look at.
  const keys: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{') keys.push(new Set());
    else if (char === '[') keys.push(null);
    else if (char === '}' || char === ']') keys.pop();
    if (keys.length > MAX_DEPTH) throw broken(`${what} is nested more than ${MAX_DEPTH} deep`);
    if (char !== '"') continue;
    const start = at;
    for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
    let after = at + 1;
    while (' \t\n\r'.includes(text[after] ?? '|')) after++;
    if (text[after] !== ':') continue;
    const key = JSON.parse(text.slice(start, at + 1)) as string;
    const seen = keys.at(-1);
    if (seen?.has(key) === true) throw broken(`${what} has the key ${describe(key)} twice`);
    seen?.add(key);
  }
  return parsed;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLength(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** What is wrong with the bytes: the reader says of what they are. */
class Broken extends Error {}

function broken(why: string, cause?: unknown): Broken {
  return new Broken(why, { cause });
}

/** What `read` finds broken, as an error that says of what it is. */
function whole<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const message = `not a whole ${what}: ${error.message}`;
    throw new EspalierError('INVALID_MODEL', message, { parameter: 'source' }, error.cause);
  }
}
