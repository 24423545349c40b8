/**
 * A Network of flexible sizes as the bytes of an .esp file: there is a Program only once the sizes are known. The layers
 * and their settings are JSON, the weights matrices as those of a program (docs/format.md).
 */
import { checkMatrix } from '../program/check.js';
import { denseValues } from '../program/dense.js';
import type { Matrix, Program } from '../program/program.js';
import { invalid } from '../errors.js';
import { isKind } from '../network/layers/registry.js';
import { isFlexible } from '../network/specialise.js';
import type { DType, Layer, Network, Node, Port, Tensor, Value } from '../network/types.js';
import { opened, type EspFile } from './esp.js';
import { bad, list, object, text, whole, type Json } from './json.js';
import { PoolReader, PoolWriter } from './pools.js';
import { decodedMatrices, readProgram } from './read.js';
import { isObject, writeSafetensors } from '../safetensors.js';
import { writeMatrix, type CsrOf } from './write.js';

const NETWORK_VERSION = 1;

/** Numbers that weights may be in memory without holding bytes in the file for them; beyond, they must be in proportion. */
const FREE_NUMBERS = 2 ** 24;
const NUMBERS_PER_BYTE = 64;

/** The same network gives the same bytes; `csr` gives the non-zeros of a dense matrix. */
export function writeNetwork(network: Network, csr: CsrOf): Uint8Array {
  const pools = new PoolWriter();
  const matrices: Json[] = [];
  const known = new Map<Float32Array, number>();
  const tensor = ({ shape, data }: Tensor): Json => {
    let index = known.get(data);
    if (index === undefined) {
      const cols = shape[shape.length - 1] ?? 1;
      const rows = data.length / cols;
      matrices.push(writeMatrix({ format: 'csr', rows, cols, ...csr(data, rows, cols) }, pools));
      index = matrices.length - 1;
      known.set(data, index);
    }
    return { shape, matrix: index };
  };
  const json = {
    version: NETWORK_VERSION,
    name: network.name,
    inputs: network.inputs,
    outputs: network.outputs,
    values: network.values,
    nodes: network.nodes,
    layers: network.layers.map((layer) => ({
      name: layer.name,
      kind: layer.kind,
      settings: layer.settings,
      weights: Object.fromEntries(
        Object.entries(layer.weights).map(([name, weight]) => [name, tensor(weight)]),
      ),
    })),
    matrices,
  };
  return writeSafetensors({
    metadata: { format: 'espalier', network: JSON.stringify(json) },
    tensors: pools.tensors(),
  });
}

/** What an .esp file holds: a program, or a network of flexible sizes. */
export function readEsp(file: EspFile): Program | Network {
  return file.holds === 'network' ? readNetwork(file) : readProgram(file);
}

/**
 * The network of an .esp file, opened or as its bytes. The file is not trusted: every index is checked here, settings to be plain data. That shapes, settings and weights fit
 * each other is found out when shapes are inferred from the inputs' (network/specialise.ts), before anything is computed.
 * Throws INVALID_MODEL, UNSUPPORTED_FORMAT.
 */
export function readNetwork(file: EspFile | Uint8Array): Network {
  const { bytes, holds, json, tensors } = opened(file);
  if (holds !== 'network') throw bad('__metadata__.network', 'a network', 'a program');
  if (json.version !== NETWORK_VERSION) {
    throw invalid('UNSUPPORTED_FORMAT', 'version', `${NETWORK_VERSION}`, json.version);
  }
  const pools = new PoolReader(tensors);
  const matrices = decodedMatrices(list(json.matrices, 'matrices'), pools, bytes.length);
  pools.finish();
  const dense = denseMatrices(matrices, bytes.length);
  const values = list(json.values, 'values').map((entry, i) => readValue(entry, `values[${i}]`));
  const layers = list(json.layers, 'layers').map((entry, i) => readLayer(entry, `layers[${i}]`, dense));
  const port = (entry: unknown, what: string): Port => {
    const { name, value } = object(entry, what);
    return { name: text(name, `${what}.name`), value: index(value, values.length, `${what}.value`) };
  };
  const inputs = list(json.inputs, 'inputs').map((entry, i) => port(entry, `inputs[${i}]`));
  const outputs = list(json.outputs, 'outputs').map((entry, i) => port(entry, `outputs[${i}]`));
  const made = new Set<number>();
  const make = (value: number, what: string): void => {
    if (made.has(value)) throw bad(what, 'a value made once', value);
    made.add(value);
  };
  inputs.forEach(({ name, value }) => make(value, name));
  const use = (value: unknown, what: string): number => {
    const found = index(value, values.length, what);
    if (!made.has(found)) throw bad(what, 'a value that was made before', found);
    return found;
  };
  const nodes = list(json.nodes, 'nodes').map((entry, i): Node => {
    const what = `nodes[${i}]`;
    const node = object(entry, what);
    const given = list(node.inputs, `${what}.inputs`).map((value) => use(value, `${what}.inputs`));
    const results = list(node.outputs, `${what}.outputs`).map((value) => {
      const found = index(value, values.length, `${what}.outputs`);
      make(found, `${what}.outputs`);
      return found;
    });
    return { layer: index(node.layer, layers.length, `${what}.layer`), inputs: given, outputs: results };
  });
  outputs.forEach(({ name, value }) => use(value, `output ${name}`));
  if (inputs.length === 0 || outputs.length === 0) throw bad('inputs and outputs', 'one or more', 'none');
  for (const [what, ports] of Object.entries({ inputs, outputs })) {
    if (new Set(ports.map(({ name }) => name)).size !== ports.length) {
      throw bad(what, 'different names', 'the same twice');
    }
  }
  const network = { name: text(json.name, 'name'), layers, values, nodes, inputs, outputs };
  // Only then are all shapes inferred anew from those of the inputs.
  if (!isFlexible(network)) throw bad('inputs', 'a flexible size', 'none');
  return network;
}

