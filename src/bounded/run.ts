/**
 * Work on untrusted input in a thread of its own, within bounds of time and memory. Other people's parsers (HDF5, zip,
 * Arrow, YAML, JSON) run to their end or not at all: on the thread that serves, one file that never ends would take
 * health checks, signals and every other model with it. A thread can be ended from outside, whatever it is doing.
 */
import { Worker } from 'node:worker_threads';
import { door } from '../door.js';
import { EspalierError, invalid } from '../errors.js';
import type { JobAnswer, JobRequest } from './worker.js';

export interface Bounds {
  /** The file or source as the user named it: for messages. */
  readonly what: string;
  /** Milliseconds that the work may take. */
  readonly timeout: number;
  /** Bytes by which the process may grow meanwhile; a backstop behind the limits that the parsers have of their own. */
  readonly memory: number;
}

/** The function `name` of the module at `module` (a URL of ours); its arguments and result are plain data. */
export interface Job {
  readonly module: URL;
  readonly name: string;
  readonly args: readonly unknown[];
}

const BASE_TIMEOUT = 10_000;
const BYTES_A_SECOND = 10 * 1024 ** 2;

/** 10 s, and 1 s for each 10 MiB: what a sound file needs a tenth of on a slow machine. */
export function defaultTimeout(bytes: number): number {
  return BASE_TIMEOUT + Math.ceil(bytes / BYTES_A_SECOND) * 1000;
}

/** Throws INVALID_ARGUMENT unless it is a timeout in milliseconds; undefined takes the default for that many bytes. */
export function checkedTimeout(timeout: unknown, bytes: number): number {
  if (timeout === undefined) return defaultTimeout(bytes);
  if (typeof timeout !== 'number' || !(timeout > 0)) {
    throw invalid('INVALID_ARGUMENT', 'timeout', 'milliseconds above 0 (Infinity for none)', timeout);
  }
  return timeout;
}

/** The largest delay of a timer: what is longer is no deadline. */
const LONGEST_TIMER = 2 ** 31 - 1;
const MEMORY_INTERVAL = 50;
/** How long a thread waits for more work before it ends. It does not keep the process alive meanwhile. */
const IDLE_TIME = 2000;

interface Thread {
  readonly worker: Worker;
  idle: NodeJS.Timeout | undefined;
}

let waiting: Thread | undefined;

/**
 * Threads start from compiled modules. Where TypeScript runs as it stands (the tests of this project), and where Node
 * forbids threads (--permission without --allow-worker), the work is done in place and only its own limits bound it.
 */
const COMPILED = import.meta.url.endsWith('.js');

/**
 * Runs a job, in a thread of its own where there are threads.
 * @throws what the job throws, as an EspalierError (INTERNAL for an error that is not ours); INVALID_MODEL where it takes
 *   longer than `timeout`, LIMIT_EXCEEDED where it takes more memory.
 */
export async function runBounded<T>(job: Job, bounds: Bounds): Promise<T> {
  const thread = COMPILED ? takeThread() : undefined;
  if (thread === undefined) {
    const module = (await import(job.module.href)) as Record<string, (...args: unknown[]) => Promise<T>>;
    return door(bounds.what, () => module[job.name]!(...job.args));
  }
  try {
    const answer = await ask(thread.worker, job, bounds);
    keep(thread);
    if (answer.ok) return answer.value as T;
    throw new EspalierError(answer.code, answer.message, answer.details, answer.cause);
  } catch (error) {
    if (waiting !== thread) void thread.worker.terminate();
    throw error;
  }
}

function takeThread(): Thread | undefined {
  if (waiting !== undefined) {
    const thread = waiting;
    waiting = undefined;
    clearTimeout(thread.idle);
    thread.worker.ref();
    return thread;
  }
  try {
    // Without the flags of this process: some (--input-type of a script by -e) are none for a file.
    const worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [] });
    return { worker, idle: undefined };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') return undefined;
    throw error;
  }
}

function keep(thread: Thread): void {
  if (waiting !== undefined) {
    void thread.worker.terminate();
    return;
  }
  thread.worker.unref();
  thread.idle = setTimeout(() => {
    waiting = undefined;
    void thread.worker.terminate();
  }, IDLE_TIME).unref();
  waiting = thread;
}

function ask(worker: Worker, job: Job, { what, timeout, memory }: Bounds): Promise<JobAnswer> {
  return new Promise((resolve, reject) => {
    const before = process.memoryUsage.rss();
    const stop = (error?: Error): void => {
      clearTimeout(deadline);
      clearInterval(watch);
      worker.off('message', answered);
      worker.off('error', failed);
      worker.off('exit', ended);
      if (error !== undefined) reject(error);
    };
    const answered = (answer: JobAnswer): void => {
      stop();
      resolve(answer);
    };
    const failed = (cause: Error): void => {
      const heap = (cause as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
      stop(
        heap
          ? outOfMemory(what, 'the memory of a thread')
          : new EspalierError('INTERNAL', `${what}: ${cause.message}`, { parameter: what }, cause),
      );
    };
    const ended = (code: number): void =>
      stop(
        new EspalierError('INTERNAL', `${what}: the thread that reads it ended with ${code}`, {
          parameter: what,
        }),
      );
    const deadline =
      timeout <= LONGEST_TIMER
        ? setTimeout(() => {
            const seconds = (timeout / 1000).toLocaleString('en', { maximumFractionDigits: 3 });
            stop(
              new EspalierError(
                'INVALID_MODEL',
                `${what}: expected a file that is read within ${seconds} s, given up after that: it is damaged or made to ` +
                  'keep its reader busy; a sound one gets more time by the timeout option',
                { parameter: what, expected: `reading within ${seconds} s` },
              ),
            );
          }, timeout)
        : undefined;
    const watch = setInterval(() => {
      if (process.memoryUsage.rss() - before > memory) stop(outOfMemory(what, `${memory} bytes`));
    }, MEMORY_INTERVAL).unref();
    worker.on('message', answered);
    worker.on('error', failed);
    worker.on('exit', ended);
    worker.postMessage({
      module: job.module.href,
      name: job.name,
      args: job.args,
      what,
    } satisfies JobRequest);
  });
}

function outOfMemory(what: string, limit: string): EspalierError {
  return new EspalierError('LIMIT_EXCEEDED', `${what}: reading it takes more than ${limit}`, {
    parameter: what,
    expected: `at most ${limit}`,
  });
}
