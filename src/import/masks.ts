/** Which values of a network that is being built have a mask, and which. */
import type { Masking } from '../keras/codec.js';
import type { Typed } from '../network/layers/registry.js';
import { own, unsupported } from '../network/untrusted.js';
import type { Part } from './parts.js';

/** The mask of a value: its index, or that there are several which are not one. */
export type Mask = number | 'several';

export class Masks {
  private readonly values = new Map<number, Mask>();
  /** Masks that layers made, by how Keras 3 writes them as operations on the layer's input. */
  private readonly written = new Map<string, number>();
  /** NotEqual before its Any, which alone is no mask: stands for it under a negative number. */
  private readonly halves: string[] = [];

  of(value: number): Mask | undefined {
    return this.values.get(value);
  }

  /** A layer (Masking, Embedding) makes the mask `made` of its input. */
  make(input: number, made: number, layer: Typed): void {
    const all = layer.kind === 'Masking' ? `any ${notEqual(input, layer.settings.maskValue)}` : null;
    this.written.set(all ?? notEqual(input, 0), made);
  }

  /**
   * The mask that an operation of Keras 3 stands for: one that a layer has made already. Others are refused.
   */
  operation(
    part: Extract<Part, { type: 'mask' }>,
    values: readonly number[],
    constants: readonly number[],
  ): number {
    const [first, second] = values;
    const { operation } = part;
    if (operation === 'NotEqual' && values.length === 1 && constants.length === 1) {
      const key = notEqual(first!, constants[0]!);
      const made = this.written.get(key);
      if (made !== undefined) return made;
      this.halves.push(key);
      return -this.halves.length;
    }
    if (operation === 'Any' && values.length === 1 && first! < 0 && own(part.config, 'keepdims') !== true) {
      const made = this.written.get(`any ${this.halves[-first! - 1]!}`);
      if (made !== undefined && lastAxis(own(part.config, 'axis'))) return made;
    }
    if (operation.startsWith('Logical') && values.length === 2 && first === second && first! >= 0)
      return first!;
    throw unsupported(
      'class_name',
      `the operation ${operation}`,
      'use the masks that Masking and Embedding make',
    );
  }

  /** Notes which outputs have a mask; a made mask is no output that the model's graph knows. */
  pass(masking: Masking, masks: readonly (Mask | undefined)[], outputs: number[], layer: Typed): number[] {
    if (masking === 'make') {
      this.values.set(outputs[0]!, outputs[1]!);
      return outputs.slice(0, 1);
    }
    const passes = masking === 'pass' || masking === 'take-and-pass' || masking === 'merge';
    if (!passes) return outputs;
    const there = [...new Set(masks.filter((mask) => mask !== undefined))];
    if (masking !== 'merge') {
      const mask = masks[0];
      // Both directions of a Bidirectional that does not merge have the mask; states have none.
      const both = layer.kind === 'Bidirectional' && layer.settings.mergeMode === null;
      if (mask !== undefined)
        outputs.slice(0, both ? 2 : 1).forEach((output) => this.values.set(output, mask));
    } else if (there.length > 0) {
      this.values.set(outputs[0]!, there.length === 1 ? there[0]! : 'several');
    }
    return outputs;
  }
}

const notEqual = (value: number, constant: number): string => `${value} != ${constant}`;

function lastAxis(axis: unknown): boolean {
  return axis === -1 || (Array.isArray(axis) && axis.length === 1 && axis[0] === -1);
}
