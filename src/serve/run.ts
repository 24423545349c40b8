/** `espalier serve`: settings from the command line over those of a file, one process or many, signals. */
import { readFile } from 'node:fs/promises';
import type { FastifyBaseLogger } from 'fastify';
import { pino } from 'pino';
import { parseYaml } from '../yaml.js';
import { EspalierError } from '../errors.js';
import { readConfig, type ServerConfig } from './config.js';
import { WorkerGroup } from './cluster.js';
import { createServer } from './server.js';

type Settings = Record<string, unknown>;

/** Reads a YAML (or JSON) file of settings. Throws INVALID_ARGUMENT. */
export async function readConfigFile(path: string): Promise<Settings> {
  let value: unknown;
  try {
    value = parseYaml(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `--config: cannot read ${path}: ${(cause as Error).message}`,
      { parameter: '--config' },
      cause,
    );
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new EspalierError('INVALID_ARGUMENT', `--config: expected a mapping of settings in ${path}`, {
      parameter: '--config',
    });
  }
  return value as Settings;
}

/** `over` wins, record by record; what is undefined in it leaves the other be. */
export function mergeSettings(under: Settings, over: Settings): Settings {
  const merged: Settings = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const isRecord = (v: unknown): v is Settings => typeof v === 'object' && v !== null && !Array.isArray(v);
    const present = merged[key];
    if (isRecord(value)) {
      const inner = mergeSettings(isRecord(present) ? present : {}, value);
      // A record of nothing but undefined settings says nothing.
      if (Object.keys(inner).length > 0 || isRecord(present)) merged[key] = inner;
    } else merged[key] = value;
  }
  return merged;
}

export interface Running {
  readonly config: ServerConfig;
  readonly http: number;
  readonly grpc: number | undefined;
  /** Resolves when the server has ended after SIGTERM or SIGINT. */
  readonly ended: Promise<void>;
}

/** Starts what `espalier serve` starts. SIGTERM and SIGINT drain, a second one ends at once; SIGHUP looks for changes. */
export async function runServer(settings: Settings): Promise<Running> {
  const config = readConfig(settings, 'settings');
  const log = pino({ level: config.log.level, name: 'espalier' }, pino.destination(2)) as FastifyBaseLogger;
  const made = config.workers > 1 ? await WorkerGroup.start(config, log) : await single(config, log);
  let signals = 0;
  const ended = new Promise<void>((resolve, reject) => {
    const end = (signal: string) => {
      signals += 1;
      if (signals > 1) process.exit(1);
      log.info({ signal }, 'draining');
      made.close().then(resolve, reject);
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
    process.on('SIGHUP', () => {
      made.refresh().catch((error: unknown) => log.error({ err: error }, 'the repository could not be read'));
    });
  });
  return { config, http: made.http, grpc: made.grpc, ended };
}

async function single(config: ServerConfig, log: FastifyBaseLogger) {
  const server = await createServer({ ...config, logger: log });
  const { http, grpc } = await server.listen();
  return {
    http: http.port,
    grpc: grpc?.port,
    refresh: () => server.core.repository.refresh(),
    close: () => server.close(),
  };
}
