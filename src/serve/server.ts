/** The HTTP and gRPC servers around one core, and their orderly end. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import swagger from '@fastify/swagger';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { door } from '../door.js';
import { EspalierError } from '../errors.js';
import { packageVersion } from '../package.js';
import { tokenCheck } from './auth.js';
import {
  SHORTEST_TOKEN,
  readConfig,
  settingsOf,
  type ServerConfig,
  type ServerConfigInput,
} from './config.js';
import { InferenceCore } from './core.js';
import { failureOf } from './failures.js';
import type { GrpcOptions, GrpcServer } from './grpc.js';
import { inferenceRoutes } from './routes.js';
import { shortcut, type ShortcutOptions } from './shortcut.js';
import { engineLoader } from './loader.js';
import type { ModelLoader } from './types.js';

export interface ServerOptions extends ServerConfigInput {
  /** Opens models; default: `loadModel` of this package. */
  loader?: ModelLoader;
  /** A pino logger, or one like it; default: JSON lines on standard error at `log.level`. */
  logger?: FastifyBaseLogger;
}

export interface InferenceServer {
  readonly config: ServerConfig;
  /** The Fastify instance: routes may be added before `listen`. */
  readonly app: FastifyInstance;
  readonly core: InferenceCore;
  /** Loads and warms the models, then accepts. Answers where it listens. */
  listen(): Promise<{ http: AddressInfo; grpc: AddressInfo | undefined }>;
  /** Where GET /metrics comes from, if not from this process alone: a cluster asks all workers. */
  metricsFrom(text: () => Promise<string>): void;
  /** Not ready, answers what is under way, then ends. Safe to call twice. */
  close(): Promise<void>;
}

const PACKAGE_VERSION = packageVersion();

/** Tokens of the configuration and of its file. */
export async function tokensOf(config: ServerConfig): Promise<string[]> {
  const { tokens, tokensFile } = config.auth;
  if (tokensFile === undefined) return tokens;
  const lines = (await readSetting('auth.tokensFile', tokensFile)).toString('utf8').split('\n');
  const found = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  if (found.length === 0) {
    // An empty file must not open the server to everyone.
    throw new EspalierError('INVALID_ARGUMENT', 'auth.tokensFile: expected a token a line, found none', {
      parameter: 'auth.tokensFile',
    });
  }
  const short = found.findIndex((token) => token.length < SHORTEST_TOKEN);
  if (short >= 0) {
    // The token itself is a secret, also one that is too short.
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `auth.tokensFile: expected tokens of at least ${SHORTEST_TOKEN} characters, token ${short + 1} of ${tokensFile} has ` +
        `${found[short]!.length}`,
      { parameter: 'auth.tokensFile', expected: SHORTEST_TOKEN, received: found[short]!.length },
    );
  }
  return [...tokens, ...found];
}

async function readSetting(parameter: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `${parameter}: cannot read ${path}: ${(cause as Error).message}`,
      { parameter },
      cause,
    );
  }
}

export interface TlsFiles {
  cert: Buffer;
  key: Buffer;
  ca: Buffer | undefined;
}

async function tlsOf(config: ServerConfig): Promise<TlsFiles | undefined> {
  const { tls } = config;
  if (tls === undefined) return undefined;
  const files = {
    cert: await readSetting('tls.cert', tls.cert),
    key: await readSetting('tls.key', tls.key),
    ca: tls.ca === undefined ? undefined : await readSetting('tls.ca', tls.ca),
  };
  requirePem('tls.cert', tls.cert, 'a certificate', () => new X509Certificate(files.cert));
  requirePem('tls.key', tls.key, 'a private key', () => createPrivateKey(files.key));
  const { ca } = files;
  if (ca !== undefined) requirePem('tls.ca', tls.ca!, 'a certificate', () => new X509Certificate(ca));
  requirePem('tls.key', tls.key, `the private key of ${tls.cert}`, () => createSecureContext(files));
  return files;
}

/** What OpenSSL says of a file names neither the file nor the setting. */
function requirePem(parameter: string, path: string, what: string, parse: () => unknown): void {
  try {
    parse();
  } catch (cause) {
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `${parameter}: expected ${path} to be ${what} in PEM (${(cause as Error).message})`,
      { parameter, received: path },
      cause,
    );
  }
}

