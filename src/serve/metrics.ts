/** Prometheus metrics. Labels are names of models that exist, never what a client made up. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BatchObserver } from './batcher.js';
import type { Repository } from './repository.js';

export type Protocol = 'http' | 'grpc';

const SECONDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export class ServerMetrics {
  readonly registry = new Registry();
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
    this.#requests.inc({ model, version, protocol, code });
    this.#requestSeconds.observe({ model, version, protocol }, milliseconds / 1000);
  }

  refused(protocol: Protocol, code: number | string): void {
    this.#refused.inc({ protocol, code });
  }

  loaded(model: string, result: 'ok' | 'failed'): void {
    this.#loads.inc({ model, result });
  }

  batches(model: string, version: string): BatchObserver {
    const labels = { model, version };
    return {
      batch: (rows, _size, milliseconds) => {
        this.#batchRows.observe(labels, rows);
        this.#computeSeconds.observe(labels, milliseconds / 1000);
      },
      queued: (milliseconds) => this.#queueSeconds.observe(labels, milliseconds / 1000),
    };
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram<T extends string>(name: string, help: string, labelNames: T[], buckets: number[]): Histogram<T> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] });
  }
}
