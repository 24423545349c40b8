/** TFJS weights manifests: shards → named weights, dequantised. */
import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { EspalierError } from '../errors.js';
import { isRecord, own, unsupported, wrong } from '../network/untrusted.js';
import { fromFloat16 } from './float16.js';
import type { NamedWeight } from './weights.js';

type StoredType = 'float32' | 'int32' | 'bool' | 'uint8' | 'uint16' | 'float16' | 'int16' | 'int8' | 'uint32';

const BYTES: Readonly<Record<StoredType, number>> = {
  float32: 4,
  int32: 4,
  uint32: 4,
  bool: 1,
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  float16: 2,
};

interface ManifestWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly dtype: string;
  /** How the bytes are stored. */
  readonly stored: StoredType;
  readonly scale: number;
  readonly min: number;
  readonly optimizer: boolean;
}

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly ManifestWeight[];
  readonly bytes: number;
}

/** Reads the shards next to `folder` that a manifest names. @throws INVALID_MODEL, LIMIT_EXCEEDED, NOT_FOUND. */
export async function readManifest(
  manifest: unknown,
  folder: string,
  maxMemory: number,
): Promise<NamedWeight[]> {
  const groups = parseManifest(manifest, maxMemory);
  const root = await realpath(folder);
  const files: { group: Group; shards: { path: string; size: number }[] }[] = [];
  const seen = new Set<string>();
  for (const group of groups) {
    const shards: { path: string; size: number }[] = [];
    for (const path of group.paths) {
      const shard = await findShard(root, path);
      if (seen.has(shard.path)) throw wrong('weightsManifest.paths', 'each shard listed once', path);
      seen.add(shard.path);
      shards.push(shard);
    }
    const held = shards.reduce((sum, { size }) => sum + size, 0);
    if (held !== group.bytes) {
      const names = group.paths.slice(0, 3).join(', ');
      throw wrong(`shards ${names}`, `${group.bytes} bytes, as the manifest tells`, `${held} bytes`);
    }
    files.push({ group, shards });
  }
  const weights: NamedWeight[] = [];
  for (const { group, shards } of files) {
    const bytes = await readShards(group, shards);
    weights.push(...groupWeights(group, bytes));
  }
  return weights;
}

function parseManifest(manifest: unknown, maxMemory: number): Group[] {
  if (!Array.isArray(manifest) || manifest.length === 0) {
    throw wrong('weightsManifest', 'a list of groups', manifest);
  }
  let total = 0;
  return manifest.map((group: unknown, i) => {
    const what = `weightsManifest[${i}]`;
    if (!isRecord(group)) throw wrong(what, 'an object', group);
    const paths = own(group, 'paths');
    const weights = own(group, 'weights');
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) {
      throw wrong(`${what}.paths`, 'a list of file names', paths);
    }
    if (!Array.isArray(weights)) throw wrong(`${what}.weights`, 'a list of weights', weights);
    const read = weights.map((weight: unknown, j) => parseWeight(weight, `${what}.weights[${j}]`));
    const bytes = read.reduce((sum, weight) => sum + weight.elements * BYTES[weight.stored], 0);
    total += read.reduce((sum, weight) => sum + weight.elements * 4, bytes);
    if (!(total <= maxMemory)) {
      throw new EspalierError(
        'LIMIT_EXCEEDED',
        `weightsManifest: expected weights that fit into ${maxMemory} bytes, received ${total} bytes; raise maxMemory`,
        { parameter: 'maxMemory', expected: maxMemory, received: total },
      );
    }
    return { paths: paths, weights: read, bytes };
  });
}

function parseWeight(weight: unknown, what: string): ManifestWeight {
  if (!isRecord(weight)) throw wrong(what, 'an object', weight);
  const name = own(weight, 'name');
  if (typeof name !== 'string' || name === '') throw wrong(`${what}.name`, 'a name', name);
  const shape = own(weight, 'shape');
  if (!Array.isArray(shape) || shape.length > 8) throw wrong(`${name}: shape`, 'a list of extents', shape);
  let elements = 1;
  for (const extent of shape as unknown[]) {
    if (typeof extent !== 'number' || !Number.isSafeInteger(extent) || extent < 1) {
      throw wrong(`${name}: shape`, 'positive integers', shape);
    }
    elements *= extent;
  }
  if (!Number.isSafeInteger(elements)) throw wrong(`${name}: shape`, 'a countable number of elements', shape);
  const dtype = own(weight, 'dtype');
  if (typeof dtype !== 'string') throw wrong(`${name}: dtype`, 'a dtype', dtype);
  if (!['float32', 'int32', 'bool', 'uint8', 'float16'].includes(dtype)) {
    throw unsupported(`${name}: dtype`, JSON.stringify(dtype.slice(0, 40)), 'store float32 weights');
  }
  const optimizer = own(weight, 'group') === 'optimizer';
  const base = { name, shape: shape as number[], elements, dtype, optimizer };
  const quantization = own(weight, 'quantization');
  if (quantization === undefined || quantization === null) {
    return { ...base, stored: dtype as StoredType, scale: 1, min: 0 };
  }
  if (!isRecord(quantization)) throw wrong(`${name}: quantization`, 'an object', quantization);
  const stored = own(quantization, 'dtype');
  if (stored !== 'uint8' && stored !== 'uint16' && stored !== 'float16') {
    throw wrong(`${name}: quantization.dtype`, 'uint8, uint16 or float16', stored);
  }
  if (stored === 'float16') return { ...base, stored, scale: 1, min: 0 };
  const number = (key: string): number => {
    const value = own(quantization, key);
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw wrong(`${name}: quantization.${key}`, 'a finite number', value);
    }
    return value;
  };
  return { ...base, stored, scale: number('scale'), min: number('min') };
}

