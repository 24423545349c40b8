/**
 * HDF5 of untrusted files, read by the HDF5 library in WebAssembly: it sees a file system of its own in memory, so
 * that no link in a file reaches another file of this machine.
 */
import type * as H5 from 'h5wasm';
import { EspalierError } from '../errors.js';
import { unsupported, wrong } from '../network/untrusted.js';
import { fromFloat16 } from './float16.js';

type Library = Awaited<typeof H5.ready>;

let library: Promise<Library> | undefined;
let opened = 0;
let instances = 0;

/** Loads the library once; again, as a fresh instance, after it was aborted by a damaged file. */
function load(): Promise<Library> {
  library ??= (async () => {
    const url = import.meta.resolve('h5wasm');
    const fresh = (await import(instances++ === 0 ? url : `${url}?instance=${instances}`)) as typeof H5;
    const module = await fresh.ready;
    module.activate_throwing_error_handler();
    return module;
  })();
  return library;
}

/** deflate packs a run of equal bytes at most 1032 : 1. */
const MAX_RATIO = 1032;
const [INTEGER, FLOAT] = [0, 1];

export interface Hdf5Dataset {
  readonly shape: readonly number[];
  /** Reads it as float32. @throws INVALID_MODEL for damage, LIMIT_EXCEEDED beyond maxMemory. */
  read(): Float32Array;
}

/** An open file. Paths are absolute inside it, without a leading slash. */
export interface Hdf5File {
  /** A text attribute of a group ('/' for the root), or undefined where it is not there. */
  text(path: string, name: string): string | undefined;
  /** A list of texts, also one that h5py cut into name0, name1, ...; undefined where it is not there. */
  texts(path: string, name: string): string[] | undefined;
  /** The names in a group, or undefined where there is no such group. */
  names(path: string): string[] | undefined;
  dataset(path: string, what: string): Hdf5Dataset | undefined;
}

/**
 * Opens the bytes of a file for the time of `work`.
 * @throws INVALID_MODEL where they are no HDF5 file or damaged, whatever the library says.
 */
export async function withHdf5<T>(
  bytes: Uint8Array,
  what: string,
  maxMemory: number,
  work: (file: Hdf5File) => T,
): Promise<T> {
  const module = await load();
  const path = `/model${opened++}.h5`;
  let id = -1n;
  try {
    module.FS.createDataFile('/', path.slice(1), bytes, true, false, true);
    id = module.open(
      path,
      module.H5F_ACC_RDONLY,
      false,
      module.H5F_LIBVER_EARLIEST,
      module.H5F_LIBVER_LATEST,
    );
    if (id < 0n) throw wrong(what, 'an HDF5 file', 'a file that cannot be opened');
    return work(new OpenFile(module, id, bytes.length, what, maxMemory));
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    // A trap inside WebAssembly may leave the library in any state.
    if (['RuntimeError', 'ExitStatus', 'RangeError'].includes((cause as Error | null)?.name ?? ''))
      library = undefined;
    const detail = reason(String((cause as Error | null)?.message ?? cause));
    throw new EspalierError(
      'INVALID_MODEL',
      `${what}: a damaged HDF5 file (${detail})`,
      { parameter: what, expected: 'an HDF5 file' },
      cause,
    );
  } finally {
    try {
      if (id >= 0n) module.close_file(id);
      module.FS.unlink(path);
    } catch {
      library = undefined;
    }
  }
}

/** One line of the library's report: what it says of the first error. */
function reason(report: string): string {
  const line = /#000: .*?\(\): (.*)/.exec(report)?.[1] ?? report.split('\n')[0]!;
  return line.slice(0, 120);
}

class OpenFile implements Hdf5File {
  private held = 0;

  constructor(
    private readonly module: Library,
    private readonly id: bigint,
    private readonly size: number,
    private readonly what: string,
    private readonly maxMemory: number,
  ) {}

  names(path: string): string[] | undefined {
    const { module, id } = this;
    if (!this.isGroup(path)) return undefined;
    return module.get_names(id, path, false);
  }

  private isGroup(path: string): boolean {
    return path === '/' || this.typeOf(path) === this.module.H5G_GROUP;
  }

  /** -1 where there is nothing, or a link to nothing. */
  private typeOf(path: string): number {
    const parts = path.split('/').filter((part) => part !== '');
    if (parts.includes('.') || parts.includes('..')) return -1;
    let parent = '/';
    for (const part of parts) {
      // The library's own error stack is no answer to "is it there".
      if (!this.module.get_names(this.id, parent, false).includes(part)) return -1;
      parent = parent === '/' ? `/${part}` : `${parent}/${part}`;
    }
    return this.module.get_type(this.id, parent);
  }

  text(path: string, name: string): string | undefined {
    const values = this.attribute(path, name);
    if (values === undefined) return undefined;
    const value = values[0];
    if (values.length !== 1 || value === undefined)
      throw wrong(`${this.what}: ${name}`, 'one text', values.length);
    return value;
  }

  texts(path: string, name: string): string[] | undefined {
    const whole = this.attribute(path, name);
    if (whole !== undefined) return whole;
    const parts: string[] = [];
    for (let i = 0; ; i++) {
      const part = this.attribute(path, `${name}${i}`);
      if (part === undefined) return i === 0 ? undefined : parts;
      parts.push(...part);
    }
  }