export function coreOptions(config: ServerConfig, loader: ModelLoader, log: FastifyBaseLogger) {
  if (config.models.length === 0) {
    throw new EspalierError(
      'INVALID_ARGUMENT',
      'models: expected a model repository or a model, received none',
      {
        parameter: 'models',
      },
    );
  }
  return {
    models: config.models,
    modelName: config.modelName,
    loader,
    settings: (name: string) => settingsOf(config, name),
    limits: config.limits,
    repositoryControl: config.repositoryControl,
    version: PACKAGE_VERSION,
    log,
  };
}

/**
 * A server of the Open Inference Protocol v2 over HTTP and gRPC. Options: docs/serving.md. Throws INVALID_ARGUMENT for
 * a setting that is wrong, NOT_FOUND for a model that is not there. Nothing is loaded before `listen`.
 */
export async function createServer(options: ServerOptions): Promise<InferenceServer> {
  return door('createServer', () => makeServer(options));
}

async function makeServer(options: ServerOptions): Promise<InferenceServer> {
  const { loader = engineLoader, logger, ...settings } = options;
  const config = readConfig(settings);
  const log = logger ?? pino({ level: config.log.level, name: 'espalier' }, pino.destination(2));
  const core = await InferenceCore.create(coreOptions(config, loader, log));
  const tls = await tlsOf(config);
  const authorize = tokenCheck(await tokensOf(config));

  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: !config.log.requests }),
    // A connection that is kept open is answered to the end also while the server closes.
    return503OnClosing: false,
    forceCloseConnections: false,
    requestTimeout: config.limits.bodyTimeoutMs,
    connectionTimeout: config.limits.idleTimeoutMs,
    keepAliveTimeout: config.limits.keepAliveTimeoutMs,
    bodyLimit: config.limits.maxBodyBytes,
    routerOptions: { maxParamLength: 160 },
    http: { headersTimeout: config.limits.headersTimeoutMs, connectionsCheckingInterval: 1000 },
    ...(tls === undefined
      ? {}
      : {
          https: {
            cert: tls.cert,
            key: tls.key,
            headersTimeout: config.limits.headersTimeoutMs,
            connectionsCheckingInterval: 1000,
            ...(tls.ca === undefined ? {} : { ca: tls.ca, requestCert: true, rejectUnauthorized: true }),
          },
        }),
  } as object) as unknown as FastifyInstance;
  app.server.maxConnections = config.limits.maxConnections;
  if (config.openapi) {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'espalier',
          description: 'Open Inference Protocol v2 with the binary tensor extension',
          version: PACKAGE_VERSION,
          license: { name: 'Apache-2.0' },
        },
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        ...(authorize === undefined ? {} : { security: [{ token: [] }] }),
      },
    });
  }
  const metricsOf = { text: () => core.metrics.registry.metrics() };
  // Also for what is outside of the protocol's routes: the same form, and nothing of the inside.
  app.setErrorHandler((error, request, reply) => {
    const { status, message } = failureOf(error);
    if (status === 500) request.log.error({ err: error }, 'request failed');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    return reply.code(status).send({ error: message });
  });
  await app.register(inferenceRoutes, { core, authorize, compression: config.compression });
  await app.register(async (own) => {
    if (config.openapi) own.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
    if (config.metrics) {
      own.get(
        '/metrics',
        { schema: { hide: true }, onRequest: async (request) => authorize?.(request.headers.authorization) },
        async (_request, reply) => reply.type(core.metrics.registry.contentType).send(await metricsOf.text()),
      );
    }
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'no such endpoint' }));
  takeShortcut(app, config, { core, authorize, compression: config.compression, log });
  return new Server(config, app, core, metricsOf, { tls, authorize, log });
}

/** Hooks that an application adds must see every request: then there is no short way. */
const REQUEST_HOOKS =
  /^(onRequest|preParsing|preValidation|preHandler|preSerialization|onSend|onResponse|onError|onTimeout)$/;