/** A shard's real path and size: a regular file in the model's folder, whatever links there are. */
async function findShard(root: string, path: string): Promise<{ path: string; size: number }> {
  const what = `weightsManifest.paths: ${JSON.stringify(path.length > 80 ? `${path.slice(0, 77)}...` : path)}`;
  const parts = path.split('/');
  const leaves =
    path === '' ||
    path.length > 4096 ||
    isAbsolute(path) ||
    path.includes('\0') ||
    path.includes('\\') ||
    /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path) ||
    parts.includes('..') ||
    parts.includes('');
  if (leaves) throw wrong(what, 'a path inside the model’s folder', path);
  let real: string;
  let info;
  try {
    real = await realpath(join(root, path));
    info = await stat(real);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new EspalierError(
      'INVALID_MODEL',
      `${what}: expected a shard of the model, received ${code === 'ENOENT' ? 'no such file' : (code ?? 'an error')}`,
      { parameter: path, expected: 'a file', received: code },
      cause,
    );
  }
  if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw wrong(what, 'a file inside the model’s folder', 'a link that leaves it');
  }
  if (!info.isFile())
    throw wrong(what, 'a regular file', info.isDirectory() ? 'a directory' : 'a device or pipe');
  return { path: real, size: info.size };
}

/** The bytes of a group: its shards one after the other, cut anywhere. */
async function readShards(
  group: Group,
  shards: readonly { path: string; size: number }[],
): Promise<Uint8Array> {
  const bytes = new Uint8Array(group.bytes);
  let position = 0;
  for (const shard of shards) {
    const file = await open(shard.path, 'r');
    try {
      let offset = 0;
      while (offset < shard.size) {
        const { bytesRead } = await file.read(bytes, position + offset, shard.size - offset, offset);
        if (bytesRead === 0) throw wrong(shard.path, `${shard.size} bytes`, `${offset} bytes`);
        offset += bytesRead;
      }
    } finally {
      await file.close();
    }
    position += shard.size;
  }
  return bytes;
}

function groupWeights(group: Group, bytes: Uint8Array): NamedWeight[] {
  let position = 0;
  const weights: NamedWeight[] = [];
  for (const weight of group.weights) {
    const length = weight.elements * BYTES[weight.stored];
    const slice = bytes.subarray(position, position + length);
    position += length;
    if (weight.optimizer) continue;
    weights.push({ name: weight.name, shape: weight.shape, read: () => decode(weight, slice) });
  }
  return weights;
}

function decode(weight: ManifestWeight, bytes: Uint8Array): Float32Array {
  const { dtype, stored, elements, scale, min } = weight;
  if (dtype !== 'float32' && dtype !== 'float16' && !/(^|\/)count(:0)?$/.test(weight.name)) {
    throw unsupported(`${weight.name}: dtype`, dtype, 'store float32 weights');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(elements);
  switch (stored) {
    case 'float32':
      new Uint8Array(out.buffer).set(bytes);
      break;
    case 'uint8':
      for (let i = 0; i < elements; i++) out[i] = bytes[i]! * scale + min;
      break;
    case 'uint16':
      for (let i = 0; i < elements; i++) out[i] = view.getUint16(2 * i, true) * scale + min;
      break;
    case 'float16':
      for (let i = 0; i < elements; i++) out[i] = fromFloat16(view.getUint16(2 * i, true));
      break;
    case 'int32':
      for (let i = 0; i < elements; i++) out[i] = view.getInt32(4 * i, true);
      break;
    default:
      for (let i = 0; i < elements; i++) out[i] = bytes[i]!;
  }
  return out;
}
