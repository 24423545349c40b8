/** The door "espalier/serve": serving models over the Open Inference Protocol v2, alone or in a Fastify application. */
export { createServer, type InferenceServer, type ServerOptions } from './serve/server.js';
export { espalierPlugin, type EspalierModels, type EspalierPluginOptions } from './serve/plugin.js';
export { configJsonSchema, readConfig, type ServerConfig, type ServerConfigInput } from './serve/config.js';
export type { ModelLoader, ServableModel, ServablePort, ServableTensor } from './serve/types.js';
export { EspalierError, ERROR_CODES, type ErrorCode, type ErrorDetails } from './errors.js';
