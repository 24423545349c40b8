/**
 * Prometheus metrics. Labels are names of models that exist, never what a client made up. What a request adds is noted
 * and given to prom-client many at a time, or when metrics are asked for: its sorting by labels and buckets would be a
 * good part of what one small request costs.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BatchObserver } from './batcher.js';
import type { Repository } from './repository.js';

export type Protocol = 'http' | 'grpc';

const SECONDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** So many notes are kept of one histogram and its labels. */
const NOTES = 256;
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

interface Answers {
  count: number;
  readonly seconds: (milliseconds: number) => void;
}

export class ServerMetrics {
  readonly registry = new Registry();
  /** What gives the notes of a metric to it, by its name. */
  readonly #flushes = new Map<string, (() => void)[]>();
  /** By model and version: one that is loaded again goes on with the same. */
  readonly #observers = new Map<string, BatchObserver>();
  /** By model, version, protocol and code. */
  readonly #answers = new Map<string, Answers>();
  readonly #requests = this.#counter('espalier_requests_total', 'Requests for inference that were answered', [
    'model',
    'version',
    'protocol',
    'code',
  ]);
  readonly #refused = this.#counter(
    'espalier_refused_total',
    'Requests refused before a model was looked at',
    ['protocol', 'code'],
  );
  readonly #loads = this.#counter('espalier_model_loads_total', 'Versions of models that were loaded', [
    'model',
    'result',
  ]);
  readonly #requestSeconds = this.#histogram(
    'espalier_request_seconds',
    'From the whole request to its answer',
    ['model', 'version', 'protocol'],
    SECONDS,
  );
  readonly #queueSeconds = this.#histogram(
    'espalier_queue_seconds',
    'From the queue to the engine',
    ['model', 'version'],
    SECONDS,
  );
  readonly #computeSeconds = this.#histogram(
    'espalier_compute_seconds',
    'One run of a batch in the engine',
    ['model', 'version'],
    SECONDS,
  );
  readonly #batchRows = this.#histogram(
    'espalier_batch_rows',
    'Rows that ran together',
    ['model', 'version'],
    ROWS,
  );

  /** `inFlight` tells the requests between arrival and answer. */
  constructor(inFlight: () => number) {
    new Gauge({
      name: 'espalier_in_flight',
      help: 'Requests for inference under way',
      registers: [this.registry],
      collect() {
        this.set(inFlight());
      },
    });
    // Event-loop delay, memory, CPU and garbage collection of this process.
    collectDefaultMetrics({ register: this.registry });
  }

  /** Queue lengths and states are read when metrics are asked for. */
  watch(repository: Repository): void {
    const registers = [this.registry];
    const labelNames = ['model', 'version'] as const;
    new Gauge({
      name: 'espalier_queue_length',
      help: 'Requests that wait for the engine',
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { name, version, batcher } of repository.served()) {
          this.set({ model: name, version }, batcher.waiting);
        }
      },
    });
    new Gauge({
      name: 'espalier_model_ready',
      help: '1 where the version is loaded and warmed',
      labelNames,
      registers,
      // Over several workers: ready where all are.
      aggregator: 'min',
      collect() {
        this.reset();
        for (const { name, version, state } of repository.index()) {
          this.set({ model: name, version }, state === 'READY' ? 1 : 0);
        }
      },
    });
  }

  answered(
    model: string,
    version: string,
    protocol: Protocol,
    code: number | string,
    milliseconds: number,
  ): void {
    const key = `${model}/${version}/${protocol}/${code}`;
    let answers = this.#answers.get(key);
    if (answers === undefined) {
      const labels = { model, version, protocol };
      const made = (answers = {
        count: 0,
        seconds: this.#noting('espalier_request_seconds', this.#requestSeconds.labels(labels), 1e-3),
      });
      this.#answers.set(key, made);
      this.#flushWith('espalier_requests_total', () => {
        if (made.count > 0) this.#requests.inc({ ...labels, code }, made.count);
        made.count = 0;
      });
    }
    answers.count += 1;
    answers.seconds(milliseconds);
  }

  refused(protocol: Protocol, code: number | string): void {
    this.#refused.inc({ protocol, code });
  }

  loaded(model: string, result: 'ok' | 'failed'): void {
    this.#loads.inc({ model, result });
  }

  batches(model: string, version: string): BatchObserver {
    const key = `${model}/${version}`;
    const known = this.#observers.get(key);
    if (known !== undefined) return known;
    const labels = { model, version };
    const rowsRun = this.#noting('espalier_batch_rows', this.#batchRows.labels(labels), 1);
    const computed = this.#noting('espalier_compute_seconds', this.#computeSeconds.labels(labels), 1e-3);
    const observer: BatchObserver = {
      batch: (rows, _size, milliseconds) => {
        rowsRun(rows);
        computed(milliseconds);
      },
      queued: this.#noting('espalier_queue_seconds', this.#queueSeconds.labels(labels), 1e-3),
    };
    this.#observers.set(key, observer);
    return observer;
  }

  /** Notes values, which are `scale` of the histogram's, for later. */
  #noting(name: string, histogram: { observe(value: number): void }, scale: number): (value: number) => void {
    const notes = new Float64Array(NOTES);
    let count = 0;
    const flush = (): void => {
      for (let i = 0; i < count; i++) histogram.observe(notes[i]! * scale);
      count = 0;
    };
    this.#flushWith(name, flush);
    return (value) => {
      notes[count++] = value;
      if (count === NOTES) flush();
    };
  }

  #flushWith(name: string, flush: () => void): void {
    const flushes = this.#flushes.get(name);
    if (flushes === undefined) this.#flushes.set(name, [flush]);
    else flushes.push(flush);
  }

  #flush(name: string): void {
    for (const flush of this.#flushes.get(name) ?? []) flush();
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    const collect = (): void => this.#flush(name);
    return new Counter({ name, help, labelNames, registers: [this.registry], collect });
  }

  #histogram<T extends string>(name: string, help: string, labelNames: T[], buckets: number[]): Histogram<T> {
    const collect = (): void => this.#flush(name);
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry], collect });
  }
}
