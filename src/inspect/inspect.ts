/** What a model is and what the engine makes of it, as data: `espalier inspect`. */
import type { Operation, Program } from '../program/program.js';
import { openModel, planOf } from '../convert.js';
import { Model, type Explanation, type Port } from '../engine/model.js';
import { addonOptions, type EngineOptions } from '../engine/options.js';
import type { ImportOptions } from '../import/index.js';
import type { Network } from '../network/types.js';

export interface LayerSummary {
  readonly name: string;
  readonly kind: string;
  /** Of its first call, the batch first. */
  readonly shape: readonly (number | null)[];
  readonly parameters: number;
  readonly nonZero: number;
  /** Of its weight matrices (rank 2 or more); null where it has none. */
  readonly sparsity: number | null;
}

export interface OperationSummary {
  readonly name: string;
  readonly op: string;
  /** Features a sample in and out. */
  readonly features: { readonly in: number; readonly out: number };
  readonly activation: string | null;
  /** 0 x 0 for operations without a matrix. */
  readonly rows: number;
  readonly cols: number;
  readonly nnz: number;
  readonly sparsity: number | null;
  /** Multiply-accumulates a sample: as if dense, and those of the non-zeros. */
  readonly macs: number;
  readonly effectiveMacs: number;
  readonly layout: string;
  readonly kernel: string;
  readonly bytes: number;
  /** Of the packed weights; null without a matrix. */
  readonly values: string | null;
  /** Nanoseconds of a call with the batch on one thread: by the cost model, and as measured (`tune`). */
  readonly predictedNs: number;
  readonly measuredNs: number | null;
  readonly why: string;
}

export interface Inspection {
  readonly name: string;
  readonly format: 'esp' | 'network';
  /** Bytes of the .esp file; null for other sources. */
  readonly fileBytes: number | null;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The layers as they were built; null for .esp files, which hold operations alone. */
  readonly layers: readonly LayerSummary[] | null;
  readonly operations: readonly OperationSummary[];
  readonly batch: number;
  readonly totals: {
    /** Weights of the matrices and their non-zeros. */
    readonly weights: number;
    readonly nonZero: number;
    readonly sparsity: number | null;
    readonly macs: number;
    readonly effectiveMacs: number;
    /** Bytes that the engine holds for weights and buffers. */
    readonly memory: number;
  };
}

/** Inspects any source that loadModel takes, at a batch size. Throws as loadModel does. */
export async function inspectModel(
  source: string,
  options: EngineOptions & ImportOptions & { readonly batch?: number } = {},
): Promise<Inspection> {
  const { batch = 1, maxMemory, timeout, ...load } = options;
  const { model: read, fileBytes } = await openModel(source, { maxMemory, timeout });
  const network = 'layers' in read ? read : null;
  // Where sizes are flexible there is a program only once those of the inputs are known.
  const plan = 'layers' in read ? await planOf(read) : read;
  const model = new Model(plan, addonOptions({ batchSizes: [batch], ...load }));
  try {
    const explained = 'operations' in plan ? model.explain(batch) : [];
    const operations =
      'operations' in plan
        ? plan.operations.map((operation, index) => summary(plan, operation, explained, index))
        : [];
    const sum = (of: (operation: OperationSummary) => number) =>
      operations.reduce((all, o) => all + of(o), 0);
    const weights = sum((o) => o.rows * o.cols);
    const nonZero = sum((o) => o.nnz);
    return {
      name: plan.name,
      format: fileBytes === null ? 'network' : 'esp',
      fileBytes,
      inputs: model.inputs,
      outputs: model.outputs,
      layers: network === null ? null : network.layers.map((_, index) => layerSummary(network, index)),
      operations,
      batch,
      totals: {
        weights,
        nonZero,
        sparsity: weights === 0 ? null : 1 - nonZero / weights,
        macs: sum((o) => o.macs),
        effectiveMacs: sum((o) => o.effectiveMacs),
        memory: model.memory(),
      },
    };
  } finally {
    model.dispose();
  }
}

function summary(
  program: Program,
  operation: Operation,
  explained: readonly Explanation[],
  index: number,
): OperationSummary {
  const features = (value: number): number => program.values[value]?.features ?? 0;
  const ins = 'inputs' in operation ? operation.inputs : [operation.input];
  const {
    rows = 0,
    cols = 0,
    nnz = 0,
    layout = '',
    kernel = '',
    bytes = 0,
    values = null,
    predictedNs = 0,
    measuredNs = null,
    why = '',
  } = explained[index] ?? {};
  const macs = multiplications(operation);
  return {
    name: operation.name,
    op: operation.op,
    features: { in: ins.reduce((sum, value) => sum + features(value), 0), out: features(operation.output) },
    activation:
      'activation' in operation && operation.activation.kind !== 'linear' ? operation.activation.kind : null,
    rows,
    cols,
    nnz,
    sparsity: rows * cols === 0 ? null : 1 - nnz / (rows * cols),
    macs: rows * cols * macs.positions + macs.others,
    effectiveMacs: nnz * macs.positions + macs.others,
    layout,
    kernel,
    bytes,
    values,
    predictedNs,
    measuredNs,
    why,
  };
}

/** How often each weight of the matrix is used a sample, and what is multiplied besides. */
function multiplications(operation: Operation): { readonly positions: number; readonly others: number } {
  switch (operation.op) {
    case 'linear':
      return { positions: operation.positions, others: 0 };
    case 'conv':
      return { positions: operation.outHeight * operation.outWidth, others: 0 };
    case 'recurrent':
      return { positions: operation.steps, others: 0 };
    case 'matmul': {
      const { heads, rows, columns, depth } = operation;
      return { positions: 0, others: heads * rows * columns * depth };
    }
    case 'depthwise':
      return { positions: 0, others: operation.weights.length * operation.outHeight * operation.outWidth };
    default:
      return { positions: 0, others: 0 };
  }
}

function layerSummary(network: Network, index: number): LayerSummary {
  const layer = network.layers[index] as Network['layers'][number];
  const node = network.nodes.find((call) => call.layer === index);
  const count = { parameters: 0, nonZero: 0, weights: 0, zeros: 0 };
  for (const { shape, data } of Object.values(layer.weights)) {
    const nonZero = data.reduce((sum, value) => (value === 0 ? sum : sum + 1), 0);
    count.parameters += data.length;
    count.nonZero += nonZero;
    if (shape.length >= 2) {
      count.weights += data.length;
      count.zeros += data.length - nonZero;
    }
  }
  return {
    name: layer.name,
    kind: layer.kind,
    shape: network.values[node?.outputs[0] ?? -1]?.shape ?? [],
    parameters: count.parameters,
    nonZero: count.nonZero,
    sparsity: count.weights === 0 ? null : count.zeros / count.weights,
  };
}
