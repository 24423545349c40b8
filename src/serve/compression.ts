/** Content-Encoding of requests and answers: gzip and deflate, off the event loop, never past the body limit. */
import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { EspalierError, invalid } from '../errors.js';

const DECODERS = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;
const ENCODERS = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;

/** Smaller answers do not gain by it. */
const WORTHWHILE = 1024;

export async function decompress(body: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  if (name !== 'gzip' && name !== 'deflate') {
    throw invalid('INVALID_INPUT', 'Content-Encoding', 'gzip, deflate or identity', encoding);
  }
  try {
    return await DECODERS[name](body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new EspalierError('LIMIT_EXCEEDED', `body: more than ${maxBytes} bytes once decompressed`, {
        parameter: 'body',
        expected: maxBytes,
      });
    }
    throw new EspalierError('INVALID_INPUT', `body: not valid ${name}`, { parameter: 'body' });
  }
}

/** The encoding to answer with, by Accept-Encoding: the first of gzip and deflate that it does not refuse. */
export function acceptedEncoding(
  accept: string | string[] | undefined,
  bytes: number,
): 'gzip' | 'deflate' | undefined {
  if (typeof accept !== 'string' || bytes < WORTHWHILE) return undefined;
  for (const part of accept.toLowerCase().split(',')) {
    const [name, ...options] = part.split(';').map((text) => text.trim());
    if (options.some((option) => /^q=0(\.0*)?$/.test(option))) continue;
    if (name === 'gzip' || name === 'deflate') return name;
  }
  return undefined;
}

export async function compress(body: Buffer, encoding: 'gzip' | 'deflate'): Promise<Buffer> {
  return ENCODERS[encoding](body, { level: 1 });
}
