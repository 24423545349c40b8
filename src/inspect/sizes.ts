/** File sizes, raw and by `gzip -9`. */
import { readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { Program } from '../program/program.js';
import type { Network, Tensor } from '../network/types.js';
import { weightsOf } from '../program/dense.js';

export interface Size {
  /** Bytes. */
  raw: number;
  /** Bytes after gzip -9; null where the bytes are not at hand. */
  gzip: number | null;
}

export async function sizeOf(bytes: Uint8Array): Promise<{ raw: number; gzip: number }> {
  return { raw: bytes.length, gzip: (await promisify(gzip)(bytes, { level: 9 })).length };
}

/**
 * Of all weights as one dense float32 array, zeros included: what a dense file of any format holds. One operation's
 * weights are in memory at a time.
 */
export async function weightSize(program: Program): Promise<{ raw: number; gzip: number }> {
  function* parts(): Generator<Float32Array> {
    for (const operation of program.operations) yield* weightsOf(operation);
  }
  return sizeOfParts(parts());
}

/** The same of a network, whose weights may serve several layers: each once. */
export async function networkWeightSize(network: Network): Promise<{ raw: number; gzip: number }> {
  return sizeOfParts(new Set(weightTensors(network).map(({ data }) => data)));
}

/** Every weight of every layer. */
export function weightTensors(network: Network): Tensor[] {
  return network.layers.flatMap(({ weights }) => Object.values(weights));
}

async function sizeOfParts(parts: Iterable<Float32Array>): Promise<{ raw: number; gzip: number }> {
  let [raw, compressed] = [0, 0];
  function* bytes(): Generator<Uint8Array> {
    for (const { buffer, byteOffset, byteLength } of parts) {
      raw += byteLength;
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  }
  await pipeline(bytes, createGzip({ level: 9 }), async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) compressed += chunk.length;
  });
  return { raw, gzip: compressed };
}

/** Of a file as it lies there; null where it is none (a folder, a URL). */
export async function fileSize(path: string): Promise<Size | null> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? sizeOf(await readFile(path)) : null;
}
