/** What the primary and the workers of a cluster say to each other. */
import type { ServerConfig } from './config.js';

export type WorkerOperation =
  | { readonly op: 'load' | 'unload'; readonly name: string }
  | { readonly op: 'refresh' }
  /** Answers metrics as JSON from a worker, as text from the primary. */
  | { readonly op: 'metrics' };

export interface WorkerFailure {
  readonly code: string;
  readonly message: string;
}

export type Reply =
  { readonly ok: true; readonly value?: unknown } | { readonly ok: false; readonly failure: WorkerFailure };

export type ToWorker =
  /** Makes the server, but for its models and ports. */
  | { readonly kind: 'prepare'; readonly config: ServerConfig }
  /** `quietly`: others serve already, so it listens only once its models are loaded. */
  | { readonly kind: 'start'; readonly quietly: boolean }
  | { readonly kind: 'call'; readonly id: number; readonly operation: WorkerOperation }
  | { readonly kind: 'answer'; readonly id: number; readonly reply: Reply }
  | { readonly kind: 'drain' };

export type ToPrimary =
  /** The worker has its code in memory and listens to messages: what is sent before may be lost. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'listening'; readonly http: number; readonly grpc: number | undefined }
  | { readonly kind: 'failed'; readonly failure: WorkerFailure }
  | { readonly kind: 'reply'; readonly id: number; readonly reply: Reply }
  | { readonly kind: 'ask'; readonly id: number; readonly operation: WorkerOperation };

/** Calls that await their reply over a channel of messages. */
export class WorkerCalls {
  readonly #open = new Map<number, (reply: Reply) => void>();
  #next = 1;

  /** `send` gets the id of the call. A channel that breaks answers by `abandon`. */
  make(send: (id: number) => void): Promise<Reply> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#open.set(id, resolve);
      send(id);
    });
  }

  settle(id: number, reply: Reply): void {
    this.#open.get(id)?.(reply);
    this.#open.delete(id);
  }

  abandon(): void {
    for (const id of [...this.#open.keys()]) {
      this.settle(id, { ok: false, failure: { code: 'UNAVAILABLE', message: 'the worker is gone' } });
    }
  }
}
