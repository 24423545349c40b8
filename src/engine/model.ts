/** A loaded model: what users run. */
import { types } from 'node:util';
import type { Program, ProgramPort } from '../program/program.js';
import type { ValueFormat } from '../program/value-formats.js';
import { EspalierError, invalid, requireKeys } from '../errors.js';
import type { CodedProgram } from '../program/coded.js';
import type { AddonOptions, NativeModel } from './addon.js';
import { addon } from './find.js';
import { ShapeCache, type FlexiblePlan } from './flexible.js';
import { fromNative } from './native-errors.js';
import { gatherInputs, gatherOutputs, type Inputs, type Outputs, type PortInfo } from './tensors.js';

export interface Port {
  readonly name: string;
  /** The batch first, null. */
  readonly shape: readonly (number | null)[];
  readonly dtype: string;
}

export interface TensorOutput {
  readonly data: Float32Array;
  readonly shape: number[];
}

/**
 * One output: its numbers, row-major, batch * features of them; { data, shape } if a tensor was given with a shape.
 * Several: a record of these in the order of `outputs`.
 */
export type Answer =
  Float32Array | TensorOutput | Record<string, Float32Array> | Record<string, TensorOutput>;

export interface RunOptions {
  /** Float32Arrays to write the answers into, in any of the forms of inputs. They are part of the answer then. */
  readonly outputs?: Outputs;
}

/** What was chosen for one operation, at one batch size. */
export interface Explanation {
  /** The layer's name. */
  readonly name: string;
  readonly op: string;
  readonly rows: number;
  readonly cols: number;
  readonly nnz: number;
  /** 1 - nnz / (rows * cols); 0 for operations without a matrix. */
  readonly sparsity: number;
  readonly layout: string;
  readonly kernel: string;
  /** Bytes of the packed weights. */
  readonly bytes: number;
  /** Why this layout, in a short sentence. */
  readonly why: string;
  /** Nanoseconds by the cost model: of what was chosen, and of the dense kernel. */
  readonly predictedNs: number;
  readonly denseNs: number;
  /** The same of what was chosen as measured (`tune`); null where nothing was. */
  readonly measuredNs: number | null;
  /** The format of the packed weights; null for operations without a matrix. */
  readonly values: ValueFormat | null;
  readonly batch: number;
}

/**
 * A model ready to run, made by loadModel. A sample is float32 numbers, row-major; a call takes a batch of any size, its
 * weights are packed for the batch when it first comes. `run` computes off the event loop, `runSync` and bound functions
 * on the caller's thread. After `dispose` every call throws DISPOSED.
 */
export class Model {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The network's name. */
  readonly name: string;
  readonly #in: readonly PortInfo[];
  readonly #out: readonly PortInfo[];
  readonly #batch: number;
  // Features of the one input and the one output; 0 when there are more: the short way is for them alone.
  readonly #inFeatures: number;
  readonly #outFeatures: number;
  #native: NativeModel | null;
  /** Of a model of flexible sizes, which has no program of its own. */
  readonly #shapes: ShapeCache<Model> | null;

