/** What an .esp file holds, beside the same weights as dense float32. */
import { readNetwork } from '../file/network.js';
import { parseEsp, type EspFile } from '../file/esp.js';
import { readCodedProgram, readProgram } from '../file/read.js';
import { weightCount } from '../program/dense.js';
import { networkWeightSize, sizeOf, weightSize, weightTensors, type Size } from './sizes.js';

/** gzip -9 of as many bytes takes seconds. */
const MUCH = 50e6;

export interface EspSizes {
  /** All weights as dense float32, zeros included. */
  readonly dense: Size;
  readonly esp: Size;
  /** Elements of the matrices (the tensors of two axes and more, where sizes are flexible). */
  readonly weights: number;
  readonly nonZero: number;
}

/**
 * `gzip`: null where dense weights or file are beyond 50 MB, unless `always`. `compressing` is called before that takes
 * long. No weight is decoded unless it is compressed.
 */
export async function espSizes(
  bytes: Uint8Array,
  always: boolean,
  compressing: () => void,
): Promise<EspSizes> {
  const esp = parseEsp(bytes);
  const { raw, weights, nonZero, dense } = esp.holds === 'network' ? ofNetwork(esp) : ofProgram(esp);
  const much = Math.max(raw, bytes.length) > MUCH;
  if (much && !always)
    return { dense: { raw, gzip: null }, esp: { raw: bytes.length, gzip: null }, weights, nonZero };
  if (much) compressing();
  const [asDense, asEsp] = await Promise.all([dense(), sizeOf(bytes)]);
  return { dense: asDense, esp: asEsp, weights, nonZero };
}

interface Held {
  readonly raw: number;
  readonly weights: number;
  readonly nonZero: number;
  readonly dense: () => Promise<Size>;
}

function ofProgram(esp: EspFile): Held {
  let [raw, weights, nonZero] = [0, 0, 0];
  for (const operation of readCodedProgram(esp).operations) {
    raw += weightCount(operation) * Float32Array.BYTES_PER_ELEMENT;
    if (!('weight' in operation)) continue;
    const { rows, cols, nnz } = operation.weight;
    weights += rows * cols;
    nonZero += nnz;
  }
  return { raw, weights, nonZero, dense: () => weightSize(readProgram(esp)) };
}

function ofNetwork(esp: EspFile): Held {
  const network = readNetwork(esp);
  let [weights, nonZero] = [0, 0];
  let raw = 0;
  for (const data of new Set(weightTensors(network).map((tensor) => tensor.data))) raw += data.byteLength;
  for (const { shape, data } of weightTensors(network)) {
    if (shape.length < 2) continue;
    weights += data.length;
    nonZero += data.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
  }
  return { raw, weights, nonZero, dense: () => networkWeightSize(network) };
}
