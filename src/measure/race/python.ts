/** Talking with python/bench_worker.py: a line of JSON a request and an answer, arrays as base64. */
import { types } from 'node:util';
import type { Readable } from 'node:stream';
import type { Answer, Request } from './worker.js';

interface Packed {
  dtype: 'float32' | 'float64';
  shape: number[];
  base64: string;
}

const bytesOf = (array: Float32Array | Float64Array) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** JSON.stringify does not know typed arrays: they are told as { dtype, shape, base64 }. */
export function encodeRequest(request: Request): string {
  return JSON.stringify(request, (_, value: unknown) => {
    if (types.isFloat32Array(value) || types.isFloat64Array(value)) {
      const dtype = types.isFloat32Array(value) ? 'float32' : 'float64';
      return { dtype, shape: [value.length], base64: bytesOf(value).toString('base64') } satisfies Packed;
    }
    return value;
  });
}

function unpack(value: unknown): unknown {
  const packed = value as Partial<Packed> | null;
  if (typeof packed !== 'object' || packed === null || typeof packed.base64 !== 'string') return value;
  const bytes = Buffer.from(packed.base64, 'base64');
  // A copy of its own: what Buffer decodes into may lie anywhere.
  const own = new Uint8Array(bytes).buffer;
  return packed.dtype === 'float64' ? new Float64Array(own) : new Float32Array(own);
}

/** Undefined for lines that are no answer: libraries print what they like. */
export function decodeAnswer(line: string): Answer | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const answer = JSON.parse(line, (_, value: unknown) => unpack(value)) as Partial<Answer>;
    return typeof answer.ok === 'boolean' ? (answer as Answer) : undefined;
  } catch {
    return undefined;
  }
}

/** Calls `take` with each whole line. */
export function readLines(stream: Readable | null, take: (line: string) => void): void {
  const parts: string[] = [];
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    const lines = chunk.split('\n');
    for (const [index, part] of lines.entries()) {
      parts.push(part);
      if (index < lines.length - 1) take(parts.splice(0).join(''));
    }
  });
}