  /** Use loadModel. The program's matrices are CSR, or coded. `consumed`: see Addon.load. Throws INVALID_MODEL, INVALID_ARGUMENT, ADDON_MISSING. */
  constructor(program: Program | CodedProgram | FlexiblePlan, options: AddonOptions, consumed?: ArrayBuffer) {
    const flexible = 'specialise' in program;
    const info = (port: Omit<ProgramPort, 'value' | 'dtype'> & { value?: number }): PortInfo => ({
      ...{ name: port.name, shape: port.shape, dtype: 'float32', value: port.value ?? 0 },
      features: flexible ? 0 : (program.values[port.value ?? 0]?.features ?? 0),
    });
    const shown = ({ name, shape, dtype }: ProgramPort): Port => Object.freeze({ name, shape, dtype });
    this.name = program.name;
    this.#in = program.inputs.map(info);
    this.#out = program.outputs.map(info);
    this.inputs = Object.freeze(this.#in.map(shown));
    this.outputs = Object.freeze(this.#out.map(shown));
    const single = this.#in.length === 1 && this.#out.length === 1;
    this.#inFeatures = single ? (this.#in[0] as PortInfo).features : 0;
    this.#outFeatures = single ? (this.#out[0] as PortInfo).features : 0;
    this.#batch = options.batchSizes[0] ?? 1;
    this.#native = null;
    this.#shapes = flexible ? new ShapeCache(program, this.#in, (fixed) => new Model(fixed, options)) : null;
    if (flexible) return;
    try {
      this.#native = addon().load(program, options, consumed);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * Computes on this thread (and the pool), for the batch that the inputs make: 0 samples or more.
   * Throws INVALID_INPUT naming the input, what was expected and what came; DISPOSED.
   */
  runSync(inputs: Inputs, options?: RunOptions): Answer {
    if (options !== undefined) checkRunOptions(options);
    if (this.#shapes !== null) return this.#shapes.at(inputs).runSync(inputs, options);
    const native = this.#alive();
    const into = options?.outputs;
    if (this.#inFeatures > 0 && types.isFloat32Array(inputs) && types.isFloat32Array(into)) {
      const batch = inputs.length / this.#inFeatures;
      // Whatever does not fit goes the long way, which says what is wrong.
      if (batch > 0 && Number.isInteger(batch) && into.length === batch * this.#outFeatures) {
        try {
          native.runSync(batch, [inputs], [into]);
        } catch (error) {
          throw fromNative(error);
        }
        return into;
      }
    }
    const { batch, arrays, shaped } = gatherInputs(this.#in, inputs);
    const outputs =
      into === undefined
        ? { arrays: this.#out.map(({ features }) => new Float32Array(batch * features)), shaped }
        : gatherOutputs(this.#out, into, batch);
    try {
      if (batch > 0) native.runSync(batch, arrays, outputs.arrays);
    } catch (error) {
      throw fromNative(error);
    }
    return this.#answer(outputs.arrays, batch, shaped || outputs.shaped);
  }

  /**
   * As runSync, off the event loop. The inputs are copied before the call returns; `outputs` are written when the
   * answer is there.
   */
  async run(inputs: Inputs, options?: RunOptions): Promise<Answer> {
    if (options !== undefined) checkRunOptions(options);
    if (this.#shapes !== null) return this.#shapes.at(inputs).run(inputs, options);
    const native = this.#alive();
    const into = options?.outputs;
    const { batch, arrays, shaped } = gatherInputs(this.#in, inputs);
    const outputs = into === undefined ? undefined : gatherOutputs(this.#out, into, batch);
    let computed: Float32Array[];
    try {
      computed = batch > 0 ? await native.run(batch, arrays) : this.#out.map(() => new Float32Array(0));
    } catch (error) {
      throw fromNative(error);
    }
    if (outputs === undefined) return this.#answer(computed, batch, shaped);
    outputs.arrays.forEach((array, index) => {
      const from = computed[index] as Float32Array;
      if (array.length !== from.length) {
        throw invalid('INVALID_INPUT', 'outputs', `${from.length} numbers still`, array);
      }
      array.set(from);
    });
    return this.#answer(outputs.arrays, batch, shaped || outputs.shaped);
  }

  /**
   * Checks the buffers once and returns a function that computes synchronously from and into them. The batch is theirs.
   * They must be Float32Arrays and stay what they are; the function throws INVALID_INPUT once one is detached, and
   * DISPOSED after dispose.
   */
  bind(buffers: { readonly inputs: Inputs; readonly outputs: Outputs }): () => void {
    if (typeof buffers !== 'object' || buffers === null) {
      throw invalid('INVALID_ARGUMENT', 'buffers', '{ inputs, outputs }', buffers);
    }
    if (this.#shapes !== null) return this.#shapes.at(buffers.inputs, true).bind(buffers);
    const native = this.#alive();
    const { batch, arrays } = gatherInputs(this.#in, buffers.inputs);
    requireOwn(this.#in, arrays, buffers.inputs);
    const outputs = gatherOutputs(this.#out, buffers.outputs, batch);
    if (batch === 0) return () => void this.#alive();
    let call: () => void;
    try {
      call = native.bind(batch, arrays, outputs.arrays);
    } catch (error) {
      throw fromNative(error);
    }
    return () => {
      try {
        call();
      } catch (error) {
        throw fromNative(error);
      }
    };
  }

  /** What was chosen for each operation at a batch size (default: the first of batchSizes, else 1), and why. */
  explain(batch: number = this.#batch): Explanation[] {
    if (this.#shapes !== null) return this.#shapes.last().explain(batch);
    const native = this.#alive();
    if (!Number.isInteger(batch) || batch < 1) {
      throw invalid('INVALID_ARGUMENT', 'batch', 'a whole number of 1 or more', batch);
    }
    try {
      return native.explain(batch).map(({ reason, measuredNs, values, ...info }) => ({
        ...info,
        sparsity: info.rows * info.cols === 0 ? 0 : 1 - info.nnz / (info.rows * info.cols),
        measuredNs: measuredNs === 0 ? null : measuredNs,
        values: values === '' ? null : values,
        why: reason,
        batch,
      }));
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * Nanoseconds of each operation in one call, in the order of explain(batch) for the batch of the inputs. `repeats`
   * (default 1): each operation runs so many times in a row and the mean is told, for networks of a few microseconds,
   * which a single look at the clock would distort. Throws as runSync, and INVALID_ARGUMENT.
   */
  profile(inputs: Inputs, repeats = 1): Float64Array {
    const native = this.#alive();
    if (!Number.isInteger(repeats) || repeats < 1 || repeats > 1_000_000) {
      throw invalid('INVALID_ARGUMENT', 'repeats', 'a whole number from 1 to 1000000', repeats);
    }
    const { batch, arrays } = gatherInputs(this.#in, inputs);
    if (batch === 0) throw invalid('INVALID_INPUT', 'inputs', 'one sample or more', batch);
    try {
      return native.profile(batch, arrays, repeats);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** Bytes of packed weights and buffers that the engine holds for this model. */
  memory(): number {
    return this.#shapes?.memory() ?? this.#alive().memory();
  }

  /** Waits for calls in flight and frees the model; every later call throws DISPOSED. Safe to call twice. */
  dispose(): void {
    this.#shapes?.dispose();
    this.#native?.dispose();
    this.#native = null;
  }

  #alive(): NativeModel {
    if (this.#native === null)
      throw new EspalierError('DISPOSED', 'the model is disposed', { parameter: 'model' });
    return this.#native;
  }

  #answer(arrays: Float32Array[], batch: number, shaped: boolean): Answer {
    const one = (port: PortInfo, data: Float32Array): Float32Array | TensorOutput =>
      shaped ? { data, shape: [batch, ...(port.shape.slice(1) as number[])] } : data;
    if (arrays.length === 1) return one(this.#out[0] as PortInfo, arrays[0] as Float32Array);
    // fromEntries defines own properties, so that an output may be named "__proto__".
    return Object.fromEntries(
      this.#out.map((port, index) => [port.name, one(port, arrays[index] as Float32Array)]),
    ) as Answer;
  }
}

// `using model = await loadModel(...)`, where the running Node knows the symbol.
const disposeSymbol = (Symbol as { dispose?: symbol }).dispose;
if (disposeSymbol !== undefined) {
  Object.defineProperty(Model.prototype, disposeSymbol, {
    value(this: Model) {
      this.dispose();
    },
    writable: true,
    configurable: true,
  });
}

/** In a loop without a call where all is well: it runs before every answer of a few microseconds. */
function checkRunOptions(options: RunOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid('INVALID_ARGUMENT', 'options', 'an object', options);
  }
  for (const key in options) if (key !== 'outputs') requireKeys('options', options, ['outputs']);
}

/** Bound inputs must be the caller's own memory: a converted copy would never change again. */
function requireOwn(ports: readonly PortInfo[], arrays: readonly Float32Array[], given: unknown): void {
  const own = new Set<unknown>();
  const collect = (value: unknown, depth: number): void => {
    if (types.isFloat32Array(value)) own.add(value);
    else if (depth > 0 && typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
      for (const inner of Object.values(value)) if (typeof inner === 'object') collect(inner, depth - 1);
    }
  };
  collect(given, 2);
  const at = arrays.findIndex((array) => !own.has(array));
  if (at >= 0) {
    const { name } = ports[at] as PortInfo;
    throw new EspalierError(
      'INVALID_INPUT',
      `${name}: expected a Float32Array, to be read at each call, received numbers of another type`,
      { parameter: name, expected: 'a Float32Array' },
    );
  }
}
