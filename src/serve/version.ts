/** One loaded version of a model: its ports as the protocol tells them, its batcher, and its end. */
import { EspalierError, invalid } from '../errors.js';
import { Batcher, type BatchObserver, type BatchOptions } from './batcher.js';
import { datatypeOf } from './datatypes.js';
import { Plans } from './plans.js';
import { showShape } from './tensors.js';
import type { ServedPort, ServableModel, ServablePort } from './types.js';

export function portOf(port: ServablePort): ServedPort {
  const [batch, ...rest] = port.shape;
  if (batch !== null || rest.some((n) => !Number.isSafeInteger(n) || n! < 1)) {
    throw invalid(
      'UNSUPPORTED_FORMAT',
      `shape of ${port.name}`,
      'a flexible batch, then fixed extents',
      showShape(port.shape.map((n) => n ?? -1)),
    );
  }
  const features = (rest as number[]).reduce((a, b) => a * b, 1);
  return { name: port.name, datatype: datatypeOf(port.dtype), shape: [-1, ...(rest as number[])], features };
}

export class ServedVersion {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly ServedPort[];
  readonly outputs: readonly ServedPort[];
  readonly batcher: Batcher;
  readonly options: BatchOptions;
  readonly plans = new Plans();
  /** Tells two loads of the same version apart. */
  readonly fingerprint: string;
  readonly #model: ServableModel;
  #held = 0;
  #released: (() => void)[] = [];

  constructor(
    identity: { name: string; version: string; fingerprint: string },
    model: ServableModel,
    options: BatchOptions,
    observer: BatchObserver,
  ) {
    this.name = identity.name;
    this.version = identity.version;
    this.fingerprint = identity.fingerprint;
    this.inputs = model.inputs.map(portOf);
    this.outputs = model.outputs.map(portOf);
    this.options = options;
    this.#model = model;
    this.batcher = new Batcher(model, this, options, observer);
  }

  /** Runs every batch size once, so that the engine has packed for all of them before a client waits for it. */
  async warm(): Promise<void> {
    const sizes = this.options.batchSizes.includes(1)
      ? this.options.batchSizes
      : [1, ...this.options.batchSizes];
    for (const size of sizes) {
      await this.#model.run(
        this.inputs.map(({ features, shape }) => ({
          data: new Float32Array(size * features),
          shape: [size, ...shape.slice(1)],
        })),
      );
    }
  }

  /** While a request holds a version, it is not disposed of. Answers the release. */
  hold(): () => void {
    this.retain();
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.release();
    };
  }

  /** The same without a function: `release` must follow, once. */
  retain(): void {
    this.#held += 1;
  }

  release(): void {
    this.#held -= 1;
    if (this.#held === 0) for (const resolve of this.#released.splice(0)) resolve();
  }

  /** Ends it once its requests are answered. Nothing may hold it anew: it is out of the repository by then. */
  async retire(): Promise<void> {
    if (this.#held > 0) await new Promise<void>((resolve) => this.#released.push(resolve));
    await this.batcher.idle();
    this.#model.dispose();
  }
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly { name: string; datatype: string; shape: number[] }[];
  readonly outputs: readonly { name: string; datatype: string; shape: number[] }[];
}

export const PLATFORM = 'espalier';

export function metadataOf(served: ServedVersion, versions: readonly string[]): ModelMetadata {
  const tell = ({ name, datatype, shape }: ServedPort) => ({ name, datatype, shape: [...shape] });
  return {
    name: served.name,
    versions: [...versions],
    platform: PLATFORM,
    inputs: served.inputs.map(tell),
    outputs: served.outputs.map(tell),
  };
}

/** What a client may know of a load that failed: never a path. */
export function publicReason(error: unknown): string {
  return error instanceof EspalierError ? error.code : 'INTERNAL';
}
