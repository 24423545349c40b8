/**
 * Everything that can be set, with its defaults, in one schema: `createServer`, the plugin, the YAML file of
 * `espalier serve --config` and schemas/serve-config-1.json all come from here.
 */
import { z } from 'zod';
import { EspalierError, describe } from '../errors.js';

/** Characters of a bearer token at least. */
export const SHORTEST_TOKEN = 8;

const count = (fallback: number, max = 2 ** 31 - 1) => z.int().min(1).max(max).default(fallback);
const milliseconds = (fallback: number) => z.int().min(0).max(86_400_000).default(fallback);
const port = (fallback: number) => z.int().min(0).max(65_535).default(fallback);

const batching = z.strictObject({
  maxBatch: count(64, 65_536).describe('rows that run together at most'),
  maxDelayMicros: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(200)
    .describe('microseconds that a request may wait for others, only while requests come together'),
  maxQueue: count(256).describe('requests that may wait for a version; more get 429'),
  concurrency: count(1, 64).describe('batches of a version that may run at the same time'),
  batchSizes: z
    .array(z.int().min(1).max(65_536))
    .min(1)
    .max(32)
    .optional()
    .describe(
      'sizes that joined requests are padded to; default: 1, 2, 4, 8, 16, 24, 32, 48, 64 up to maxBatch',
    ),
});

const reproducible = z
  .boolean()
  .describe('rows are computed one by one: the same bits in every batch, at the price of its speed');

const model = batching.partial().extend({
  reproducible: reproducible.optional(),
  threads: z.int().min(1).max(1024).optional().describe('threads of the engine'),
  versions: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('how many of the newest versions to serve; default: all'),
});

const limits = z.strictObject({
  maxBodyBytes: count(64 * 1024 * 1024).describe('bytes of a request, also once decompressed; more get 413'),
  maxTensors: count(64, 4096).describe('inputs and outputs that a request may name'),
  maxTensorElements: count(16 * 1024 * 1024).describe('numbers in one input'),
  maxConcurrency: count(1024).describe('requests for inference under way; more get 429'),
  maxConnections: count(20_000).describe('open HTTP connections; more are closed'),
  requestTimeoutMs: milliseconds(30_000).describe('from arrival to the engine; more get 503'),
  headersTimeoutMs: milliseconds(10_000).describe('for the headers of a request to arrive; then 408'),
  bodyTimeoutMs: milliseconds(60_000).describe('for a whole request to arrive; then 408'),
  idleTimeoutMs: milliseconds(120_000).describe('a connection on which nothing moves is closed'),
  keepAliveTimeoutMs: milliseconds(75_000).describe(
    'an open connection may wait so long for its next request',
  ),
});

const listen = (fallback: number) =>
  z.strictObject({
    host: z.string().min(1).default('127.0.0.1').describe('address to listen on; 0.0.0.0 for all'),
    port: port(fallback).describe('0: any free port'),
  });

const filled = <T extends z.ZodType>(schema: T) => schema.prefault({} as z.input<T>);

export const serverConfig = z.strictObject({
  models: z
    .array(z.string().min(1))
    .default([])
    .describe('model repositories (folders of NAME/VERSION/model.esp), models, or NAME=PATH'),
  modelName: z.string().optional().describe('the name of a single model'),
  http: filled(listen(8080)),
  grpc: z.union([filled(listen(9000)), z.literal(false)]).default({ host: '127.0.0.1', port: 9000 }),
  workers: count(1, 256).describe('processes that share the ports'),
  threads: z.int().min(1).max(1024).optional().describe("threads of the engine; default: the engine's own"),
  reproducible: reproducible.default(false),
  pollSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('how often to look for new versions; 0: never'),
  repositoryControl: z.boolean().default(true).describe('whether clients may load and unload models'),
  batching: filled(batching),
  modelSettings: z.record(z.string(), model).default({}).describe('settings of single models, by name'),
  limits: filled(limits),
  auth: filled(
    z.strictObject({
      tokens: z
        .array(z.string().min(SHORTEST_TOKEN))
        .default([])
        .describe('bearer tokens; none: open to all'),
      tokensFile: z.string().optional().describe('a file with one token a line'),
    }),
  ),
  tls: z
    .strictObject({
      cert: z.string().describe('PEM file'),
      key: z.string().describe('PEM file'),
      ca: z
        .string()
        .optional()
        .describe('PEM file: clients must show a certificate of this authority (mTLS)'),
    })
    .optional(),
  drain: filled(
    z.strictObject({
      delayMs: milliseconds(0).describe('not ready but still accepting, until balancers have noticed'),
      timeoutMs: milliseconds(30_000).describe('for requests under way to end'),
    }),
  ),
  compression: z.boolean().default(true).describe('gzip and deflate of answers that ask for it'),
  metrics: z.boolean().default(true).describe('GET /metrics'),
  openapi: z.boolean().default(true).describe('GET /openapi.json'),
  log: filled(
    z.strictObject({
      level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
      requests: z.boolean().default(false).describe('a line for each request'),
    }),
  ),
});

export type ServerConfig = z.output<typeof serverConfig>;
export type ServerConfigInput = z.input<typeof serverConfig>;

/** Checks and fills in. Throws INVALID_ARGUMENT that names the setting. */
export function readConfig(value: unknown, source = 'options'): ServerConfig {
  const result = serverConfig.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue === undefined ? '' : issue.path.join('.');
  const parameter = path === '' ? source : `${source}.${path}`;
  let received: unknown = value;
  for (const key of issue?.path ?? [])
    received = (received as Record<PropertyKey, unknown> | undefined)?.[key];
  throw new EspalierError(
    'INVALID_ARGUMENT',
    `${parameter}: ${issue?.message ?? 'invalid'}, received ${describe(received)}`,
    {
      parameter,
      received: describe(received),
    },
  );
}

/** JSON schema of the configuration, for editors. */
export function configJsonSchema(): object {
  return z.toJSONSchema(serverConfig, { io: 'input', target: 'draft-7' });
}

const BATCH_SIZES = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/** The settings of one model: its own over those of all. */
export function settingsOf(config: ServerConfig, name: string) {
  const own = Object.hasOwn(config.modelSettings, name) ? config.modelSettings[name]! : {};
  const merged = { ...config.batching, ...own };
  const reproducible = own.reproducible ?? config.reproducible;
  // One by one nothing is gained by rows of padding.
  const sizes = reproducible ? [1] : (merged.batchSizes ?? BATCH_SIZES).concat(merged.maxBatch);
  return {
    maxBatch: merged.maxBatch,
    maxDelayMicros: merged.maxDelayMicros,
    maxQueue: merged.maxQueue,
    concurrency: merged.concurrency,
    batchSizes: [...new Set(sizes.filter((size) => size <= merged.maxBatch))].sort((a, b) => a - b),
    reproducible,
    threads: own.threads ?? config.threads,
    versions: own.versions,
  };
}
