/** The server without a protocol: admission, models, one inference, readiness and the end. REST and gRPC share it. */
import { types } from 'node:util';
import { EspalierError, invalid } from '../errors.js';
import type { Done } from './batcher.js';
import { ServerMetrics, type Protocol } from './metrics.js';
import { Repository, type ModelSettings, type RepositoryLog } from './repository.js';
import type { RestLimits } from './rest-codec.js';
import { Statistics } from './statistics.js';
import type { InferRequest, ModelLoader } from './types.js';
import { metadataOf, PLATFORM, type ModelMetadata, type ServedVersion } from './version.js';

export interface CoreLimits extends RestLimits {
  /** Bytes of one request, after decompression too. */
  readonly maxBodyBytes: number;
  /** Requests for inference under way in this process; more get 429. */
  readonly maxConcurrency: number;
  /** Milliseconds from arrival to the engine at most; more get 503. */
  readonly requestTimeoutMs: number;
}

export interface CoreOptions {
  /** Folders and files as `espalier serve` takes them. */
  readonly models: readonly string[];
  /** The name of a single model. */
  readonly modelName: string | undefined;
  readonly loader: ModelLoader;
  readonly settings: (name: string) => ModelSettings;
  readonly limits: CoreLimits;
  /** Whether clients may load and unload. */
  readonly repositoryControl: boolean;
  readonly version: string;
  readonly log: RepositoryLog;
}

export class InferenceCore {
  readonly limits: CoreLimits;
  readonly metrics: ServerMetrics;
  readonly repository: Repository;
  readonly repositoryControl: boolean;
  /** Loads and unloads go through here: in a cluster they reach every worker. */
  control: { load(name: string): Promise<void>; unload(name: string): Promise<void> };
  readonly #version: string;
  readonly #statistics: Map<string, Statistics>;
  #inFlight = 0;
  #draining = false;
  #loaded = false;
  #quiet: (() => void)[] = [];

  private constructor(
    options: CoreOptions,
    repository: Repository,
    metrics: ServerMetrics,
    statistics: Map<string, Statistics>,
  ) {
    this.limits = options.limits;
    this.repository = repository;
    this.repositoryControl = options.repositoryControl;
    this.metrics = metrics;
    this.#version = options.version;
    this.#statistics = statistics;
    this.control = repository;
  }

  /** Finds the models; nothing is loaded before `load`. */
  static async create(options: CoreOptions): Promise<InferenceCore> {
    let core: InferenceCore | undefined = undefined as InferenceCore | undefined;
    const metrics = new ServerMetrics(() => core?.inFlight ?? 0);
    const statistics = new Map<string, Statistics>();
    const repository = await Repository.open(
      options.models,
      {
        loader: options.loader,
        settings: options.settings,
        log: options.log,
        loaded: (name, ok) => metrics.loaded(name, ok ? 'ok' : 'failed'),
        observer: (name, version) => {
          const own = new Statistics();
          statistics.set(`${name}/${version}`, own);
          const watched = metrics.batches(name, version);
          return {
            batch(rows, size, milliseconds) {
              own.batch(rows, size, milliseconds);
              watched.batch(rows, size, milliseconds);
            },
            queued(milliseconds) {
              own.queued(milliseconds);
              watched.queued(milliseconds);
            },
          };
        },
      },
      options.modelName,
    );
    metrics.watch(repository);
    core = new InferenceCore(options, repository, metrics, statistics);
    return core;
  }

