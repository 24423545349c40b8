/**
 * Dynamic batching for one version of a model: requests that wait together run together. One lone request runs at
 * once and at its own size, so that it gets the very numbers of `runSync`. Requests larger than a batch run in slices,
 * in turn with the others.
 */
import { types } from 'node:util';
import { EspalierError } from '../errors.js';
import type { ServedPort, RowData, ServableModel } from './types.js';

export interface BatchOptions {
  /** Rows that run together at most. */
  readonly maxBatch: number;
  /** Microseconds that a request may wait for others, and only while requests do come together. */
  readonly maxDelayMicros: number;
  /** Requests that may wait; more are refused. */
  readonly maxQueue: number;
  /** Calls of the model that may be under way together. */
  readonly concurrency: number;
  /** Sizes that joined requests are padded to, ascending: those that the engine has packed for and is fast at. */
  readonly batchSizes: readonly number[];
}

export interface BatchObserver {
  /** A batch has run: its rows, its padded size, milliseconds. */
  batch(rows: number, size: number, milliseconds: number): void;
  /** A request waited so long, in milliseconds, before it began to run. */
  queued(milliseconds: number): void;
}

/** Called once: with the outputs, or with what went wrong. */
export type Done = (error: unknown, outputs: Float32Array[] | undefined) => void;

interface Job {
  readonly rows: number;
  readonly inputs: readonly RowData[];
  readonly deadline: number;
  readonly arrived: number;
  readonly done: Done;
  /** Rows given to the engine so far, and rows that came back. */
  started: number;
  finished: number;
  outputs: Float32Array[] | undefined;
  settled: boolean;
}

interface Slice {
  readonly job: Job;
  readonly start: number;
  readonly rows: number;
}

export interface Ticket {
  readonly outputs: Promise<Float32Array[]>;
  /** The client is gone: what has not begun does not run. */
  cancel(): void;
}

export class Batcher {
  readonly #model: ServableModel;
  readonly #inputs: readonly ServedPort[];
  readonly #outputs: readonly ServedPort[];
  readonly #options: BatchOptions;
  readonly #observer: BatchObserver | undefined;
  #queue: Job[] = [];
  /** Jobs in the queue that still want to run. */
  #waiting = 0;
  #running = 0;
  #scheduled = false;
  /** Requests that ran in the last batch: as many are expected again. */
  #expected = 1;
  #lastBatch = 0;
  #sweep: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];
  /** Memory that batches were gathered in, for the next ones: as many as run together. */
  readonly #scratch: Float32Array[][] = [];

