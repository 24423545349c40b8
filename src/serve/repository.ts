/**
 * The models that are served: which versions are loaded, which is the newest, and how one takes the place of another
 * without a failed request: the new one is loaded and warmed first, then the old one answers what it has and ends.
 */
import { EspalierError, describe } from '../errors.js';
import type { BatchObserver, BatchOptions } from './batcher.js';
import {
  byVersion,
  MODEL_NAME,
  readOrigin,
  scanRepository,
  type ModelOrigin,
  type VersionSource,
} from './scan.js';
import type { ModelLoader } from './types.js';
import { publicReason, ServedVersion } from './version.js';

export type ModelState = 'READY' | 'LOADING' | 'UNAVAILABLE';

export interface IndexEntry {
  name: string;
  version: string;
  state: ModelState;
  reason: string;
}

export interface ModelSettings extends BatchOptions {
  readonly threads: number | undefined;
  readonly reproducible: boolean;
  /** How many of the newest versions to serve; undefined: all. */
  readonly versions: number | undefined;
}

export interface RepositoryOptions {
  readonly loader: ModelLoader;
  /** Settings of a model by its name. */
  readonly settings: (name: string) => ModelSettings;
  readonly observer: (name: string, version: string) => BatchObserver;
  readonly log: RepositoryLog;
  /** Counts loads. */
  readonly loaded?: (name: string, ok: boolean) => void;
}

export interface RepositoryLog {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

interface Entry {
  source: VersionSource;
  state: ModelState;
  reason: string;
  served: ServedVersion | undefined;
}

export class Repository {
  readonly #options: RepositoryOptions;
  readonly #origins: ModelOrigin[];
  readonly #models = new Map<string, Map<string, Entry>>();
  /** Models that a client unloaded: polling leaves them so. */
  readonly #unloaded = new Set<string>();
  /** Models that have served since the repository was first ready; undefined before. */
  #required: Set<string> | undefined;
  /** The last failure of each model in full: for the operator, never for a client. */
  readonly failures = new Map<string, string>();
  /** Loads and unloads, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #retiring = new Set<Promise<void>>();
  #poll: NodeJS.Timeout | undefined;

  private constructor(origins: ModelOrigin[], options: RepositoryOptions) {
    this.#origins = origins;
    this.#options = options;
  }

  /** Arguments as `readOrigin` takes them. Nothing is loaded yet. */
  static async open(
    arguments_: readonly string[],
    options: RepositoryOptions,
    modelName?: string,
  ): Promise<Repository> {
    const origins: ModelOrigin[] = [];
    for (const argument of arguments_) origins.push(await readOrigin(argument, modelName));
    const names = origins.flatMap((origin) => (origin.kind === 'model' ? [origin.source.name] : []));
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new EspalierError(
        'INVALID_ARGUMENT',
        `MODEL: two models are named ${describe(twice)} (give NAME=PATH)`,
        {
          parameter: 'MODEL',
          received: twice,
        },
      );
    }
    return new Repository(origins, options);
  }

  /** Loads what is on disk and not loaded, replaces what changed, retires what is gone. */
  async refresh(): Promise<void> {
    await this.#inTurn(async () => {
      const sources = await this.#scan();
      const names = new Set([...sources.map((source) => source.name), ...this.#models.keys()]);
      for (const name of names) {
        if (this.#unloaded.has(name)) continue;
        await this.#bring(
          name,
          sources.filter((source) => source.name === name),
          false,
        );
      }
      this.#noteServed();
    });
  }

  /** Loads a model anew, all its versions. Throws NOT_FOUND, or INVALID_MODEL where a version could not be loaded. */
  async load(name: string): Promise<void> {
    await this.#inTurn(async () => {
      const sources = await this.#scan(name);
      if (sources.length === 0) throw unknownModel(name);
      this.#unloaded.delete(name);
      await this.#bring(name, sources, true);
      this.#noteServed();
      const failed = [...(this.#models.get(name)?.values() ?? [])].filter((entry) => entry.reason !== '');
      if (failed.length === 0) return;
      const { source, reason } = failed[0]!;
      throw new EspalierError(
        'INVALID_MODEL',
        `model ${describe(name)} version ${source.version} could not be loaded: ${reason}`,
      );
    });
  }