  private attribute(path: string, name: string): string[] | undefined {
    const { module, id } = this;
    if (!module.get_attribute_names(id, path).includes(name)) return undefined;
    const metadata = module.get_attribute_metadata(id, path, name);
    const bytes = metadata.size * metadata.total_size;
    // An empty list: h5py writes it as float64 of no elements.
    if (metadata.total_size === 0) return [];
    const isText = metadata.type === module.H5T_class_t.H5T_STRING.value;
    if (!isText || metadata.shape === null)
      throw wrong(`${this.what}: ${name}`, 'text', `type ${metadata.type}`);
    if (!Number.isSafeInteger(bytes) || bytes > this.size + 64) {
      throw wrong(`${this.what}: ${name}`, 'an attribute inside the file', `${bytes} bytes`);
    }
    return this.withMemory(bytes, (pointer) => {
      module.get_attribute_data(id, path, name, BigInt(pointer));
      try {
        return readTexts(module, pointer, metadata.total_size, metadata.size, metadata.vlen);
      } finally {
        if (metadata.vlen) module.reclaim_vlen_memory(id, path, name, BigInt(pointer));
      }
    });
  }

  private withMemory<T>(bytes: number, work: (pointer: number) => T): T {
    const pointer = this.module._malloc(Math.max(bytes, 8));
    if (pointer === 0) throw wrong(this.what, 'a tensor that fits into memory', `${bytes} bytes`);
    try {
      // What a file leaves unwritten is zero, never what was here before.
      this.module.HEAPU8.fill(0, pointer, pointer + bytes);
      return work(pointer);
    } finally {
      this.module._free(pointer);
    }
  }

  dataset(path: string, what: string): Hdf5Dataset | undefined {
    const { module, id } = this;
    if (this.typeOf(path) !== module.H5G_DATASET) return undefined;
    const metadata = module.get_dataset_metadata(id, path);
    const { shape, type, size } = metadata;
    if (shape === null) throw wrong(what, 'a dataset with a shape', 'none');
    const float = type === FLOAT && (size === 2 || size === 4 || size === 8);
    const integer = type === INTEGER && (size === 1 || size === 2 || size === 4 || size === 8);
    if (!float && !integer)
      throw unsupported(what, `HDF5 type ${type} of ${size} bytes`, 'store float32 weights');
    if (!metadata.littleEndian) throw unsupported(what, 'big-endian data', 'store little-endian weights');
    const elements = shape.reduce((product, extent) => product * extent, 1);
    return {
      shape,
      read: () => this.read(path, what, { elements, size, float, chunked: metadata.chunks !== null }),
    };
  }

  private read(
    path: string,
    what: string,
    { elements, size, float, chunked }: { elements: number; size: number; float: boolean; chunked: boolean },
  ): Float32Array {
    const bytes = elements * size;
    // Weights cannot be more than what the file holds, however it is packed.
    this.held += bytes;
    const most = chunked ? this.size * MAX_RATIO : this.size;
    if (!(this.held <= most)) throw wrong(what, 'a dataset that the file really holds', `${bytes} bytes`);
    if (!(this.held + elements * 4 <= this.maxMemory)) {
      throw new EspalierError(
        'LIMIT_EXCEEDED',
        `${what}: expected weights that fit into ${this.maxMemory} bytes, received ${this.held}; raise maxMemory`,
        { parameter: 'maxMemory', expected: this.maxMemory, received: this.held },
      );
    }
    return this.withMemory(bytes, (pointer) => {
      const status = this.module.get_dataset_data(this.id, path, null, null, null, BigInt(pointer));
      if (status < 0) throw wrong(what, 'a dataset that can be read', 'damaged data');
      const data = this.module.HEAPU8.slice(pointer, pointer + bytes);
      return toFloat32(data.buffer, size, float);
    });
  }
}

function toFloat32(data: ArrayBuffer, size: number, float: boolean): Float32Array {
  if (float) {
    if (size === 4) return new Float32Array(data);
    return size === 8
      ? Float32Array.from(new Float64Array(data))
      : Float32Array.from(new Uint16Array(data), fromFloat16);
  }
  if (size === 8) return Float32Array.from(new BigInt64Array(data), Number);
  if (size === 4) return Float32Array.from(new Int32Array(data));
  return Float32Array.from(size === 2 ? new Int16Array(data) : new Int8Array(data));
}

/** Texts of fixed length at a pointer, or (vlen) pointers to texts that end with 0. */
function readTexts(module: Library, pointer: number, count: number, size: number, vlen: boolean): string[] {
  const decoder = new TextDecoder('utf-8');
  const heap = module.HEAPU8;
  const upTo = (start: number, limit: number): string => {
    const zero = heap.indexOf(0, start);
    return decoder.decode(heap.slice(start, zero < 0 ? limit : Math.min(zero, limit)));
  };
  return Array.from({ length: count }, (_, i) => {
    const at = pointer + i * size;
    if (!vlen) return upTo(at, at + size);
    const target = new DataView(heap.buffer).getUint32(at, true);
    return target === 0 ? '' : upTo(target, heap.length);
  });
}
