/** NumPy's array files, versions 1 to 3 (numpy.lib.format): C order, little endian, one row after the other. */
import { invalid } from '../../errors.js';
import type { Batch, SourceOptions } from './gather.js';

/** Float32 of bytes that begin at any address; a copy. Machines that the addon is built for are little endian. */
type Read = (bytes: ArrayBuffer) => Float32Array;

const TYPES: Record<string, { bytes: number; read: Read }> = {
  '<f4': { bytes: 4, read: (bytes) => new Float32Array(bytes) },
  '<f8': { bytes: 8, read: (bytes) => new Float32Array(new Float64Array(bytes)) },
  '<i4': { bytes: 4, read: (bytes) => new Float32Array(new Int32Array(bytes)) },
  '<i8': { bytes: 8, read: (bytes) => Float32Array.from(new BigInt64Array(bytes), Number) },
  '|u1': { bytes: 1, read: (bytes) => new Float32Array(new Uint8Array(bytes)) },
  '|i1': { bytes: 1, read: (bytes) => new Float32Array(new Int8Array(bytes)) },
  '|b1': { bytes: 1, read: (bytes) => new Float32Array(new Uint8Array(bytes)) },
};

interface Header {
  readonly length: number;
  readonly bytes: number;
  readonly read: Read;
  readonly rows: number;
}

/** undefined where more bytes are needed. */
function readHeader(buffer: Buffer, features: number): Header | undefined {
  if (buffer.length < 12) return undefined;
  if (buffer.toString('latin1', 0, 6) !== '\x93NUMPY') {
    throw invalid('INVALID_DATA', '--input', 'an npy file', buffer.toString('latin1', 0, 6));
  }
  const start = buffer[6]! > 1 ? 12 : 10;
  const size = buffer[6]! > 1 ? buffer.readUInt32LE(8) : buffer.readUInt16LE(8);
  if (size > 65_536) throw invalid('INVALID_DATA', '--input', 'an npy header of at most 64 KB', size);
  if (buffer.length < start + size) return undefined;
  const text = buffer.toString('latin1', start, start + size);
  const type = TYPES[/'descr':\s*'([^']+)'/.exec(text)?.[1] ?? ''];
  const listed = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  const shape = listed
    ?.split(',')
    .filter((extent) => extent.trim() !== '')
    .map(Number);
  if (
    type === undefined ||
    shape === undefined ||
    shape.length === 0 ||
    /'fortran_order':\s*True/.test(text)
  ) {
    throw invalid('INVALID_DATA', '--input', 'an npy array of little-endian numbers in C order', text.trim());
  }
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
    throw invalid('INVALID_DATA', '--input', 'an npy shape of whole numbers from 0', `(${listed!})`);
  }
  const width = shape.slice(1).reduce((product, extent) => product * extent, 1);
  if (width !== features) throw invalid('INVALID_DATA', '--input', `${features} numbers a row`, width);
  return { length: start + size, ...type, rows: shape[0]! };
}

export async function* npy(chunks: AsyncIterable<Buffer>, options: SourceOptions): AsyncGenerator<Batch> {
  if (options.keep.length > 0 || options.columns !== undefined) {
    throw invalid('INVALID_ARGUMENT', '--columns, --keep', 'no names: npy has no columns', options.keep);
  }
  const { features, batch } = options;
  let begin: Buffer = Buffer.alloc(0);
  let header: Header | undefined;
  let done = 0;
  let rows = 0;
  // The bytes of a batch: each comes from a chunk to its place in one step.
  let bytes = new Uint8Array(0);
  let filled = 0;
  const size = ({ rows: all, bytes: one }: Header) => Math.min(batch, all - rows) * features * one;
  for await (const chunk of chunks) {
    done += chunk.length;
    let at = 0;
    if (header === undefined) {
      begin = Buffer.concat([begin, chunk]);
      header = readHeader(begin, features);
      if (header === undefined) continue;
      at = chunk.length - (begin.length - header.length);
      bytes = new Uint8Array(size(header));
    }
    while (rows < header.rows && at < chunk.length) {
      const count = Math.min(bytes.length - filled, chunk.length - at);
      bytes.set(chunk.subarray(at, at + count), filled);
      at += count;
      filled += count;
      if (filled < bytes.length) break;
      const data = header.read(bytes.buffer);
      const piece = bytes.length / features / header.bytes;
      rows += piece;
      filled = 0;
      yield { rows: piece, data, kept: new Map(), done };
      if (size(header) < bytes.length) bytes = new Uint8Array(size(header));
    }
  }
  if (header === undefined || rows !== header.rows) {
    throw invalid(
      'INVALID_DATA',
      '--input',
      `a whole npy file of ${header?.rows ?? 'some'} rows`,
      `${rows} rows`,
    );
  }
}
