/** The REST routes of the Open Inference Protocol v2 and of Triton's extensions, as one encapsulated Fastify plugin. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type {} from '@fastify/swagger';
import { EspalierError, invalid } from '../errors.js';
import type { InferenceCore } from './core.js';
import { Exchange, failureAnswer, type HttpAnswer, type ExchangeOptions } from './exchange.js';
import { SCHEMAS } from './schemas.js';
import { traceId } from './tracing.js';
import { PLATFORM, type ServedVersion } from './version.js';

export interface RouteOptions {
  readonly core: InferenceCore;
  /** Throws UNAUTHENTICATED; undefined: open to all. */
  readonly authorize: ((authorization: string | undefined) => void) | undefined;
  readonly compression: boolean;
}

interface Params {
  model: string;
  version?: string;
}
interface ModelRoute {
  Params: Params;
}

const EXCHANGE = Symbol('espalier');
type WithExchange = FastifyRequest & { [EXCHANGE]?: Exchange };

const errors = Object.fromEntries(
  [400, 401, 404, 408, 413, 429, 500, 503].map((status) => [status, SCHEMAS.error]),
);
const answers = (schema: object) => ({ response: { 200: schema, ...errors } });
const params = {
  type: 'object',
  properties: { model: { type: 'string' }, version: { type: 'string', pattern: '^[0-9]+$' } },
};

/** The answers of the server itself stay within reach of probes; the rest asks for the token. */
interface Guarded {
  onRequest: (request: FastifyRequest) => Promise<void>;
}

export const inferenceRoutes: FastifyPluginAsync<RouteOptions> = async (
  app,
  { core, authorize, compression },
) => {
  // Bodies are checked by the codec, which knows the ports of the model: schemas here are documentation.
  app.setValidatorCompiler(() => () => true);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => fail(core, error, request, reply));
  const exchanges: ExchangeOptions = { core, compression, log: app.log };
  const guarded: Guarded = { onRequest: async ({ headers }) => authorize?.(headers.authorization) };

  serverRoutes(app, core, guarded);
  for (const prefix of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    modelRoutes(app, core, guarded, prefix);
    inferRoute(app, exchanges, guarded, prefix);
  }
  app.get(
    '/v2/models/stats',
    { ...guarded, schema: { ...tags('models'), ...answers(SCHEMAS.statistics) } },
    async () => ({
      model_stats: core.statisticsOf(),
    }),
  );
  repositoryRoutes(app, core, guarded);
};

function serverRoutes(app: FastifyInstance, core: InferenceCore, guarded: Guarded): void {
  app.get('/v2/health/live', { schema: { ...tags('health'), ...answers(SCHEMAS.live) } }, async () => ({
    live: true,
  }));
  app.get(
    '/v2/health/ready',
    { schema: { ...tags('health'), response: { 200: SCHEMAS.ready, 503: SCHEMAS.ready } } },
    async (_request, reply) => {
      const { ready } = core;
      return reply.code(ready ? 200 : 503).send({ ready });
    },
  );
  app.get('/v2', { ...guarded, schema: { ...tags('server'), ...answers(SCHEMAS.server) } }, async () =>
    core.serverMetadata(),
  );
}

/** What there is to know of a model, or of one of its versions. */
function modelRoutes(app: FastifyInstance, core: InferenceCore, guarded: Guarded, prefix: string): void {
  const told = { ...tags('models'), params };
  app.get<ModelRoute>(
    `${prefix}/ready`,
    {
      schema: { ...told, ...answers(SCHEMAS.modelReady), response: { ...errors, 200: SCHEMAS.modelReady } },
    },
    async (request, reply) => {
      const { name, ready } = modelReady(core, request.params);
      return reply.code(ready ? 200 : 503).send(ready ? { name, ready } : { error: 'not ready' });
    },
  );
  app.get<ModelRoute>(
    prefix,
    { ...guarded, schema: { ...told, ...answers(SCHEMAS.model) } },
    async ({ params: { model, version } }) => core.modelMetadata(model, version),
  );
  app.get<ModelRoute>(
    `${prefix}/config`,
    { ...guarded, schema: { ...told, ...answers(SCHEMAS.config) } },
    async ({ params: { model, version } }) => modelConfig(core.find(model, version)),
  );
  app.get<ModelRoute>(
    `${prefix}/stats`,
    { ...guarded, schema: { ...told, ...answers(SCHEMAS.statistics) } },
    async ({ params: { model, version } }) => ({
      model_stats: core.statisticsOf(model, version),
    }),
  );
}

