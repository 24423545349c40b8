/** inference.GRPCInferenceService and grpc.health.v1.Health over the core that REST uses too. */
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { FastifyBaseLogger } from 'fastify';
import { EspalierError } from '../errors.js';
import { packageFile } from '../package.js';
import type { InferenceCore } from './core.js';
import { failureOf } from './failures.js';
import { readInferRequest, toInferResponse, type ModelInferRequest } from './grpc-codec.js';
import { checkMessage, Shapes } from './grpc-wire.js';
import { modelConfig } from './routes.js';
import { startSpan, traceId } from './tracing.js';

export interface GrpcOptions {
  readonly host: string;
  readonly port: number;
  /** A connection without a call is closed after so long. */
  readonly idleTimeoutMs: number;
  readonly tls: { cert: Buffer; key: Buffer; ca: Buffer | undefined } | undefined;
  readonly authorize: ((authorization: string | undefined) => void) | undefined;
  readonly log: FastifyBaseLogger;
}

export interface GrpcServer {
  readonly port: number;
  /** Answers what is under way, refuses the rest; ends what is left after the milliseconds. */
  close(timeoutMs: number): Promise<void>;
}

type Unary<T = Record<string, never>> = grpc.ServerUnaryCall<T, object>;
interface Named {
  name: string;
  version: string;
}

function serviceOf(file: string, path: readonly string[]): grpc.ServiceDefinition {
  // 64-bit integers stay exact: as Long.
  const definition = loadSync(packageFile('proto', file), {
    keepCase: true,
    defaults: false,
    oneofs: true,
    enums: String,
  });
  let found: unknown = grpc.loadPackageDefinition(definition);
  for (const name of path) found = (found as Record<string, unknown>)[name];
  const { service } = found as { service: grpc.ServiceDefinition };
  const shapes = new Shapes(definition, path.slice(0, -1).join('.'));
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const request = (method as unknown as { requestType: { type: { name: string } } }).requestType.type
        .name;
      const shape = shapes.of(request);
      const requestDeserialize = (bytes: Buffer): unknown => {
        try {
          checkMessage(bytes, shape);
          return method.requestDeserialize(bytes);
        } catch (error) {
          // Thrown here it would be answered as INTERNAL: the methods throw it.
          return new Malformed(error);
        }
      };
      return [name, { ...method, requestDeserialize }];
    }),
  );
}

/** In the place of a message that could not be read. */
class Malformed {
  readonly error: EspalierError;

  constructor(cause: unknown) {
    this.error =
      cause instanceof EspalierError
        ? cause
        : new EspalierError('INVALID_INPUT', 'message: expected a protobuf message', {}, cause);
  }
}

function wellFormed<T>(message: T): T {
  if (message instanceof Malformed) throw message.error;
  return message;
}

/** proto3 leaves an empty name out. */
function requireName(name: string | undefined, parameter: string): void {
  if (name === undefined || name === '') {
    throw new EspalierError('INVALID_INPUT', `${parameter}: expected the name of a model, received none`, {
      parameter,
    });
  }
}

const metadataGetter = {
  keys: (carrier: grpc.Metadata) => Object.keys(carrier.getMap()),
  get: (carrier: grpc.Metadata, key: string) => carrier.get(key)[0]?.toString(),
};

