/** Our own policy: which layers the engine runs faster for zeros, and how many it needs. */
import { PROGRAM_VERSION, type Program } from '../../program/program.js';
import { addon } from '../../engine/find.js';
import { addonOptions } from '../../engine/options.js';
import { invalid, requireKeys } from '../../errors.js';
import type { PruningPolicy } from './policy.js';
import { isModel, type Layer } from '../../tensorflow/layer-tree.js';
import { layerPaths } from './targets.js';

export interface LatencyOptions {
  /** The sparsity that pruning will reach, in [0, 1). Default 0.9. */
  sparsity?: number;
  /** Batch size that counts. Default 1. */
  batch?: number;
  /** The part of the dense time that zeros must save for a layer to be chosen. Default 0.05. */
  gain?: number;
}

/** What the cost model says of one layer. */
export interface LayerLatency {
  layer: string;
  /** Outputs and inputs of its matrix. */
  rows: number;
  cols: number;
  /** Nanoseconds, dense and at the policy's sparsity. */
  denseNs: number;
  sparseNs: number;
  layout: string;
  /** The least sparsity (in steps of 0.05) from which zeros save `gain`; null if none up to 0.95 does. */
  needed: number | null;
  /** Whether the policy prunes it. */
  prune: boolean;
}

const LEVELS = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);

/**
 * Prunes the Dense and 1×1 Conv2D layers that the native engine would run faster at `sparsity` on this machine, by its
 * cost model (the same that chooses between dense and sparse when a model is loaded). Needs the addon.
 */
export class PruneForLatency implements PruningPolicy {
  readonly sparsity: number;
  readonly batch: number;
  readonly gain: number;
  readonly #known = new Map<string, { ns: number; denseNs: number; layout: string }>();

  /** @throws EspalierError INVALID_ARGUMENT */
  constructor(options: LatencyOptions = {}) {
    requireKeys('options', options, ['sparsity', 'batch', 'gain']);
    const { sparsity = 0.9, batch = 1, gain = 0.05 } = options;
    if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity < 1)) {
      throw invalid('INVALID_ARGUMENT', 'sparsity', 'a number in [0, 1)', sparsity);
    }
    if (!Number.isSafeInteger(batch) || batch < 1)
      throw invalid('INVALID_ARGUMENT', 'batch', 'an integer >= 1', batch);
    if (typeof gain !== 'number' || !(gain >= 0 && gain < 1)) {
      throw invalid('INVALID_ARGUMENT', 'gain', 'a number in [0, 1)', gain);
    }
    this.sparsity = sparsity;
    this.batch = batch;
    this.gain = gain;
  }

  /** The names of the layers that gain; throws ADDON_MISSING without the native engine. */
  select(model: unknown): string[] {
    return this.explain(model)
      .filter(({ prune }) => prune)
      .map(({ layer }) => layer);
  }

  /** Every layer that the engine runs as a matrix, with what its zeros would bring. */
  explain(model: unknown): LayerLatency[] {
    return matricesOf(model).map(({ layer, rows, cols }) => {
      const wanted = this.#ask(rows, cols, this.sparsity);
      const saves = (s: number) => {
        // What matters is what zeros save, not what a layout that suits the shape does without them.
        const { ns, denseNs } = this.#ask(rows, cols, s);
        return ns < Math.min(denseNs, this.#ask(rows, cols, 0).ns) * (1 - this.gain);
      };
      const needed = LEVELS.find(saves) ?? null;
      const prune = needed !== null && saves(this.sparsity);
      const { ns: sparseNs, denseNs, layout } = wanted;
      return { layer, rows, cols, denseNs, sparseNs, layout, needed, prune };
    });
  }

  /** Nanoseconds of each layer at a sparsity: the `cost` of a latency budget of `sensitivityScan`. */
  cost(model: unknown): (layer: string, sparsity: number) => number {
    const matrices = new Map(matricesOf(model).map((matrix) => [matrix.layer, matrix]));
    return (layer, sparsity) => {
      const matrix = matrices.get(layer);
      return matrix ? this.#ask(matrix.rows, matrix.cols, sparsity).ns : 0;
    };
  }

  /** A matrix with evenly spread zeros is handed to the engine, which says what it would do. */
  #ask(rows: number, cols: number, sparsity: number): { ns: number; denseNs: number; layout: string } {
    const key = `${rows}x${cols}@${sparsity.toFixed(4)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const values = new Float32Array(rows * cols);
    // A Weyl sequence: the share of its points below 1 - sparsity is 1 - sparsity in every row, without a pattern.
    for (let i = 0, point = 0; i < values.length; i++, point = (point + 0.6180339887498949) % 1) {
      if (point >= sparsity) values[i] = 1;
    }
    const engine = addon();
    const csr = engine.csrFromDense(values, rows, cols);
    const activation = { kind: 'linear', alpha: 0, beta: 0 } as const;
    const port = (name: string, value: number, features: number) =>
      ({ name, shape: [null, features], dtype: 'float32', value }) as const;
    const program: Program = {
      ...{ version: PROGRAM_VERSION, name: 'cost' },
      values: [{ features: cols }, { features: rows }],
      inputs: [port('x', 0, cols)],
      outputs: [port('y', 1, rows)],
      operations: [
        {
          ...{ op: 'linear', name: 'layer', input: 0, output: 1, positions: 1, bias: null, activation },
          weight: { format: 'csr', rows, cols, ...csr },
        },
      ],
    };
    const model = engine.load(program, { ...addonOptions({ threads: 1 }), batchSizes: [this.batch] });
    try {
      const { predictedNs: ns, denseNs, layout } = model.explain(this.batch)[0]!;
      const answer = { ns, denseNs, layout };
      this.#known.set(key, answer);
      return answer;
    } finally {
      model.dispose();
    }
  }
}

function matricesOf(model: unknown): { layer: string; rows: number; cols: number }[] {
  if (!isModel(model)) throw invalid('INVALID_ARGUMENT', 'model', 'a LayersModel', model);
  return layerPaths(model).flatMap(([path, layer]) => {
    const shape = kernelShape(layer);
    const pointwise = layer.getClassName() === 'Conv2D' && shape?.[0] === 1 && shape[1] === 1;
    if (!shape || !(pointwise || layer.getClassName() === 'Dense')) return [];
    return [{ layer: path, rows: shape.at(-1)!, cols: shape.at(-2)! }];
  });
}

function kernelShape(layer: Layer): number[] | undefined {
  return (layer as unknown as { kernel?: { shape: number[] } | null }).kernel?.shape;
}
