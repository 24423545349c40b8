/** Members of an untrusted zip file, by fflate: bounded, checked, never written to disk. */
import { crc32 } from 'node:zlib';
import { unzipSync } from 'fflate';
import { EspalierError } from '../errors.js';
import { wrong } from '../network/untrusted.js';

/** deflate packs a run of equal bytes at most 1032 : 1. */
const MAX_RATIO = 1032;
const END = 0x06054b50;
const ENTRY = 0x02014b50;

/**
 * The members of these names that there are, unpacked.
 * @throws INVALID_MODEL for damage, a member listed twice or bigger than it can be; LIMIT_EXCEEDED beyond maxMemory.
 */
export function readZip(
  bytes: Uint8Array,
  names: readonly string[],
  what: string,
  maxMemory: number,
): Map<string, Uint8Array> {
  const sums = checksums(bytes, what);
  const seen = new Set<string>();
  let total = bytes.length;
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes, {
      filter: ({ name, size, originalSize }) => {
        if (!names.includes(name)) return false;
        if (seen.has(name)) throw wrong(what, 'each member once', name);
        seen.add(name);
        if (size > bytes.length || originalSize > size * MAX_RATIO + 1024) {
          throw wrong(`${what}: ${name}`, 'a size that packing can reach', originalSize);
        }
        total += originalSize;
        if (total > maxMemory) {
          throw new EspalierError('LIMIT_EXCEEDED', `${what}: ${name}: unpacked it is more than maxMemory`, {
            parameter: 'maxMemory',
            expected: maxMemory,
            received: total,
          });
        }
        return true;
      },
    });
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    const why = (cause as Error).message.split('\n')[0];
    throw new EspalierError(
      'INVALID_MODEL',
      `${what}: a damaged zip file (${why})`,
      { parameter: what },
      cause,
    );
  }
  const result = new Map<string, Uint8Array>();
  for (const name of seen) {
    const member = members[name]!;
    const sum = sums.get(name);
    if (sum?.size !== member.length || sum.crc !== crc32(member)) {
      throw wrong(`${what}: ${name}`, 'bytes that agree with their checksum', 'damaged bytes');
    }
    result.set(name, member);
  }
  return result;
}

/** The size and CRC-32 of each member, from the central directory (which fflate does not check). */
function checksums(bytes: Uint8Array, what: string): Map<string, { size: number; crc: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && bytes.length - end < 65_558 && view.getUint32(end, true) !== END) end--;
  if (end < 0 || view.getUint32(end, true) !== END)
    throw wrong(what, 'a whole zip file', 'one without its directory');
  const result = new Map<string, { size: number; crc: number }>();
  let at = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    if (at + 46 > end || view.getUint32(at, true) !== ENTRY)
      throw wrong(what, 'a whole zip directory', 'a damaged one');
    const length = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length));
    if (result.has(name)) throw wrong(what, 'each member once', name.slice(0, 80));
    result.set(name, { size: view.getUint32(at + 24, true), crc: view.getUint32(at + 16, true) });
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return result;
}
