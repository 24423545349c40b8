/** Processes that share the ports: starts workers, starts them anew when they die, speaks to all of them. */
import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { FastifyBaseLogger } from 'fastify';
import { AggregatorRegistry, type MetricObject } from 'prom-client';
import { EspalierError } from '../errors.js';
import type { ServerConfig } from './config.js';
import { Calls, type Operation, type Reply, type ToPrimary, type ToWorker } from './messages.js';
import { errorFrom, failureFrom } from './worker.js';

export interface Cluster {
  readonly http: number;
  readonly grpc: number | undefined;
  refresh(): Promise<void>;
  /** Every worker answers what it has and ends. */
  close(): Promise<void>;
}

interface Member {
  readonly worker: Worker;
  readonly calls: Calls;
  readonly started: number;
  listening: boolean;
}

/** A worker that dies sooner than this is started again only after a pause. */
const HEALTHY_MS = 2000;
const LONGEST_PAUSE_MS = 5000;

export class WorkerGroup implements Cluster {
  http = 0;
  grpc: number | undefined;
  readonly #config: ServerConfig;
  readonly #log: FastifyBaseLogger;
  readonly #members = new Set<Member>();
  #ending = false;
  #pause = 0;
  #ended: (() => void) | undefined;
  /** Loads one after the other, so that all workers see them in one order. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(config: ServerConfig, log: FastifyBaseLogger) {
    this.#config = config;
    this.#log = log;
  }

  /** Resolves when all workers listen; rejects, and ends them, where one cannot. */
  static async start(config: ServerConfig, log: FastifyBaseLogger): Promise<WorkerGroup> {
    cluster.setupPrimary({ exec: fileURLToPath(new URL('worker-entry.js', import.meta.url)), args: [] });
    const group = new WorkerGroup(config, log);
    try {
      // The first alone: it finds what is wrong with the settings before the others are started.
      await group.#fork();
      await Promise.all(Array.from({ length: config.workers - 1 }, () => group.#fork()));
    } catch (error) {
      await group.close();
      throw error;
    }
    return group;
  }

  #fork(): Promise<void> {
    const worker = cluster.fork();
    const member: Member = { worker, calls: new Calls(), started: performance.now(), listening: false };
    this.#members.add(member);
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ToPrimary) => {
        if (message.kind === 'hello') {
          // What was said before its hello is lost: also that all is over.
          this.#tell(member, this.#ending ? { kind: 'drain' } : { kind: 'start', config: this.#config });
        } else if (message.kind === 'listening') {
          member.listening = true;
          this.http = message.http;
          this.grpc = message.grpc;
          this.#pause = 0;
          resolve();
        } else if (message.kind === 'failed') reject(errorFrom(message.failure));
        else if (message.kind === 'reply') member.calls.settle(message.id, message.reply);
        else void this.#answer(member, message.id, message.operation);
      });
      worker.on('error', (error) => this.#log.error({ err: error, pid: worker.process.pid }, 'worker'));
      worker.on('exit', (code, signal) => {
        this.#members.delete(member);
        member.calls.abandon();
        reject(new EspalierError('INTERNAL', `a worker ended with ${signal ?? code} before it listened`));
        if (this.#ending) {
          if (this.#members.size === 0) this.#ended?.();
          return;
        }
        if (!member.listening) return;
        this.#log.error({ pid: worker.process.pid, code, signal }, 'worker ended: another one is started');
        this.#again(performance.now() - member.started < HEALTHY_MS);
      });
    });
  }

  /** At once after a healthy life; later and later where workers die young. */
  #again(young: boolean): void {
    const pause = young ? this.#pause : 0;
    this.#pause = young ? Math.min(Math.max(100, 2 * this.#pause), LONGEST_PAUSE_MS) : 0;
    setTimeout(() => {
      if (this.#ending) return;
      this.#fork().catch((error: unknown) => {
        this.#log.error({ err: error }, 'a worker could not be started');
        if (!this.#ending) this.#again(true);
      });
    }, pause);
  }

  #tell(member: Member, message: ToWorker): void {
    if (member.worker.isConnected()) member.worker.send(message);
    else member.calls.abandon();
  }

  async #answer(member: Member, id: number, operation: Operation): Promise<void> {
    const reply: Reply = await this.perform(operation).then(
      (value) => ({ ok: true, value }),
      (error: unknown) => ({ ok: false, failure: failureFrom(error) }),
    );
    this.#tell(member, { kind: 'answer', id, reply });
  }

  async #all(operation: Operation): Promise<unknown[]> {
    const replies = await Promise.all(
      [...this.#members]
        .filter(({ listening }) => listening)
        .map((member) => member.calls.make((id) => this.#tell(member, { kind: 'call', id, operation }))),
    );
    const failed = replies.find((reply) => !reply.ok && reply.failure.code !== 'UNAVAILABLE');
    if (failed !== undefined && !failed.ok) throw errorFrom(failed.failure);
    return replies.flatMap((reply) => (reply.ok ? [reply.value] : []));
  }

  /** The operation in every worker. Metrics come back as one text. */
  async perform(operation: Operation): Promise<unknown> {
    if (operation.op === 'metrics') {
      const metrics = (await this.#all(operation)) as MetricObject[][];
      return AggregatorRegistry.aggregate(metrics).metrics();
    }
    const result = this.#turn.then(() => this.#all(operation));
    this.#turn = result.catch(() => undefined);
    await result;
    return undefined;
  }

  async refresh(): Promise<void> {
    await this.perform({ op: 'refresh' });
  }

  async close(): Promise<void> {
    this.#ending = true;
    if (this.#members.size === 0) return;
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    for (const member of this.#members) this.#tell(member, { kind: 'drain' });
    const { delayMs, timeoutMs } = this.#config.drain;
    const forced = setTimeout(
      () => {
        for (const { worker } of this.#members) worker.process.kill('SIGKILL');
      },
      delayMs + timeoutMs + 5000,
    );
    await ended;
    clearTimeout(forced);
  }
}
