/** What a lowering is: one layer's call as operations of the engine. */
import { EspalierError } from '../../errors.js';
import { MAX_FEATURES } from '../../limits.js';
import type { StepKind } from '../../network/layers/list.js';
import type { Typed } from '../../network/layers/registry.js';
import type { Layer, Shape } from '../../network/types.js';
import type { Activation, Matrix, Operation, ProgramValue } from '../../program/program.js';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An operation before its name and output are known. */
export type NewOperation = DistributiveOmit<Operation, 'name' | 'output'>;

export type LayerName = Pick<Layer, 'name' | 'kind'>;

export interface LoweringContext {
  /** For messages. */
  readonly layer: LayerName;
  /** Of each input, the batch first; every other extent is known. */
  readonly inputShapes: readonly (readonly number[])[];
  readonly outputShapes: readonly (readonly number[])[];
  /** The values of the program that hold the inputs. */
  readonly inputs: readonly number[];
  /** Adds an operation that is named after the layer and makes `features` numbers a sample; returns its value. */
  readonly add: (operation: NewOperation, features: number) => number;
  /** Makes a matrix once for all calls of the layer, so that they share it. */
  readonly once: (key: string, make: () => Matrix) => Matrix;
  /** The layer's weight of this name. */
  readonly weight: (name: string) => Float32Array;
  readonly weightShape: (name: string) => readonly number[];
  /** Lowers another kind of layer with this one's weights, as if it stood in its place. */
  readonly inside: (
    layer: Typed<StepKind>,
    call: Pick<LoweringContext, 'inputs' | 'inputShapes' | 'outputShapes'>,
  ) => readonly number[];
}

/**
 * Of a kind with settings S: returns the value that holds the layer's output, or all of them in order. Throws
 * UNSUPPORTED_LAYER (`unsupported`).
 */
export type Lowering<S> = (context: LoweringContext, settings: S) => number | readonly number[];

export const LINEAR: Activation = { kind: 'linear', alpha: 0, beta: 0 };

/** Features of a shape whose batch comes first. */
export function featuresOf(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, extent) => product * extent, 1);
}

/** Shapes with a known number in place of the batch, as lowerings take them. */
export function sampleShape(shape: Shape, layer: string): readonly number[] {
  return shape.map((extent, axis) => {
    if (axis === 0) return 1;
    if (extent === null) {
      throw new EspalierError(
        'UNSUPPORTED_LAYER',
        `layer ${layer}: the shape [${shape.map(String).join(', ')}] has no fixed size: there is a program for each ` +
          'shape of the inputs only; loadModel runs the model and takes { data, shape }, convertModel stores it',
        { parameter: layer, expected: 'fixed lengths', received: shape.map(String) },
      );
    }
    return extent;
  });
}

/**
 * The number of floats or indices of a table that a lowering makes, checked before the table is: sizes of a model are
 * not trusted. Throws LIMIT_EXCEEDED naming the layer.
 */
export function checkedLength(layer: LayerName, what: string, length: number, most = MAX_FEATURES): number {
  if (length <= most) return length;
  throw new EspalierError(
    'LIMIT_EXCEEDED',
    `layer ${layer.name} (${layer.kind}): expected ${what} of at most ${most} numbers, received ${length}`,
    { parameter: layer.name, kind: layer.kind, expected: `at most ${most}`, received: length },
  );
}

/** UNSUPPORTED_LAYER: names the layer and its kind, says what cannot be run and what would help. */
export function unsupported(layer: LayerName, what: string, help: string): EspalierError {
  return new EspalierError(
    'UNSUPPORTED_LAYER',
    `layer ${layer.name} (${layer.kind}): ${what} cannot be run by the engine; ${help}`,
    { parameter: layer.name, kind: layer.kind, received: what },
  );
}

export type { ProgramValue };