function inferRoute(
  app: FastifyInstance,
  exchanges: ExchangeOptions,
  guarded: Guarded,
  prefix: string,
): void {
  app.post<ModelRoute>(
    `${prefix}/infer`,
    {
      bodyLimit: exchanges.core.limits.maxBodyBytes,
      onRequest: [guarded.onRequest, async (request, reply) => open(exchanges, request, reply)],
      schema: {
        ...tags('inference'),
        params,
        consumes: ['application/json', 'application/octet-stream'],
        produces: ['application/json', 'application/octet-stream'],
        body: SCHEMAS.inferRequest,
        ...answers(SCHEMAS.inferResponse),
      },
    },
    (request, reply) => {
      const { model, version } = request.params;
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      (request as WithExchange)[EXCHANGE]!.infer(model, version, body, (answer) => {
        sendAnswer(reply, answer);
      });
    },
  );
}

function tags(tag: string) {
  return { tags: [tag] };
}

function repositoryRoutes(app: FastifyInstance, core: InferenceCore, guarded: Guarded): void {
  const schema = { ...tags('repository') };
  app.post(
    '/v2/repository/index',
    { ...guarded, schema: { ...schema, ...answers(SCHEMAS.index) } },
    async ({ body }) => {
      const only = jsonBody(body).ready;
      if (only !== undefined && typeof only !== 'boolean')
        throw invalid('INVALID_INPUT', 'ready', 'true or false', only);
      return core.repository.index().filter(({ state }) => only !== true || state === 'READY');
    },
  );
  if (!core.repositoryControl) return;
  const told = { ...guarded, schema: { ...schema, params, ...answers(SCHEMAS.empty) } };
  app.post<ModelRoute>('/v2/repository/models/:model/load', told, async ({ params: { model }, body }) => {
    const given = jsonBody(body).parameters;
    if (typeof given === 'object' && given !== null && Object.keys(given).length > 0) {
      throw new EspalierError(
        'INVALID_INPUT',
        'parameters: models and their settings come from the repository only',
        {
          parameter: 'parameters',
        },
      );
    }
    await core.control.load(model);
    return {};
  });
  app.post<ModelRoute>('/v2/repository/models/:model/unload', told, async ({ params: { model } }) => {
    await core.control.unload(model);
    return {};
  });
}

/** A small JSON object, or nothing. */
function jsonBody(body: unknown): Record<string, unknown> {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new EspalierError('INVALID_INPUT', 'body: not valid JSON', { parameter: 'body' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('INVALID_INPUT', 'body', 'a JSON object', value);
  }
  return value as Record<string, unknown>;
}

function modelReady(core: InferenceCore, { model, version }: Params): { name: string; ready: boolean } {
  const known = core.repository.index().filter(({ name }) => name === model);
  const meant = version === undefined ? known : known.filter((entry) => entry.version === version);
  if (meant.length === 0) {
    core.find(model, version);
  }
  return { name: model, ready: !core.draining && meant.some(({ state }) => state === 'READY') };
}

/** The part of Triton's model configuration that has a meaning here. */
export function modelConfig(served: ServedVersion) {
  const { name, options } = served;
  return {
    name,
    platform: PLATFORM,
    backend: PLATFORM,
    max_batch_size: options.maxBatch,
    input: served.inputs.map((port) => ({
      name: port.name,
      data_type: `TYPE_${port.datatype}`,
      dims: port.shape.slice(1),
    })),
    output: served.outputs.map((port) => ({
      name: port.name,
      data_type: `TYPE_${port.datatype}`,
      dims: port.shape.slice(1),
    })),
    dynamic_batching: {
      preferred_batch_size: [...options.batchSizes],
      max_queue_delay_microseconds: options.maxDelayMicros,
    },
    instance_group: [{ name, count: options.concurrency, kind: 'KIND_CPU' }],
  };
}

/** Before the body is read: a server that has enough to do says so at once. */
function open(options: ExchangeOptions, request: FastifyRequest, reply: FastifyReply): void {
  const exchange = new Exchange(options, request.headers);
  (request as WithExchange)[EXCHANGE] = exchange;
  // Comes after the answer, and also where the client went away before it.
  reply.raw.once('close', () => exchange.close(reply.raw.writableFinished));
}

function sendAnswer(reply: FastifyReply, { status, headers, body }: HttpAnswer): FastifyReply {
  for (let i = 0; i < headers.length; i += 2) reply.header(headers[i]!, headers[i + 1]);
  return reply.code(status).send(typeof body === 'string' ? Buffer.from(body, 'latin1') : body);
}

/** What goes wrong outside of an exchange, or before its body is there. */
function fail(
  core: InferenceCore,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const answer = failureAnswer(core, error);
  const { status } = answer;
  if (status >= 500 && status !== 503) {
    request.log.error({ err: error, traceId: traceId(request.headers.traceparent) }, 'request failed');
  }
  (request as WithExchange)[EXCHANGE]?.end(status, error);
  if (request.routeOptions.url?.endsWith('/infer') === true) core.metrics.refused('http', status);
  return sendAnswer(reply, answer);
}