export async function startGrpc(core: InferenceCore, options: GrpcOptions): Promise<GrpcServer> {
  const { host, port, tls, authorize, log } = options;
  const server = new grpc.Server({
    'grpc.max_receive_message_length': core.limits.maxBodyBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': core.limits.maxConcurrency,
    // Half-open connections are found and closed.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_connection_idle_ms': Math.max(options.idleTimeoutMs, 1000),
  });
  const service = new Service(core, authorize, log);
  server.addService(serviceOf('inference.proto', ['inference', 'GRPCInferenceService']), service.methods());
  server.addService(serviceOf('health.proto', ['grpc', 'health', 'v1', 'Health']), {
    Check: ((_call, done) => {
      done(null, { status: core.ready ? 'SERVING' : 'NOT_SERVING' });
    }) as grpc.handleUnaryCall<object, object>,
  });
  const credentials =
    tls === undefined
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(
          tls.ca ?? null,
          [{ cert_chain: tls.cert, private_key: tls.key }],
          tls.ca !== undefined,
        );
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, at) => {
      if (error === null) resolve(at);
      else
        reject(
          new EspalierError(
            'IO_FAILED',
            `grpc: cannot listen on ${address}: ${error.message}`,
            { parameter: 'grpc.port' },
            error,
          ),
        );
    });
  });
  return {
    port: bound,
    close: (timeoutMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), timeoutMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

class Service {
  readonly #core: InferenceCore;
  readonly #authorize: GrpcOptions['authorize'];
  readonly #log: FastifyBaseLogger;

  constructor(core: InferenceCore, authorize: GrpcOptions['authorize'], log: FastifyBaseLogger) {
    this.#core = core;
    this.#authorize = authorize;
    this.#log = log;
  }

  methods(): grpc.UntypedServiceImplementation {
    const core = this.#core;
    const index = (ready: boolean) =>
      core.repository.index().filter(({ state }) => !ready || state === 'READY');
    const control = () => {
      if (core.repositoryControl) return core.control;
      throw new EspalierError('INVALID_ARGUMENT', 'loading and unloading is switched off');
    };
    return {
      ServerLive: this.#unary(async () => ({ live: true }), false),
      ServerReady: this.#unary(async () => ({ ready: core.ready }), false),
      ModelReady: this.#unary<Named>(async ({ request }) => {
        requireName(request.name, 'name');
        const version = request.version === '' ? undefined : request.version;
        const known = core.repository
          .index()
          .filter((e) => e.name === request.name && (version === undefined || e.version === version));
        if (known.length === 0) core.find(request.name, version);
        return { ready: !core.draining && known.some(({ state }) => state === 'READY') };
      }, false),
      ServerMetadata: this.#unary(async () => core.serverMetadata()),
      ModelMetadata: this.#unary<Named>(async ({ request }) => {
        requireName(request.name, 'name');
        return core.modelMetadata(request.name, request.version);
      }),
      ModelConfig: this.#unary<Named>(async ({ request }) => {
        requireName(request.name, 'name');
        return { config: modelConfig(core.find(request.name, request.version)) };
      }),
      ModelStatistics: this.#unary<Named>(async ({ request: { name, version } }) => ({
        model_stats: core.statisticsOf(name === '' ? undefined : name, version),
      })),
      RepositoryIndex: this.#unary<{ ready: boolean }>(async ({ request }) => ({
        models: index(request.ready),
      })),
      RepositoryModelLoad: this.#unary<{ model_name: string; parameters?: object }>(async ({ request }) => {
        if (Object.keys(request.parameters ?? {}).length > 0) {
          throw new EspalierError(
            'INVALID_INPUT',
            'parameters: models and their settings come from the repository only',
          );
        }
        requireName(request.model_name, 'model_name');
        await control().load(request.model_name);
        return {};
      }),
      RepositoryModelUnload: this.#unary<{ model_name: string }>(async ({ request }) => {
        requireName(request.model_name, 'model_name');
        await control().unload(request.model_name);
        return {};
      }),
      ModelInfer: ((call, done) => {
        this.#infer(call.request, call.metadata, call.getDeadline(), (cancel) =>
          call.on('cancelled', cancel),
        ).then(
          (answer) => done(null, answer),
          (error: unknown) => done(this.#status(error)),
        );
      }) as grpc.handleUnaryCall<ModelInferRequest, object>,
      ModelStreamInfer: ((call) => this.#stream(call)) as grpc.handleBidiStreamingCall<
        ModelInferRequest,
        object
      >,
    };
  }

  #unary<T>(work: (call: Unary<T>) => Promise<object>, guarded = true): grpc.handleUnaryCall<T, object> {
    return (call, done) => {
      const answer = async () => {
        if (guarded) this.#check(call.metadata);
        wellFormed(call.request);
        return work(call);
      };
      answer().then(
        (value) => done(null, value),
        (error: unknown) => done(this.#status(error)),
      );
    };
  }

  #check(metadata: grpc.Metadata): void {
    this.#authorize?.(metadata.get('authorization')[0]?.toString());
  }

  /** The matching gRPC status; what clients may not know is logged instead. */
  #status(error: unknown): Partial<grpc.StatusObject> {
    const failure = failureOf(error);
    if (failure.status === 500) this.#log.error({ err: error }, 'gRPC request failed');
    const metadata = new grpc.Metadata();
    if (failure.retryAfter !== undefined) metadata.set('retry-after', String(failure.retryAfter));
    return { code: failure.grpc, details: failure.message, metadata };
  }

  async #infer(
    message: ModelInferRequest,
    metadata: grpc.Metadata,
    deadline: grpc.Deadline,
    onCancel: (cancel: () => void) => void,
  ): Promise<object> {
    const core = this.#core;
    const began = performance.now();
    const span = startSpan('ModelInfer', metadata, metadataGetter, { 'rpc.system': 'grpc' });
    let served: ReturnType<InferenceCore['find']> | undefined;
    let release: (() => void) | undefined;
    let leave: (() => void) | undefined;
    try {
      this.#check(metadata);
      leave = core.enter();
      requireName(wellFormed(message).model_name, 'model_name');
      served = core.find(message.model_name, message.model_version);
      release = served.hold();
      const request = readInferRequest(message, served, core.limits);
      span?.model(served.name, served.version, request.rows);
      const until = deadline instanceof Date ? deadline.getTime() : deadline;
      const timeoutMs = Number.isFinite(until) ? until - Date.now() : Infinity;
      const tensors = await core.infer(served, request, { timeoutMs, onCancel });
      const { name: model, version } = served;
      const answer = toInferResponse(
        { ...request, model, version, tensors, outputs: request.outputs },
        served.outputs,
        request.raw,
      );
      core.answered(served, 'grpc', 'OK', true, performance.now() - began);
      span?.end('OK');
      return answer;
    } catch (error) {
      const code = grpc.status[failureOf(error).grpc]!;
      if (served === undefined) core.metrics.refused('grpc', code);
      else core.answered(served, 'grpc', code, false, performance.now() - began);
      span?.end(code, error);
      const id = traceId(metadataGetter.get(metadata, 'traceparent'));
      if (id !== undefined) this.#log.debug({ err: error, traceId: id }, 'gRPC inference failed');
      throw error;
    } finally {
      release?.();
      leave?.();
    }
  }

  /** Triton's stream: answers in the order of the requests, each failure in its own message. */
  #stream(call: grpc.ServerDuplexStream<ModelInferRequest, object>): void {
    let turn: Promise<void> = Promise.resolve();
    let waiting = 0;
    const cancels = new Set<() => void>();
    call.on('cancelled', () => {
      for (const cancel of cancels) cancel();
    });
    call.on('data', (message: ModelInferRequest) => {
      waiting += 1;
      // A client that sends faster than it is served waits: its flow is stopped, not our memory filled.
      if (waiting >= 32) call.pause();
      let cancel: (() => void) | undefined;
      const answer = this.#infer(message, call.metadata, call.getDeadline(), (given) => {
        cancel = given;
        cancels.add(given);
      }).then(
        (response) => ({ infer_response: response }),
        (error: unknown) => ({
          error_message: failureOf(error).message,
          infer_response: { id: message.id, model_name: message.model_name },
        }),
      );
      turn = turn.then(async () => {
        const response = await answer;
        if (cancel !== undefined) cancels.delete(cancel);
        if (!call.cancelled) call.write(response);
        waiting -= 1;
        if (waiting < 32) call.resume();
      });
    });
    call.on('end', () => {
      void turn.then(() => call.end());
    });
    call.on('error', () => undefined);
  }
}