function denseMatrices(matrices: readonly Matrix[], fileBytes: number): Float32Array[] {
  let left = FREE_NUMBERS + NUMBERS_PER_BYTE * fileBytes;
  return matrices.map((matrix, i) => {
    const what = `matrices[${i}]`;
    left -= matrix.rows * matrix.cols;
    if (left < 0)
      throw bad(what, `weights in proportion to a file of ${fileBytes} bytes`, matrix.rows * matrix.cols);
    checkMatrix(matrix, what);
    return denseValues(matrix);
  });
}

const DTYPES: readonly DType[] = ['float32', 'int32', 'bool'];

function readValue(entry: unknown, what: string): Value {
  const { shape, dtype } = object(entry, what);
  const extents = list(shape, `${what}.shape`).map((extent, axis) =>
    extent === null ? null : axis === 0 ? index(extent, 1, what) : index(extent, 0x7fffffff, `${what}.shape`),
  );
  if (extents.length < 1 || extents.length > 8 || extents[0] !== null) {
    throw bad(`${what}.shape`, 'null (the batch), then at most 7 extents', shape);
  }
  const type = DTYPES.find((name) => name === dtype);
  if (type === undefined) throw bad(`${what}.dtype`, DTYPES.join(', '), dtype);
  return { shape: extents, dtype: type };
}

function readLayer(entry: unknown, what: string, dense: readonly Float32Array[]): Layer {
  const json = object(entry, what);
  const kind = text(json.kind, `${what}.kind`);
  if (!isKind(kind)) throw invalid('UNSUPPORTED_LAYER', `${what}.kind`, 'a known kind', kind);
  requirePlain(json.settings, `${what}.settings`, 6);
  let settings: unknown = json.settings;
  if (kind === 'TimeDistributed') {
    const given = object(settings, `${what}.settings`);
    const inner = text(given.inner, `${what}.settings.inner`);
    if (!isKind(inner) || inner === 'TimeDistributed') {
      throw bad(`${what}.settings.inner`, 'a kind of layer', given.inner);
    }
    settings = { inner, settings: given.settings };
  }
  const weights = Object.entries(object(json.weights, `${what}.weights`)).map(
    ([name, given]): [string, Tensor] => {
      const where = `${what}.weights.${name}`;
      const { shape, matrix } = object(given, where);
      const extents = list(shape, `${where}.shape`).map((extent) =>
        index(extent, 0x7fffffff, `${where}.shape`),
      );
      const data = dense[index(matrix, dense.length, `${where}.matrix`)] as Float32Array;
      const size = extents.reduce((product, extent) => product * extent, 1);
      if (size !== data.length) throw bad(`${where}.shape`, `a shape of ${data.length} numbers`, shape);
      return [name, { shape: extents, data }];
    },
  );
  // Plain data; that it is what the kind takes is found out when the shapes are inferred.
  return {
    name: text(json.name, `${what}.name`),
    kind,
    settings,
    weights: Object.fromEntries(weights),
  } as Layer;
}

/** Numbers, strings, truth values, null, and lists and objects of these. */
function requirePlain(value: unknown, what: string, depth: number): void {
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (typeof value === 'string' && value.length <= 100) return;
  if (depth > 0 && Array.isArray(value)) {
    for (const inner of list(value, what)) requirePlain(inner, what, depth - 1);
    return;
  }
  if (depth > 0 && isObject(value)) {
    for (const inner of Object.values(value)) requirePlain(inner, what, depth - 1);
    return;
  }
  throw bad(what, 'plain settings', value);
}

/** A whole number from 0, below `length`. */
function index(value: unknown, length: number, what: string): number {
  return whole(value, length - 1, what);
}