  /** Takes a model out; its requests under way are answered. Throws NOT_FOUND. */
  async unload(name: string): Promise<void> {
    await this.#inTurn(async () => {
      const versions = this.#models.get(name);
      if (versions === undefined) throw unknownModel(name);
      this.#unloaded.add(name);
      for (const entry of versions.values()) this.#drop(entry, 'unloaded');
    });
  }

  /** As get, but undefined where there is none. */
  peek(name: string, version?: string): ServedVersion | undefined {
    const versions = this.#models.get(name);
    if (versions === undefined) return undefined;
    if (version !== undefined && version !== '') return versions.get(version)?.served;
    let newest: ServedVersion | undefined;
    for (const { served } of versions.values()) {
      if (served !== undefined && (newest === undefined || byVersion(served.version, newest.version) > 0))
        newest = served;
    }
    return newest;
  }

  /** The version to serve a request: the newest that is ready where none is named. Throws NOT_FOUND. */
  get(name: string, version?: string): ServedVersion {
    const found = this.peek(name, version);
    if (found !== undefined) return found;
    if (!this.#models.has(name)) throw unknownModel(name);
    if (version !== undefined && version !== '') {
      throw new EspalierError(
        'NOT_FOUND',
        `model ${describe(name)} has no version ${describe(version)} ready`,
        {
          parameter: 'version',
          received: version,
        },
      );
    }
    throw new EspalierError('NOT_FOUND', `model ${describe(name)} has no version ready`, {
      received: name,
    });
  }

  /** Versions that answer, oldest first. */
  versionsOf(name: string): string[] {
    const versions = [...(this.#models.get(name)?.values() ?? [])];
    return versions
      .filter((entry) => entry.served !== undefined)
      .map((entry) => entry.source.version)
      .sort(byVersion);
  }

  index(): IndexEntry[] {
    return [...this.#models.entries()]
      .flatMap(([name, versions]) =>
        [...versions.values()].map(({ source, state, reason }) => ({
          name,
          version: source.version,
          state,
          reason,
        })),
      )
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : byVersion(a.version, b.version)));
  }

  served(): ServedVersion[] {
    return [...this.#models.values()].flatMap((versions) =>
      [...versions.values()].flatMap(({ served }) => (served === undefined ? [] : [served])),
    );
  }

  /**
   * Until it is first so: every version on disk (but those unloaded by a client) is loaded and warmed. From then on:
   * each model that served has a version that serves. A broken version, or a broken other model, takes no replica out.
   */
  get ready(): boolean {
    if (this.#required === undefined) return this.#allServe();
    return [...this.#required].every(
      (name) => this.#unloaded.has(name) || !this.#models.has(name) || this.peek(name) !== undefined,
    );
  }

  #allServe(): boolean {
    const entries = [...this.#models.entries()].filter(([name]) => !this.#unloaded.has(name));
    return entries.every(([, versions]) =>
      [...versions.values()].every(({ served }) => served !== undefined),
    );
  }

  /** After each load: whether all serve for the first time, and which models must go on serving. */
  #noteServed(): void {
    if (this.#required === undefined && !this.#allServe()) return;
    this.#required ??= new Set();
    for (const name of this.#models.keys()) if (this.peek(name) !== undefined) this.#required.add(name);
  }

  poll(seconds: number): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
    if (seconds <= 0) return;
    this.#poll = setInterval(() => {
      this.refresh().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the repository could not be read');
      });
    }, seconds * 1000);
    this.#poll.unref();
  }

  /** Ends all models, each after its last request. */
  async close(): Promise<void> {
    this.poll(0);
    await this.#inTurn(async () => {
      for (const versions of this.#models.values())
        for (const entry of versions.values()) this.#drop(entry, 'closed');
      this.#models.clear();
    });
    await Promise.all(this.#retiring);
  }

  async #scan(only?: string): Promise<VersionSource[]> {
    const sources: VersionSource[] = [];
    for (const origin of this.#origins) {
      if (origin.kind === 'repository') {
        if (only === undefined || MODEL_NAME.test(only))
          sources.push(...(await scanRepository(origin.root, only)));
      } else if (only === undefined || only === origin.source.name) {
        const again = await readOrigin(`${origin.source.name}=${origin.source.path}`).catch(() => undefined);
        if (again?.kind === 'model') sources.push(again.source);
      }
    }
    return sources;
  }

  async #bring(name: string, sources: VersionSource[], anew: boolean): Promise<void> {
    const keep = this.#options.settings(name).versions;
    const wanted = sources
      .sort((a, b) => byVersion(a.version, b.version))
      .slice(keep === undefined ? 0 : -keep);
    let versions = this.#models.get(name);
    if (versions === undefined) {
      if (wanted.length === 0) return;
      versions = new Map();
      this.#models.set(name, versions);
    }
    for (const source of wanted) {
      const present = versions.get(source.version);
      const same = present?.source.fingerprint === source.fingerprint;
      if (same && !anew && (present.served !== undefined || present.reason !== 'unloaded')) continue;
      await this.#loadVersion(versions, source, present);
    }
    for (const [version, entry] of versions) {
      if (wanted.some((source) => source.version === version)) continue;
      this.#drop(entry, 'gone');
      versions.delete(version);
    }
    if (versions.size === 0) this.#models.delete(name);
  }

  async #loadVersion(
    versions: Map<string, Entry>,
    source: VersionSource,
    present: Entry | undefined,
  ): Promise<void> {
    const { name, version } = source;
    const { loader, observer, settings, log, loaded } = this.#options;
    // Its state stays what it was: a version that serves goes on while the next is loaded.
    const entry: Entry = present ?? { source, state: 'LOADING', reason: '', served: undefined };
    entry.source = source;
    versions.set(version, entry);
    const began = performance.now();
    try {
      const options = settings(name);
      const model = await loader(source.path, {
        threads: options.threads,
        batchSizes: options.batchSizes,
        reproducible: options.reproducible,
      });
      let served: ServedVersion;
      try {
        served = new ServedVersion(source, model, options, observer(name, version));
        await served.warm();
      } catch (error) {
        model.dispose();
        throw error;
      }
      const old = entry.served;
      entry.served = served;
      entry.state = 'READY';
      entry.reason = '';
      if (old !== undefined) this.#retire(old);
      loaded?.(name, true);
      const milliseconds = Math.round(performance.now() - began);
      log.info({ model: name, version, milliseconds }, old === undefined ? 'model loaded' : 'model replaced');
    } catch (error) {
      // What served before goes on: a half-written file must not end a model.
      entry.state = entry.served === undefined ? 'UNAVAILABLE' : 'READY';
      entry.reason = publicReason(error);
      loaded?.(name, false);
      this.failures.set(name, error instanceof Error ? error.message : String(error));
      log.error({ err: error, model: name, version }, 'model could not be loaded');
    }
  }

  #drop(entry: Entry, reason: string): void {
    const { served } = entry;
    entry.served = undefined;
    entry.state = 'UNAVAILABLE';
    entry.reason = reason;
    if (served === undefined) return;
    this.#retire(served);
    this.#options.log.info({ model: served.name, version: served.version }, `model ${reason}`);
  }

  #retire(served: ServedVersion): void {
    const retiring = served.retire().catch((error: unknown) => {
      this.#options.log.error({ err: error, model: served.name }, 'a model could not be disposed of');
    });
    this.#retiring.add(retiring);
    void retiring.then(() => this.#retiring.delete(retiring));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function unknownModel(name: string): EspalierError {
  return new EspalierError('NOT_FOUND', `unknown model ${describe(name)}`, {
    parameter: 'model',
    received: name,
  });
}