  /** Loads and warms all models. A model that fails is logged and told by the index; the server is then not ready. */
  async load(): Promise<void> {
    await this.repository.refresh();
    this.#loaded = true;
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get ready(): boolean {
    return this.#loaded && !this.#draining && this.repository.ready;
  }

  /** Lets a request in, or throws OVERLOADED or UNAVAILABLE. Answers what must be called, once, when it is over. */
  enter(): () => void {
    const { maxConcurrency } = this.limits;
    if (this.#inFlight >= maxConcurrency) {
      throw new EspalierError('OVERLOADED', `${maxConcurrency} requests are under way already`, {
        expected: maxConcurrency,
      });
    }
    this.#inFlight += 1;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#inFlight -= 1;
      if (this.#inFlight === 0) for (const resolve of this.#quiet.splice(0)) resolve();
    };
  }

  /** The version for a request; UNAVAILABLE while the first load is under way. */
  find(name: string, version: string | undefined): ServedVersion {
    if (!this.#loaded) throw new EspalierError('UNAVAILABLE', 'models are being loaded');
    return this.repository.get(name, version);
  }

  /**
   * Begins a request: `done` gets the tensors of all outputs, by port, or what went wrong. `timeoutMs` is what is left
   * for it. Answers what gives it up. Throws OVERLOADED.
   */
  start(served: ServedVersion, request: InferRequest, done: Done, timeoutMs = Infinity): () => void {
    const own = request.timeoutMicros === undefined ? Infinity : request.timeoutMicros / 1000;
    const timeout = Math.min(own, timeoutMs, this.limits.requestTimeoutMs);
    return served.batcher.enqueue(request.inputs, request.rows, performance.now() + timeout, done);
  }

  /** The same with a promise; `onCancel` gets the function that gives it up. */
  infer(
    served: ServedVersion,
    request: InferRequest,
    options: { timeoutMs?: number; onCancel?: (cancel: () => void) => void } = {},
  ): Promise<Float32Array[]> {
    return new Promise((resolve, reject) => {
      const done: Done = (error, tensors) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as the model rejected
        if (tensors === undefined) reject(error);
        else resolve(tensors);
      };
      options.onCancel?.(this.start(served, request, done, options.timeoutMs));
    });
  }

  /** Rows from within the process, through the same queue. */
  async inferRows(name: string, inputs: readonly Float32Array[], rows: number): Promise<Float32Array[]> {
    const served = this.find(name, undefined);
    const fits = inputs.length === served.inputs.length && Number.isSafeInteger(rows) && rows >= 1;
    if (!fits) {
      throw invalid('INVALID_INPUT', 'inputs', `${served.inputs.length} and at least 1 row`, inputs.length);
    }
    served.inputs.forEach(({ name: port, features }, i) => {
      const input: unknown = inputs[i];
      if (!types.isFloat32Array(input) || input.length !== rows * features) {
        throw invalid('INVALID_INPUT', `input ${port}`, `a Float32Array of length ${rows * features}`, input);
      }
    });
    const leave = this.enter();
    const release = served.hold();
    try {
      const deadline = performance.now() + this.limits.requestTimeoutMs;
      return await served.batcher.submit(inputs, rows, deadline).outputs;
    } finally {
      release();
      leave();
    }
  }

  /** Counts an answer, in metrics and statistics. */
  answered(
    served: ServedVersion,
    protocol: Protocol,
    code: number | string,
    ok: boolean,
    milliseconds: number,
  ): void {
    this.metrics.answered(served.name, served.version, protocol, code, milliseconds);
    this.#statistics.get(`${served.name}/${served.version}`)?.answered(ok, milliseconds);
  }

  serverMetadata(): { name: string; version: string; extensions: string[] } {
    const control = this.repositoryControl ? ['model_repository'] : [];
    return {
      name: PLATFORM,
      version: this.#version,
      extensions: [
        'classification',
        'model_configuration',
        ...control,
        'statistics',
        'binary_tensor_data',
        'parameters',
      ],
    };
  }

  modelMetadata(name: string, version?: string): ModelMetadata {
    const served = this.find(name, version);
    return metadataOf(served, this.repository.versionsOf(name));
  }

  statisticsOf(name?: string, version?: string) {
    const all = this.repository.served().filter((served) => name === undefined || served.name === name);
    if (name !== undefined) this.find(name, version);
    return all
      .filter((served) => version === undefined || version === '' || served.version === version)
      .map((served) =>
        (this.#statistics.get(`${served.name}/${served.version}`) ?? new Statistics()).tell(
          served.name,
          served.version,
        ),
      );
  }

  /** From now on the server is live but not ready, and answers close their connections. */
  stopBeingReady(): void {
    this.#draining = true;
  }

  /** Resolves when no request is under way, or after the milliseconds. */
  async quiet(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#quiet.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    this.#draining = true;
    await this.repository.close();
  }
}
