/**
 * Arrow IPC on its way to the library that reads it: the lengths in each message are compared with the bytes that are
 * there before anyone believes them. The library takes what lies beyond a message for zeros, so that a count of some
 * millions in a file of two kilobytes costs it seconds and hundreds of megabytes.
 * https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
 */
import { invalid } from '../../errors.js';

const MAGIC = Buffer.from('ARROW1');
/** The magic, and padding to a multiple of 8. */
const PREFIX = 8;
const CONTINUATION = 0xffffffff;
/** Of one message's metadata: thousands of columns take less. */
const MOST_METADATA = 64 * 1024 ** 2;
/** Rows beyond what a bit a row in the body would hold: batches of columns without buffers. */
const FREE_ROWS = 2 ** 16;

/** Pieces of a stream, taken by length. */
class Pieces {
  #held: Buffer[] = [];
  #bytes = 0;

  constructor(private readonly source: AsyncIterator<Buffer>) {}

  /** Up to `length` bytes, fewer only at the end of the stream. */
  async take(length: number): Promise<Buffer> {
    while (this.#bytes < length) {
      const next = await this.source.next();
      if (next.done === true) break;
      this.#held.push(next.value);
      this.#bytes += next.value.length;
    }
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    const taken = all.subarray(0, length);
    this.#held = [all.subarray(length)];
    this.#bytes = all.length - taken.length;
    return taken;
  }

  /** What was taken comes next again. */
  back(piece: Buffer): void {
    this.#held.unshift(piece);
    this.#bytes += piece.length;
  }

  /** The next `length` bytes in the pieces that they come in. */
  async *pass(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0;) {
      const piece = this.#bytes > 0 ? await this.take(Math.min(left, this.#bytes)) : await this.take(1);
      if (piece.length === 0) return;
      left -= piece.length;
      yield piece;
    }
  }

  async *rest(): AsyncGenerator<Buffer> {
    for (let piece = await this.take(1); piece.length > 0; piece = await this.take(1)) {
      yield piece;
      if (this.#bytes > 0) yield await this.take(this.#bytes);
    }
  }
}

const lies = (what: string, expected: string, received: unknown) =>
  invalid('INVALID_DATA', `--input: an Arrow stream or file that can be read: ${what}`, expected, received);

/** Passes on a stream of Arrow IPC (a stream or a file). Throws INVALID_DATA for a length that cannot be. */
export async function* checkedMessages(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { bodyLengthOf } = await import('./arrow-metadata.js');
  const pieces = new Pieces(source[Symbol.asyncIterator]());
  const start = await pieces.take(MAGIC.length);
  pieces.back(start);
  if (start.equals(MAGIC)) yield await pieces.take(PREFIX);
  for (;;) {
    let head = await pieces.take(4);
    if (head.length === 4 && head.readUInt32LE() === CONTINUATION) {
      head = Buffer.concat([head, await pieces.take(4)]);
    }
    yield head;
    const length = head.length < 4 ? 0 : head.readInt32LE(head.length - 4);
    // The end of the stream; in a file its footer follows, which a reader of streams passes over.
    if (length === 0) break;
    if (length < 0 || length > MOST_METADATA) {
      throw lies('length of a message', `0 to ${MOST_METADATA} bytes`, length);
    }
    const metadata = await pieces.take(length);
    if (metadata.length < length) throw lies('a message', `${length} bytes`, metadata.length);
    const body = bodyLengthOf(metadata, FREE_ROWS, lies);
    yield metadata;
    yield* pieces.pass(body);
  }
  yield* pieces.rest();
}
