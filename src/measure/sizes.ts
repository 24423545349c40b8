/** File sizes, raw and by `gzip -9`. */
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Program } from '../compile/program.js';
import type { Network, Tensor } from '../network/types.js';
import { weightsOf } from './matrix.js';

export interface Size {
  /** Bytes. */
  raw: number;
  /** Bytes after gzip -9; null where the bytes are not at hand. */
  gzip: number | null;
}

export async function gzipSize(bytes: Uint8Array): Promise<number> {
  return (await promisify(gzip)(bytes, { level: 9 })).length;
}

export async function sizeOf(bytes: Uint8Array): Promise<Size> {
  return { raw: bytes.length, gzip: await gzipSize(bytes) };
}

/** All weights as one dense float32 array, zeros included: what a dense file of any format holds. */
export function weightBytes(program: Program): Uint8Array {
  return joined(program.operations.flatMap(weightsOf));
}

/** The same of a network, whose weights may serve several layers: each once. */
export function networkWeightBytes(network: Network): Uint8Array {
  return joined([...new Set(weightTensors(network).map(({ data }) => data))]);
}

/** Every weight of every layer. */
export function weightTensors(network: Network): Tensor[] {
  return network.layers.flatMap(({ weights }) => Object.values(weights));
}

function joined(arrays: readonly Float32Array[]): Uint8Array {
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    offset += byteLength;
  }
  return bytes;
}

/** Of a file as it lies there; null where it is none (a folder, a URL). */
export async function fileSize(path: string): Promise<Size | null> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? sizeOf(await readFile(path)) : null;
}