function takeShortcut(
  app: FastifyInstance,
  config: ServerConfig,
  options: Omit<ShortcutOptions, 'open'>,
): void {
  if (config.log.requests) return;
  let hooked = false;
  const own = app as unknown as {
    addHook: (this: unknown, name: string, ...rest: unknown[]) => FastifyInstance;
  };
  const { addHook } = own;
  own.addHook = function (name, ...rest) {
    if (REQUEST_HOOKS.test(name)) hooked = true;
    return addHook.call(this, name, ...rest);
  };
  const { server } = app;
  const [long] = server.listeners('request') as RequestListener[];
  if (long === undefined) return;
  server.removeListener('request', long);
  server.on('request', shortcut({ ...options, open: () => !hooked }, long));
}

class Server implements InferenceServer {
  readonly #metricsOf: { text: () => Promise<string> };
  #closing: Promise<void> | undefined;
  #grpc: GrpcServer | undefined;

  constructor(
    readonly config: ServerConfig,
    readonly app: FastifyInstance,
    readonly core: InferenceCore,
    metricsOf: { text: () => Promise<string> },
    private readonly shared: Pick<GrpcOptions, 'tls' | 'authorize' | 'log'>,
  ) {
    this.#metricsOf = metricsOf;
  }

  metricsFrom(text: () => Promise<string>): void {
    this.#metricsOf.text = text;
  }

  listen(): Promise<{ http: AddressInfo; grpc: AddressInfo | undefined }> {
    return door('listen', () => this.#listen());
  }

  async #listen(): Promise<{ http: AddressInfo; grpc: AddressInfo | undefined }> {
    const { config, app, core } = this;
    await app.ready();
    // Probes see "live, not ready" while models are being loaded.
    try {
      await app.listen({ host: config.http.host, port: config.http.port, backlog: BACKLOG });
    } catch (cause) {
      const { host, port } = config.http;
      throw new EspalierError(
        'IO_FAILED',
        `http: cannot listen on ${host}:${port}: ${(cause as Error).message}`,
        { parameter: 'http.port' },
        cause,
      );
    }
    if (config.grpc !== false) {
      const { startGrpc } = await import('./grpc.js');
      this.#grpc = await startGrpc(core, {
        ...config.grpc,
        ...this.shared,
        idleTimeoutMs: config.limits.idleTimeoutMs,
      });
    }
    if (!core.loaded) await core.load();
    const index = core.repository.index();
    if (index.length > 0 && !index.some(({ state }) => state === 'READY')) {
      await this.close();
      const [first] = index;
      throw new EspalierError(
        'INVALID_MODEL',
        `no model could be loaded: ${first!.name} version ${first!.version}: ${core.repository.failures.get(first!.name) ?? first!.reason}`,
        { parameter: 'models' },
      );
    }
    core.repository.poll(config.pollSeconds);
    const http = app.server.address() as AddressInfo;
    const grpc =
      config.grpc === false || this.#grpc === undefined
        ? undefined
        : { address: config.grpc.host, family: http.family, port: this.#grpc.port };
    return { http, grpc };
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const { app, core } = this;
    const { delayMs, timeoutMs } = this.config.drain;
    core.stopBeingReady();
    if (delayMs > 0 && app.server.listening) await sleep(delayMs);
    const grpcEnd = this.#grpc?.close(timeoutMs);
    if (app.server.listening) {
      // No new connections; open ones are told "connection: close" with their next answer. Closing the idle ones at
      // once would cut off requests that are on their way.
      NetServer.prototype.close.call(app.server);
      const until = performance.now() + Math.min(timeoutMs, POLITE_MS);
      while (performance.now() < until && (await connections(app.server)) > 0) await sleep(10);
    }
    await core.quiet(timeoutMs);
    // What is left is idle, or past its time.
    const forced = setTimeout(() => app.server.closeAllConnections(), 1000);
    await Promise.all([app.close(), grpcEnd]);
    clearTimeout(forced);
    await core.close();
  }
}

/** Connections that wait to be accepted: what overflows is tried again by the client's system after a second or more. */
const BACKLOG = 4096;

/** How long idle connections are left open for a request that may be on its way. */
const POLITE_MS = 300;

function connections(server: NetServer): Promise<number> {
  return new Promise((resolve) =>
    server.getConnections((error, count) => resolve(error === null ? count : 0)),
  );
}
