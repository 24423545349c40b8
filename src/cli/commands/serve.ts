/** The command `espalier serve`: its options, as settings of the server. */
import { Command, InvalidArgumentError } from 'commander';

const whole = (least: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least)
    throw new InvalidArgumentError(`expected a whole number from ${least}.`);
  return value;
};
const seconds = (text: string) => {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError('expected seconds, 0 or more.');
  return value;
};

interface Options {
  config?: string;
  host?: string;
  httpPort?: number;
  grpcPort?: number;
  grpc: boolean;
  threads?: number;
  workers?: number;
  poll?: number;
  modelName?: string;
  maxBatch?: number;
  maxDelayMicros?: number;
  maxQueue?: number;
  tokensFile?: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  drainDelay?: number;
  control: boolean;
  logLevel?: string;
  printConfigSchema?: boolean;
}

/** `espalier serve`: models over HTTP and gRPC, by the Open Inference Protocol v2. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('serve models over HTTP and gRPC (Open Inference Protocol v2)')
    .argument('[models...]', 'a folder of NAME/VERSION/model.esp, or models one by one, also as NAME=PATH')
    .option('--config <file>', 'settings in YAML; the command line wins (docs/serving.md)')
    .option('--host <address>', 'address to listen on, 0.0.0.0 for all (default: 127.0.0.1)')
    .option('--http-port <port>', 'port of HTTP, 0 for any (default: 8080)', whole(0))
    .option('--grpc-port <port>', 'port of gRPC, 0 for any (default: 9000)', whole(0))
    .option('--no-grpc', 'HTTP only')
    .option('--threads <n>', 'threads of the engine for each model', whole(1))
    .option('--workers <n>', 'processes that share the ports (default: 1)', whole(1))
    .option('--poll <seconds>', 'how often to look for new versions, 0 for never (default: 0)', seconds)
    .option('--model-name <name>', 'name of a single model')
    .option('--max-batch <rows>', 'rows that run together at most (default: 64)', whole(1))
    .option('--max-delay-micros <n>', 'how long a request may wait for others (default: 200)', whole(0))
    .option('--max-queue <requests>', 'requests that may wait for a model (default: 256)', whole(1))
    .option('--tokens-file <file>', 'bearer tokens, one a line: others are refused')
    .option('--tls-cert <file>', 'certificate (PEM) for TLS')
    .option('--tls-key <file>', 'key (PEM) for TLS')
    .option('--tls-ca <file>', 'authority (PEM) whose certificates clients must show')
    .option('--drain-delay <seconds>', 'after SIGTERM, not ready but accepting (default: 0)', seconds)
    .option('--no-control', 'clients may not load and unload models')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (default: info)')
    .option('--print-config-schema', 'print the JSON schema of the settings and end')
    .action(async (models: string[], options: Options) => {
      if (options.printConfigSchema === true) {
        const { configJsonSchema } = await import('../../serve/config.js');
        console.log(JSON.stringify(configJsonSchema(), null, 2));
        return;
      }
      const { mergeSettings, readConfigFile, runServer } = await import('../../serve/run.js');
      const file = options.config === undefined ? {} : await readConfigFile(options.config);
      const running = await runServer(mergeSettings(file, settingsFrom(models, options, file)));
      const { http, grpc, config } = running;
      const scheme = config.tls === undefined ? 'http' : 'https';
      const host = config.http.host.includes(':') ? `[${config.http.host}]` : config.http.host;
      const also = grpc === undefined ? '' : ` and gRPC ${host}:${grpc}`;
      console.log(`serving on ${scheme}://${host}:${http}${also}`);
      await running.ended;
    });
}

/** Only what was given: the rest is left to the file and to the defaults. */
function settingsFrom(
  models: string[],
  options: Options,
  file: Record<string, unknown>,
): Record<string, unknown> {
  const tls = { cert: options.tlsCert, key: options.tlsKey, ca: options.tlsCa };
  return {
    models: models.length > 0 ? models : undefined,
    modelName: options.modelName,
    http: { host: options.host, port: options.httpPort },
    grpc:
      options.grpc && file.grpc !== false
        ? { host: options.host, port: options.grpcPort }
        : options.grpc
          ? undefined
          : false,
    workers: options.workers,
    threads: options.threads,
    pollSeconds: options.poll,
    repositoryControl: options.control ? undefined : false,
    batching: {
      maxBatch: options.maxBatch,
      maxDelayMicros: options.maxDelayMicros,
      maxQueue: options.maxQueue,
    },
    auth: { tokensFile: options.tokensFile },
    tls: Object.values(tls).some((value) => value !== undefined) ? tls : undefined,
    drain: { delayMs: options.drainDelay === undefined ? undefined : Math.round(1000 * options.drainDelay) },
    log: { level: options.logLevel },
  };
}
