/** A worker of the cluster: one whole server on the shared ports, led by the primary. Started by node:cluster only. */
import { EspalierError, type ErrorCode, ERROR_CODES } from '../errors.js';
import {
  WorkerCalls,
  type WorkerFailure,
  type WorkerOperation,
  type Reply,
  type ToPrimary,
  type ToWorker,
} from './messages.js';
import type { ServerConfig } from './config.js';
import { createServer, type InferenceServer } from './server.js';

const calls = new WorkerCalls();
let server: InferenceServer | undefined;
let preparation: Promise<InferenceServer> | undefined;

const say = (message: ToPrimary): void => {
  // The channel is closed once the primary is gone.
  if (process.connected) process.send?.(message);
};

export function failureFrom(error: unknown): WorkerFailure {
  return error instanceof EspalierError
    ? { code: error.code, message: error.message }
    : { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

export function errorFrom({ code, message }: WorkerFailure): EspalierError {
  return new EspalierError(Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL', message);
}

async function ask(operation: WorkerOperation): Promise<unknown> {
  const reply = await calls.make((id) => say({ kind: 'ask', id, operation }));
  if (!reply.ok) throw errorFrom(reply.failure);
  return reply.value;
}

async function perform(operation: WorkerOperation): Promise<unknown> {
  const { core } = server!;
  switch (operation.op) {
    case 'load':
      return core.repository.load(operation.name);
    case 'unload':
      return core.repository.unload(operation.name);
    case 'refresh':
      return core.repository.refresh();
    case 'metrics':
      return core.metrics.registry.getMetricsAsJSON();
  }
}

async function prepare(config: ServerConfig): Promise<InferenceServer> {
  const made = await createServer(config);
  // What one worker is told holds for all.
  made.core.control = {
    load: async (name) => void (await ask({ op: 'load', name })),
    unload: async (name) => void (await ask({ op: 'unload', name })),
  };
  made.metricsFrom(async () => (await ask({ op: 'metrics' })) as string);
  await made.app.ready();
  server = made;
  return made;
}

async function onMessage(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'prepare':
      preparation = prepare(message.config);
      // What is wrong is told at the start.
      preparation.catch(() => undefined);
      return;
    case 'start':
      try {
        const made = await preparation!;
        // A client must not be sent to a worker that still loads while others could answer it.
        if (message.quietly) await made.core.load();
        const { http, grpc } = await made.listen();
        say({ kind: 'listening', http: http.port, grpc: grpc?.port });
      } catch (error) {
        say({ kind: 'failed', failure: failureFrom(error) });
      }
      return;
    case 'call': {
      const reply: Reply = await perform(message.operation).then(
        (value) => ({ ok: true, value }),
        (error: unknown) => ({ ok: false, failure: failureFrom(error) }),
      );
      say({ kind: 'reply', id: message.id, reply });
      return;
    }
    case 'answer':
      calls.settle(message.id, message.reply);
      return;
    case 'drain':
      return end();
  }
}

async function end(): Promise<void> {
  await server?.close();
  process.exit(0);
}

export function runWorker(): void {
  process.on('message', (message: ToWorker) => void onMessage(message));
  // Ctrl-C reaches the whole group: the primary decides. SIGTERM to one worker drains that one.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => void end());
  // Without its primary a worker answers what it has and ends.
  process.on('disconnect', () => void end());
  // All code that serving needs, before it is needed: a spare worker then starts in the time that its models take.
  void Promise.allSettled([import('./grpc.js'), import('../load.js')]).then(() => say({ kind: 'hello' }));
}