  constructor(
    model: ServableModel,
    ports: { inputs: readonly ServedPort[]; outputs: readonly ServedPort[] },
    options: BatchOptions,
    observer?: BatchObserver,
  ) {
    this.#model = model;
    this.#inputs = ports.inputs;
    this.#outputs = ports.outputs;
    this.#options = options;
    this.#observer = observer;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  /** Throws OVERLOADED where the next request would not find a place in the queue. */
  refuseIfFull(): void {
    const { maxQueue } = this.#options;
    if (this.#waiting < maxQueue) return;
    throw new EspalierError('OVERLOADED', `the queue is full: ${maxQueue} requests are waiting`, {
      expected: maxQueue,
    });
  }

  /**
   * Queues rows, which must stay what they are until `done`. `deadline` is on the clock of performance.now(). Throws
   * OVERLOADED at once where the queue is full; `done` gets DEADLINE_EXCEEDED, CANCELLED or what the model's run rejects
   * with. Answers what gives the request up: what has not begun then does not run.
   */
  enqueue(inputs: readonly RowData[], rows: number, deadline: number, done: Done): () => void {
    this.refuseIfFull();
    const job: Job = {
      rows,
      inputs,
      deadline,
      arrived: performance.now(),
      done,
      started: 0,
      finished: 0,
      outputs: undefined,
      settled: false,
    };
    this.#queue.push(job);
    this.#waiting += 1;
    this.#schedule();
    return () => this.#fail(job, new EspalierError('CANCELLED', 'the client went away'));
  }

  /** The same with a promise of the outputs. */
  submit(inputs: readonly RowData[], rows: number, deadline: number): Ticket {
    this.refuseIfFull();
    let cancel!: () => void;
    const outputs = new Promise<Float32Array[]>((resolve, reject) => {
      cancel = this.enqueue(inputs, rows, deadline, (error, found) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as the model rejected
        if (found === undefined) reject(error);
        else resolve(found);
      });
    });
    return { outputs, cancel };
  }

  /** Resolves when nothing waits or runs. */
  idle(): Promise<void> {
    if (this.#waiting === 0 && this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #fail(job: Job, error: EspalierError): void {
    if (job.settled) return;
    job.settled = true;
    if (job.started < job.rows) this.#waiting -= 1;
    job.done(error, undefined);
    this.#announceIdle();
  }

  #announceIdle(): void {
    if (this.#waiting > 0 || this.#running > 0) return;
    if (this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /**
   * After this turn of the event loop, so that all that arrived in it is seen together; at once, where requests come one
   * by one.
   */
  #schedule(): void {
    if (this.#running >= this.#options.concurrency) {
      // Only what waits for a run can wait too long.
      this.#sweep ??= setInterval(() => this.#expire(), 10).unref();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#expected <= 1 && this.#running === 0) queueMicrotask(() => this.#dispatch());
    else setImmediate(() => this.#dispatch());
  }

  #expire(): void {
    const now = performance.now();
    for (const job of this.#queue) if (job.deadline < now) this.#fail(job, expired(now - job.arrived));
    if (this.#waiting > 0) return;
    this.#queue = [];
    // Not as soon as nothing waits: under load that is all the time.
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #dispatch(): void {
    this.#scheduled = false;
    while (this.#running < this.#options.concurrency && this.#waiting > 0) {
      if (this.#worthWaiting()) {
        this.#scheduled = true;
        setImmediate(() => this.#dispatch());
        return;
      }
      const slices = this.#take();
      if (slices.length > 0) this.#run(slices);
    }
  }

  /** While requests come together, the rest of them are worth a short wait; a lone one is not kept. */
  #worthWaiting(): boolean {
    const { maxDelayMicros, maxBatch } = this.#options;
    if (maxDelayMicros === 0 || this.#expected <= 1 || this.#waiting >= this.#expected) return false;
    const now = performance.now();
    const delay = maxDelayMicros / 1000;
    // Long after the last batch, its size says nothing any more.
    if (now - this.#lastBatch > 10 + 4 * delay) {
      this.#expected = 1;
      return false;
    }
    const oldest = this.#queue.find((job) => !job.settled);
    return oldest !== undefined && oldest.rows < maxBatch && now - oldest.arrived < delay;
  }

  #take(): Slice[] {
    const { maxBatch } = this.#options;
    const now = performance.now();
    const slices: Slice[] = [];
    const unfinished: Job[] = [];
    let rows = 0;
    let taken = 0;
    for (; taken < this.#queue.length && rows < maxBatch; taken++) {
      const job = this.#queue[taken]!;
      if (job.settled) continue;
      if (job.deadline < now) {
        this.#fail(job, expired(now - job.arrived));
        continue;
      }
      const part = Math.min(job.rows - job.started, maxBatch - rows);
      // A request that fits in a batch is not cut: it waits for the next one.
      if (part < job.rows - job.started && job.rows <= maxBatch) break;
      if (job.started === 0) this.#observer?.queued(now - job.arrived);
      slices.push({ job, start: job.started, rows: part });
      job.started += part;
      rows += part;
      if (job.started < job.rows) unfinished.push(job);
      else this.#waiting -= 1;
    }
    this.#queue.splice(0, taken);
    // What is larger than a batch goes on after those that wait now.
    this.#queue.push(...unfinished);
    return slices;
  }

  #run(slices: Slice[]): void {
    this.#running += 1;
    this.#expected = slices.length;
    let rows = 0;
    for (const slice of slices) rows += slice.rows;
    const size = slices.length === 1 ? rows : this.#paddedSize(rows);
    const began = performance.now();
    const scratch = this.#scratch.pop() ?? [];
    const failed = (error: unknown): void => {
      for (const { job } of slices) {
        if (job.settled) continue;
        if (job.started < job.rows) this.#waiting -= 1;
        job.settled = true;
        job.done(error, undefined);
      }
      this.#ran(scratch);
    };
    let answer: Promise<unknown>;
    try {
      answer = this.#model.run(
        this.#inputs.map((port, i) => ({
          data: gather(slices, i, port.features, size, scratch),
          shape: [size, ...port.shape.slice(1)],
        })),
      );
    } catch (error) {
      failed(error);
      return;
    }
    answer.then((value) => {
      const milliseconds = performance.now() - began;
      let outputs: Float32Array[];
      try {
        outputs = this.#outputs.map((port, i) => outputOf(value, this.#outputs, i, size * port.features));
      } catch (error) {
        failed(error);
        return;
      }
      this.#scatter(slices, outputs);
      this.#observer?.batch(rows, size, milliseconds);
      this.#ran(scratch);
    }, failed);
  }

  /** A run is over: the next may begin. */
  #ran(scratch: Float32Array[]): void {
    if (this.#scratch.length < this.#options.concurrency) this.#scratch.push(scratch);
    this.#running -= 1;
    this.#lastBatch = performance.now();
    if (this.#waiting > 0) this.#schedule();
    this.#announceIdle();
  }

  #paddedSize(rows: number): number {
    return this.#options.batchSizes.find((size) => size >= rows && size <= rows * 2) ?? rows;
  }

  #scatter(slices: readonly Slice[], outputs: readonly Float32Array[]): void {
    let row = 0;
    for (const { job, start, rows } of slices) {
      const parts = outputs.map((data, i) => {
        const { features } = this.#outputs[i]!;
        return data.subarray(row * features, (row + rows) * features);
      });
      row += rows;
      if (job.settled) continue;
      if (rows === job.rows) job.outputs = parts;
      else {
        job.outputs ??= this.#outputs.map(({ features }) => new Float32Array(job.rows * features));
        parts.forEach((part, i) => job.outputs![i]!.set(part, start * this.#outputs[i]!.features));
      }
      job.finished += rows;
      if (job.finished < job.rows) continue;
      job.settled = true;
      job.done(undefined, job.outputs);
    }
  }
}

function expired(waited: number): EspalierError {
  return new EspalierError(
    'DEADLINE_EXCEEDED',
    `the request waited ${Math.round(waited)} ms and its time is up`,
  );
}

/**
 * The rows of the slices one after the other; rows of padding are 0. Float32Arrays of a single request are not copied,
 * bytes in a request are, as they may begin anywhere. `scratch` has an array for each input that served for this before.
 */
function gather(
  slices: readonly Slice[],
  input: number,
  features: number,
  size: number,
  scratch: Float32Array[],
): Float32Array {
  const first = slices[0]!;
  const whole = first.job.inputs[input]!;
  if (slices.length === 1 && types.isFloat32Array(whole)) {
    return whole.subarray(first.start * features, (first.start + first.rows) * features);
  }
  const length = size * features;
  let memory = scratch[input];
  if (memory === undefined || memory.length < length) scratch[input] = memory = new Float32Array(length);
  let row = 0;
  for (const { job, start, rows } of slices) {
    const data = job.inputs[input]!;
    if (types.isFloat32Array(data)) {
      memory.set(data.subarray(start * features, (start + rows) * features), row * features);
    } else {
      new Uint8Array(memory.buffer, 4 * row * features, 4 * rows * features).set(
        data.subarray(4 * start * features, 4 * (start + rows) * features),
      );
    }
    row += rows;
  }
  const data = memory.length === length ? memory : memory.subarray(0, length);
  data.fill(0, row * features);
  return data;
}

/** One output of what a model answered, in any of the forms of the contract. */
function outputOf(
  answer: unknown,
  ports: readonly ServedPort[],
  index: number,
  length: number,
): Float32Array {
  const named =
    ports.length === 1 && (ArrayBuffer.isView(answer) || isTensor(answer))
      ? answer
      : (answer as Record<string, unknown> | null)?.[ports[index]!.name];
  const data = isTensor(named) ? named.data : named;
  if (!types.isFloat32Array(data) || data.length !== length) {
    throw new EspalierError('INTERNAL', `output ${ports[index]!.name}: the model answered another shape`);
  }
  return data;
}

function isTensor(value: unknown): value is { data: unknown } {
  return typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data);
}
