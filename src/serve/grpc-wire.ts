/**
 * Whether bytes are a message of a protobuf type, before the protobuf library decodes them: it reads a field by its
 * number alone, whatever its wire type, and a nested message beyond its end.
 * https://protobuf.dev/programming-guides/encoding
 */
import type { PackageDefinition } from '@grpc/proto-loader';
import { EspalierError } from '../errors.js';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

const WIRE_TYPES: Readonly<Record<string, number>> = {
  ...{ TYPE_INT32: VARINT, TYPE_INT64: VARINT, TYPE_UINT32: VARINT, TYPE_UINT64: VARINT },
  ...{ TYPE_SINT32: VARINT, TYPE_SINT64: VARINT, TYPE_BOOL: VARINT, TYPE_ENUM: VARINT },
  ...{ TYPE_FIXED64: FIXED64, TYPE_SFIXED64: FIXED64, TYPE_DOUBLE: FIXED64 },
  ...{ TYPE_FIXED32: FIXED32, TYPE_SFIXED32: FIXED32, TYPE_FLOAT: FIXED32 },
  ...{ TYPE_STRING: LENGTH, TYPE_BYTES: LENGTH, TYPE_MESSAGE: LENGTH },
};

interface FieldShape {
  readonly name: string;
  readonly wireType: number;
  readonly repeated: boolean;
  /** Of a field that is a message. */
  readonly message: MessageShape | undefined;
}
export type MessageShape = Map<number, FieldShape>;

interface MessageDescriptor {
  name: string;
  field: { name: string; number: number; label: string; type: string; typeName: string }[];
  nestedType: MessageDescriptor[];
}

/** The shapes of the messages of a package. */
export class Shapes {
  readonly #definition: PackageDefinition;
  readonly #packageName: string;
  readonly #made = new Map<MessageDescriptor, MessageShape>();

  constructor(definition: PackageDefinition, packageName: string) {
    this.#definition = definition;
    this.#packageName = packageName;
  }

  /** Of the message of that name, and of all that it holds. */
  of(name: string): MessageShape {
    return this.#shape([this.#named(name)]);
  }

  #named(name: string): MessageDescriptor {
    const found = this.#definition[`${this.#packageName}.${name}`] as unknown as
      { type: MessageDescriptor } | undefined;
    if (found === undefined)
      throw new EspalierError('INTERNAL', `no message ${name} in ${this.#packageName}`);
    return found.type;
  }

  /** @param scopes the message, and those that it is defined inside of, the innermost first. */
  #shape(scopes: readonly MessageDescriptor[]): MessageShape {
    const [own] = scopes as [MessageDescriptor];
    const made = this.#made.get(own);
    if (made !== undefined) return made;
    const shape: MessageShape = new Map();
    this.#made.set(own, shape);
    for (const { name, number, label, type, typeName } of own.field) {
      const wireType = WIRE_TYPES[type];
      if (wireType === undefined) throw new EspalierError('INTERNAL', `${own.name}.${name}: unknown ${type}`);
      const message = type === 'TYPE_MESSAGE' ? this.#inner(typeName, scopes) : undefined;
      shape.set(number, { name, wireType, repeated: label === 'LABEL_REPEATED', message });
    }
    return shape;
  }

  /** A type that is named inside of `scopes`: the innermost one counts. */
  #inner(name: string, scopes: readonly MessageDescriptor[]): MessageShape {
    for (const [depth, scope] of scopes.entries()) {
      const nested = scope.nestedType.find((type) => type.name === name);
      if (nested !== undefined) return this.#shape([nested, ...scopes.slice(depth)]);
    }
    return this.#shape([this.#named(name)]);
  }
}

/** Throws INVALID_INPUT, naming the field, unless all of the bytes are one message of that shape. */
export function checkMessage(bytes: Uint8Array, shape: MessageShape): void {
  new Wire(bytes).message(0, bytes.length, shape, 'message');
}

class Wire {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  message(start: number, end: number, shape: MessageShape, what: string): void {
    this.#at = start;
    while (this.#at < end) {
      const tag = this.#varint(end, what);
      const [number, wireType] = [Math.floor(tag / 8), tag % 8];
      if (number < 1 || tag >= 2 ** 32) throw malformed(what, 'a field number that cannot be');
      const field = shape.get(number);
      const name = field === undefined ? `${what}.${number}` : `${what}.${field.name}`;
      if (field === undefined) this.#skip(wireType, end, name);
      else this.#field(field, wireType, end, name);
    }
  }

  #field({ wireType, repeated, message }: FieldShape, received: number, end: number, name: string): void {
    const packed = repeated && wireType !== LENGTH && received === LENGTH;
    if (received !== wireType && !packed) throw malformed(name, `wire type ${received}, not ${wireType}`);
    if (!packed && message === undefined) return this.#skip(received, end, name);
    const length = this.#varint(end, name);
    const inner = this.#within(length, end, name);
    if (message !== undefined) this.message(this.#at, inner, message, name);
    else while (this.#at < inner) this.#skip(wireType, inner, name);
  }

  #skip(wireType: number, end: number, name: string): void {
    switch (wireType) {
      case VARINT:
        this.#varint(end, name);
        return;
      case FIXED64:
        this.#at = this.#within(8, end, name);
        return;
      case LENGTH: {
        const length = this.#varint(end, name);
        this.#at = this.#within(length, end, name);
        return;
      }
      case FIXED32:
        this.#at = this.#within(4, end, name);
        return;
      default:
        throw malformed(name, `wire type ${wireType}`);
    }
  }

  /** Where `length` bytes from here end. */
  #within(length: number, end: number, name: string): number {
    if (length > end - this.#at) {
      throw malformed(name, `a length of ${length} bytes where ${end - this.#at} are left`);
    }
    return this.#at + length;
  }

  /** At most ten bytes; beyond 2^53 the nearest double, which is beyond any length. */
  #varint(end: number, name: string): number {
    let value = 0;
    for (let scale = 1, count = 0; count < 10; scale *= 128, count++) {
      if (this.#at >= end) throw malformed(name, 'a number that is cut off');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw malformed(name, 'a number of more than ten bytes');
  }
}

function malformed(name: string, found: string): EspalierError {
  return new EspalierError('INVALID_INPUT', `${name}: expected a protobuf message, received ${found}`, {
    parameter: name,
  });
}
