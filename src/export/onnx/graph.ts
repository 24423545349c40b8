/** The nodes and weights of an ONNX graph. Operators: https://onnx.ai/onnx/operators/ */
import type { onnx as Onnx } from 'onnx-proto';

/** Types of tensors. */
export const FLOAT = 1;
const INT64 = 7;

export type Attributes = Record<string, number | readonly number[] | string>;

/** The graph as it grows. */
export class Graph {
  readonly nodes: Onnx.INodeProto[] = [];
  readonly initializers: Onnx.ITensorProto[] = [];
  private readonly shapes = new Map<string, string>();
  private count = 0;

  fresh(): string {
    return `t${this.count++}`;
  }

  /** Adds a node with one output, which it names. */
  node(opType: string, input: string[], attributes: Attributes = {}, output = this.fresh()): string {
    this.nodes.push({
      opType,
      name: `n${this.nodes.length}`,
      input,
      output: [output],
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return output;
  }

  floats(dims: number[], data: Float32Array): string {
    const name = `w${this.initializers.length}`;
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push({ name, dims, dataType: FLOAT, rawData });
    return name;
  }

  /** An initializer of int64, one for equal numbers. */
  integers(data: number[]): string {
    const key = data.join();
    let name = this.shapes.get(key);
    if (name === undefined) {
      name = `w${this.initializers.length}`;
      const rawData = new Uint8Array(BigInt64Array.from(data.map(BigInt)).buffer);
      this.initializers.push({ name, dims: [data.length], dataType: INT64, rawData });
      this.shapes.set(key, name);
    }
    return name;
  }

  /** Reshape to [batch × …] extents: 0 keeps an extent, -1 is what is left. */
  reshape(input: string, extents: number[], output?: string): string {
    return this.node('Reshape', [input, this.integers(extents)], {}, output);
  }
}

function attribute(name: string, value: number | readonly number[] | string): Onnx.IAttributeProto {
  // AttributeType: FLOAT 1, INT 2, STRING 3, INTS 7. Which of FLOAT and INT a number is, its name decides.
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if (typeof value !== 'number') return { name, type: 7, ints: [...value] };
  return ['axis', 'group', 'count_include_pad'].includes(name) || name.startsWith('trans')
    ? { name, type: 2, i: value }
    : { name, type: 1, f: value };
}
