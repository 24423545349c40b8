/** What writing a program as ONNX is made of: the graph, and where and how the program's values lie in it. */
import type { Frame } from '../../program/operations/frame.js';
import type { Operation, Program } from '../../program/program.js';
import type { Graph } from './graph.js';

/** Writes one operation and answers the name of its output. */
export type Write<K extends Operation['op']> = (
  values: Values,
  operation: Extract<Operation, { op: K }>,
) => string;

/** Values are [batch, features], or [batch, channels, pixels...] where they are planes. */
export class Values {
  /** By the program's index. */
  readonly names: string[] = [];
  /** The frame before what reads it: its padding. */
  readonly frames = new Map<number, Frame>();
  /** Channels of the values that are planes. */
  readonly planes = new Map<number, number>();

  constructor(
    readonly graph: Graph,
    private readonly program: Program,
  ) {}

  name(index: number): string {
    return this.names[index] ?? '';
  }

  /** Numbers a sample. */
  features(index: number): number {
    return this.program.values[index]?.features ?? 0;
  }

  /** As [batch, …extents]. */
  shaped(index: number, extents: number[]): string {
    return this.graph.reshape(this.name(index), [0, ...extents]);
  }

  /** With the weight's bias, if it has one, as the last of a node's inputs. */
  withBias(inputs: string[], bias: Float32Array | null): string[] {
    return bias === null ? inputs : [...inputs, this.graph.floats([bias.length], bias)];
  }
}
