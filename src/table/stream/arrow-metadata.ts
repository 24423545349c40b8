/** What the metadata of one Arrow message says of its lengths, checked against each other. */
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { DictionaryBatch } from 'apache-arrow/fb/dictionary-batch';
import type { Field } from 'apache-arrow/fb/field';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { Schema } from 'apache-arrow/fb/schema';
import { ByteBuffer } from 'flatbuffers';

type Lies = (what: string, expected: string, received: unknown) => Error;

/** Bytes of an entry in the vectors of a batch, and of an offset in other vectors. */
const NODE = 16;
const REGION = 16;
const OFFSET = 4;
const MOST_DEPTH = 64;

/** Throws what `lies` makes. @returns the bytes of the message's body */
export function bodyLengthOf(metadata: Buffer, freeRows: number, lies: Lies): number {
  const size = metadata.length;
  const count = (what: string, value: number, each: number): number => {
    if (!(value >= 0 && value * each <= size)) {
      throw lies(what, `at most ${Math.floor(size / each)} in a message of ${size} bytes`, value);
    }
    return value;
  };
  const within = (what: string, value: bigint, most: number): number => {
    if (value < 0n || value > BigInt(most)) throw lies(what, `0 to ${most}`, String(value));
    return Number(value);
  };
  const message = Message.getRootAsMessage(new ByteBuffer(metadata));
  const body = within('length of a body', message.bodyLength(), Number.MAX_SAFE_INTEGER);
  const batch = (given: RecordBatch): void => {
    const rows = 8 * body + freeRows;
    within('rows of a batch', given.length(), rows);
    const nodes = count('columns of a batch', given.nodesLength(), NODE);
    for (let i = 0; i < nodes; i++) {
      const node = given.nodes(i)!;
      const length = within('length of a column', node.length(), rows);
      within('nulls of a column', node.nullCount(), length);
    }
    const regions = count('buffers of a batch', given.buffersLength(), REGION);
    for (let i = 0; i < regions; i++) {
      const region = given.buffers(i)!;
      const offset = within('offset of a buffer', region.offset(), body);
      within('length of a buffer', region.length(), body - offset);
    }
    count('variadic buffers of a batch', given.variadicBufferCountsLength(), 8);
  };
  let fields = 0;
  const field = (given: Field, depth: number): void => {
    fields = count('fields of a schema', fields + 1, OFFSET);
    if (depth > MOST_DEPTH) throw lies('depth of a schema', `at most ${MOST_DEPTH}`, depth);
    count('metadata of a field', given.customMetadataLength(), OFFSET);
    const children = count('children of a field', given.childrenLength(), OFFSET);
    for (let i = 0; i < children; i++) field(given.children(i)!, depth + 1);
  };
  switch (message.headerType()) {
    case MessageHeader.RecordBatch:
      batch(message.header(new RecordBatch()) as RecordBatch);
      break;
    case MessageHeader.DictionaryBatch: {
      const data = (message.header(new DictionaryBatch()) as DictionaryBatch).data();
      if (data === null) throw lies('a dictionary', 'its values', 'none');
      batch(data);
      break;
    }
    case MessageHeader.Schema: {
      const schema = message.header(new Schema()) as Schema;
      count('metadata of a schema', schema.customMetadataLength(), OFFSET);
      const top = count('fields of a schema', schema.fieldsLength(), OFFSET);
      for (let i = 0; i < top; i++) field(schema.fields(i)!, 0);
      break;
    }
    default:
      throw lies('a message', 'a schema, a record batch or a dictionary', message.headerType());
  }
  count('metadata of a message', message.customMetadataLength(), OFFSET);
  return body;
}
