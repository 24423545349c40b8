/** What writing a program as a network is made of: the network as it grows, and the settings that layers share. */
import type { Activation } from '../../network/activations.js';
import { relu } from '../../network/activations.js';
import { unsupported } from '../../network/untrusted.js';
import { outputsOf, typed, type Kind, type Settings } from '../../network/layers/registry.js';
import type { Layer, Node, Tensor, Value } from '../../network/types.js';
import { denseValues } from '../../program/dense.js';
import type { Frame } from '../../program/operations/frame.js';
import type { Activation as ProgramActivation, Matrix, Operation, Program } from '../../program/program.js';

/** One operation's writer: adds layers that compute it and answers the network's value of its output. */
export type Write<K extends Operation['op']> = (
  b: Builder,
  operation: Extract<Operation, { op: K }>,
) => number;

export const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

function activationOf({ kind, alpha, beta }: ProgramActivation): Activation {
  switch (kind) {
    case 'relu':
      return relu();
    case 'relu6':
      return relu(0, 6);
    case 'leaky_relu':
      return relu(alpha);
    case 'elu':
      return { kind, alpha };
    case 'hard_sigmoid':
      return { kind, alpha, beta };
    case 'hard_shrink':
    case 'soft_shrink':
      return { kind, lambda: alpha };
    case 'threshold':
      return relu(beta, null, alpha);
    case 'clipped_leaky_relu':
      return relu(alpha, beta);
    case 'clip':
      if (alpha === 0) return relu(0, beta);
      if (alpha === -1 && beta === 1) return { kind: 'hard_tanh' };
      throw unsupported(
        'activation',
        `clip to [${alpha}, ${beta}]`,
        'export the model that it was converted from',
      );
    default:
      return { kind };
  }
}

/** A frame before what reads it: padding of the window that follows. */
export interface Framed {
  readonly frame: Frame;
  /** The value that is framed, [height, width, channels]. */
  readonly value: number;
}

/** The network as it grows, and where the program's values are in it. */
export class Builder {
  readonly layers: Layer[] = [];
  readonly values: Value[] = [];
  readonly nodes: Node[] = [];
  private readonly used = new Set<string>();
  /** By the program's index: the network's value. */
  readonly map: number[] = [];
  readonly frames = new Map<number, Framed>();
  /** Values of the program that lie channels x pixels. */
  readonly planes = new Set<number>();

  constructor(private readonly program: Program) {}

  /** Numbers a sample of a value of the program. */
  features(value: number): number {
    return this.program.values[value]!.features;
  }

  /** The network's value that is this one of the program. */
  value(index: number): number {
    return this.map[index]!;
  }

  add(shape: readonly number[]): number {
    return this.values.push({ shape: [null, ...shape], dtype: 'float32' }) - 1;
  }

  shapeOf(value: number): number[] {
    return this.values[value]!.shape.slice(1) as number[];
  }

  call<K extends Kind>(
    name: string,
    kind: K,
    settings: Settings[K],
    inputs: readonly number[],
    weights: Record<string, Tensor> = {},
  ): number {
    let unique = name;
    for (let i = 1; this.used.has(unique); i++) unique = `${name}_${i}`;
    this.used.add(unique);
    const made = typed<Kind>(kind, settings);
    const layer = this.layers.push({ name: unique, ...made, weights }) - 1;
    const [output] = outputsOf(
      made,
      inputs.map((input) => this.values[input]!),
    );
    const value = this.values.push(output!) - 1;
    this.nodes.push({ layer, inputs, outputs: [value] });
    return value;
  }

  /** The value in this shape: as it is, or through a Reshape. */
  shaped(name: string, value: number, shape: readonly number[]): number {
    if (this.shapeOf(value).join() === shape.join()) return value;
    return this.call(`${name}_reshape`, 'Reshape', { targetShape: shape }, [value]);
  }

  activate(name: string, value: number, activation: ProgramActivation): number {
    if (activation.kind === 'linear') return value;
    return this.call(`${name}_activation`, 'Activation', { activation: activationOf(activation) }, [value]);
  }

  /** y = x * scale + offset along the last axis, as the BatchNormalization that it was. */
  affine(name: string, value: number, scale: Float32Array, offset: Float32Array): number {
    const shape = [scale.length];
    return this.call(
      name,
      'BatchNormalization',
      { axis: -1, epsilon: 0, center: true, scale: true },
      [value],
      {
        gamma: { shape, data: scale },
        beta: { shape, data: offset },
        moving_mean: { shape, data: new Float32Array(scale.length) },
        moving_variance: { shape, data: new Float32Array(scale.length).fill(1) },
      },
    );
  }
}

/** A value as [height, width, channels]. */
export function images(
  b: Builder,
  operation: Operation,
  input: number,
  height: number,
  width: number,
): number {
  const value = b.map[input]!;
  const channels = product(b.shapeOf(value)) / (height * width);
  return b.shaped(operation.name, value, [height, width, channels]);
}

export function refuse(operation: Operation, what: string): Error {
  return unsupported(
    `operation ${operation.name} (${operation.op})`,
    `${what} as a Keras layer`,
    'export the model that it was converted from instead of the .esp file',
  );
}

/** Dense and conv layers with their activation inside. */
export const fused = (activation: ProgramActivation, bias: Float32Array | null) => ({
  useBias: bias !== null,
  activation: activationOf(activation),
});
export const biasOf = (bias: Float32Array | null): Record<string, Tensor> =>
  bias === null ? {} : { bias: { shape: [bias.length], data: bias } };

/** [rows, cols] with columns (channel, tap) → [taps, channels, rows]. */
export function kernelOf(matrix: Matrix, taps = 1): Float32Array {
  const values = denseValues(matrix);
  const depth = matrix.cols / taps;
  const out = new Float32Array(values.length);
  for (let row = 0; row < matrix.rows; row++) {
    for (let channel = 0; channel < depth; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        out[(tap * depth + channel) * matrix.rows + row] = values[row * matrix.cols + channel * taps + tap]!;
      }
    }
  }
  return out;
}
