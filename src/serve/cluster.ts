/**
 * Processes that share the ports: starts workers, puts others in the place of those that die, speaks to all of them. A
 * spare process, whole but for its models and its ports, waits for the death of a worker: to start Node and to load and
 * compile the code takes most of a second on a free core and several on a busy machine.
 */
import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { FastifyBaseLogger } from 'fastify';
import { AggregatorRegistry, type MetricObject } from 'prom-client';
import { EspalierError } from '../errors.js';
import type { ServerConfig } from './config.js';
import { watchHandover } from './handover.js';
import { WorkerCalls, type WorkerOperation, type Reply, type ToPrimary, type ToWorker } from './messages.js';
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
  readonly calls: WorkerCalls;
  started: number;
  /** It has said hello. */
  heard: boolean;
  listening: boolean;
  /** What waits for it to listen; undefined: it is the spare. */
  awaited: { resolve: () => void; reject: (error: Error) => void } | undefined;
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
  #spare: Member | undefined;
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
      await group.#enlist();
      await Promise.all(Array.from({ length: config.workers - 1 }, () => group.#enlist()));
      group.#provide();
    } catch (error) {
      await group.close();
      throw error;
    }
    return group;
  }

  /** A process that has yet to be told what to do. */
  #fork(): Member {
    const worker = cluster.fork();
    const member: Member = {
      worker,
      calls: new WorkerCalls(),
      started: performance.now(),
      heard: false,
      listening: false,
      awaited: undefined,
    };
    this.#members.add(member);
    worker.on('message', (message: ToPrimary) => this.#hear(member, message));
    worker.on('error', (error) => this.#log.error({ err: error, pid: worker.process.pid }, 'worker'));
    const closeUntaken = watchHandover(worker);
    worker.on('exit', (code, signal) => {
      closeUntaken();
      this.#bury(member, signal ?? code);
    });
    return member;
  }

  /** Resolves when another worker listens: the spare if there is one. */
  #enlist(): Promise<void> {
    const member = this.#spare ?? this.#fork();
    this.#spare = undefined;
    member.started = performance.now();
    return new Promise((resolve, reject) => {
      member.awaited = { resolve, reject };
      if (member.heard) this.#begin(member);
    });
  }

  #begin(member: Member): void {
    const quietly = [...this.#members].some(({ listening }) => listening);
    this.#tell(member, { kind: 'start', quietly });
  }

  #hear(member: Member, message: ToPrimary): void {
    const { awaited, worker } = member;
    switch (message.kind) {
      case 'hello':
        member.heard = true;
        // What was said before its hello is lost: also that all is over.
        if (this.#ending) return this.#tell(member, { kind: 'drain' });
        this.#tell(member, { kind: 'prepare', config: this.#config });
        if (awaited !== undefined) this.#begin(member);
        return;
      case 'listening': {
        member.listening = true;
        this.http = message.http;
        this.grpc = message.grpc;
        this.#pause = 0;
        const milliseconds = Math.round(performance.now() - member.started);
        this.#log.info({ pid: worker.process.pid, milliseconds }, 'worker listens');
        return awaited?.resolve();
      }
      case 'failed':
        this.#tell(member, { kind: 'drain' });
        return awaited?.reject(errorFrom(message.failure));
      case 'reply':
        return member.calls.settle(message.id, message.reply);
      case 'ask':
        return void this.#answer(member, message.id, message.operation);
    }
  }

  #bury(member: Member, reason: string | number): void {
    const { awaited, worker, started, listening } = member;
    this.#members.delete(member);
    member.calls.abandon();
    if (this.#spare === member) this.#spare = undefined;
    awaited?.reject(new EspalierError('INTERNAL', `a worker ended with ${reason} before it listened`));
    if (this.#ending) {
      if (this.#members.size === 0) this.#ended?.();
      return;
    }
    if (!listening) return;
    this.#log.error({ pid: worker.process.pid, reason }, 'worker ended: another one takes its place');
    this.#again(performance.now() - started < HEALTHY_MS);
  }

  /** At once after a healthy life; later and later where workers die young. */
  #again(young: boolean): void {
    const pause = young ? this.#pause : 0;
    this.#pause = young ? Math.min(Math.max(100, 2 * this.#pause), LONGEST_PAUSE_MS) : 0;
    setTimeout(() => {
      if (this.#ending) return;
      this.#enlist().then(
        () => this.#provide(),
        (error: unknown) => {
          this.#log.error({ err: error }, 'a worker could not be started');
          if (!this.#ending) this.#again(true);
        },
      );
    }, pause);
  }

  /** Sees to it that there is a spare. One that dies unused is replaced with the next worker that dies. */
  #provide(): void {
    if (!this.#ending) this.#spare ??= this.#fork();
  }

  #tell(member: Member, message: ToWorker): void {
    if (member.worker.isConnected()) member.worker.send(message);
    else member.calls.abandon();
  }

  async #answer(member: Member, id: number, operation: WorkerOperation): Promise<void> {
    const reply: Reply = await this.perform(operation).then(
      (value) => ({ ok: true, value }),
      (error: unknown) => ({ ok: false, failure: failureFrom(error) }),
    );
    this.#tell(member, { kind: 'answer', id, reply });
  }

  async #all(operation: WorkerOperation): Promise<unknown[]> {
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
  async perform(operation: WorkerOperation): Promise<unknown> {
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
