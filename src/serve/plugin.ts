/** Models in one's own Fastify application: the routes of the protocol under a prefix, and `app.espalier`. */
import fastifyPlugin from 'fastify-plugin';
import type { FastifyPluginAsync } from 'fastify';
import { readConfig, type ServerConfigInput } from './config.js';
import { tokenCheck } from './auth.js';
import { InferenceCore } from './core.js';
import { engineLoader } from './loader.js';
import { inferenceRoutes } from './routes.js';
import type { IndexEntry } from './repository.js';
import { coreOptions, tokensOf } from './server.js';
import type { ModelLoader } from './types.js';

export interface EspalierPluginOptions extends Pick<
  ServerConfigInput,
  | 'models'
  | 'modelName'
  | 'threads'
  | 'reproducible'
  | 'pollSeconds'
  | 'repositoryControl'
  | 'batching'
  | 'modelSettings'
  | 'limits'
  | 'auth'
  | 'compression'
> {
  /** Path before /v2; default: none. */
  prefix?: string;
  /** Opens models; default: `loadModel` of this package. */
  loader?: ModelLoader;
}

/** What the plugin adds to the application as `app.espalier`. */
export interface EspalierModels {
  /** Every model is loaded and warmed. */
  readonly ready: boolean;
  index(): IndexEntry[];
  load(name: string): Promise<void>;
  unload(name: string): Promise<void>;
  /** Prometheus text of these models. */
  metrics(): Promise<string>;
  /**
   * Runs rows through the same batcher as requests do: float32 inputs in the order of the model's, each rows * features
   * long; the outputs likewise. Throws NOT_FOUND, OVERLOADED, DEADLINE_EXCEEDED, INVALID_INPUT.
   */
  infer(name: string, inputs: readonly Float32Array[], rows: number): Promise<Float32Array[]>;
}

declare module 'fastify' {
  interface FastifyInstance {
    espalier: EspalierModels;
  }
}

const plugin: FastifyPluginAsync<EspalierPluginOptions> = async (app, options) => {
  const { prefix = '', loader = engineLoader, ...settings } = options;
  const config = readConfig(settings);
  const authorize = tokenCheck(await tokensOf(config));
  const core = await InferenceCore.create(coreOptions(config, loader, app.log));
  app.addHook('onClose', () => core.close());
  await core.load();
  core.repository.poll(config.pollSeconds);
  app.decorate('espalier', {
    get ready() {
      return core.ready;
    },
    index: () => core.repository.index(),
    load: (name) => core.repository.load(name),
    unload: (name) => core.repository.unload(name),
    metrics: () => core.metrics.registry.metrics(),
    infer: (name, inputs, rows) => core.inferRows(name, inputs, rows),
  } satisfies EspalierModels);
  app.addHook('preClose', async () => core.stopBeingReady());
  await app.register(inferenceRoutes, { prefix, core, authorize, compression: config.compression });
};

export const espalierPlugin = fastifyPlugin(plugin, { fastify: '5.x', name: 'espalier' });
