/** A rival's process seen from the parent: requests with a time limit, and what is to be told of one that fails. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../../package.js';
import type { MeasureRequest, Measured, ServeRequest, Served } from './loops.js';
import { decodeAnswer, encodeRequest, readLines } from './python.js';
import type { Answer, Computed, Loaded, Memory, Request } from './worker.js';

/** Why a rival is not timed, or no longer. */
export type RivalProblem = 'absent' | 'failed' | 'crashed' | 'timeout' | 'out-of-memory' | 'differs';

export class RivalError extends Error {
  constructor(
    readonly problem: RivalProblem,
    message: string,
  ) {
    super(message);
  }
}

export interface ChildOptions {
  /** Cores that the process may run on; undefined: as the parent. */
  cores?: string;
  env?: Record<string, string>;
  /** The interpreter, for a rival that lives in Python. */
  python?: string;
  /** Seconds that a request may take, besides the time that it asks for itself. */
  timeout: number;
}

const PYTHON_WORKER = packageFile('python', 'bench_worker.py');
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
/** What Node and the C++ library print when memory ends. */
const OUT_OF_MEMORY =
  /heap out of memory|bad_alloc|MemoryError|Cannot allocate memory|Array buffer allocation failed|OOM when allocating/i;

/** What runs now: ended with this process, whatever ends it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Child {
  private readonly process: ChildProcess;
  private stderr = '';
  private ended: RivalError | undefined;
  private waiting: { resolve: (value: unknown) => void; reject: (error: RivalError) => void } | undefined;

  constructor(private readonly options: ChildOptions) {
    const { python, cores } = options;
    const own =
      python === undefined
        ? [process.execPath, ...process.execArgv.filter((flag) => !flag.startsWith('--inspect')), WORKER]
        : [python, '-u', PYTHON_WORKER];
    const [command = '', ...args] = cores === undefined ? own : ['taskset', '-c', cores, ...own];
    this.process = spawn(command, args, {
      env: { ...process.env, ...options.env },
      // Python talks over its standard input and output, a line of JSON each.
      stdio: python === undefined ? ['ignore', 'ignore', 'pipe', 'ipc'] : ['pipe', 'pipe', 'pipe'],
      serialization: 'advanced',
    });
    running.add(this.process);
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString()).slice(-8000);
    });
    const receive = (answer: Answer) => {
      const { waiting } = this;
      this.waiting = undefined;
      if (answer.ok) return waiting?.resolve(answer.value);
      const problem = OUT_OF_MEMORY.test(answer.message) ? 'out-of-memory' : 'failed';
      const absent = answer.code === 'ERR_MODULE_NOT_FOUND' || answer.code === 'MODULE_NOT_FOUND';
      waiting?.reject(new RivalError(absent ? 'absent' : problem, answer.message));
    };
    if (python === undefined) this.process.on('message', receive);
    else {
      this.process.stdin?.on('error', () => undefined);
      readLines(this.process.stdout, (line) => {
        const answer = decodeAnswer(line);
        if (answer !== undefined) receive(answer);
      });
    }
    this.process.on('error', (error: NodeJS.ErrnoException) =>
      this.finish(new RivalError(error.code === 'ENOENT' ? 'absent' : 'crashed', error.message)),
    );
    this.process.on('close', (code, signal) => this.finish(this.causeOfDeath(code, signal)));
  }

  private causeOfDeath(code: number | null, signal: NodeJS.Signals | null): RivalError {
    // What taskset says of a command that is not there.
    if (code === 127 || /failed to execute/.test(this.stderr))
      return new RivalError('absent', this.stderr.trim().split('\n').at(-1) ?? 'not found');
    if (OUT_OF_MEMORY.test(this.stderr))
      return new RivalError('out-of-memory', 'the process ran out of memory');
    if (signal === 'SIGKILL') {
      return new RivalError(
        'out-of-memory',
        'the process was killed (SIGKILL), as the kernel does when memory ends',
      );
    }
    const last = this.stderr.trimEnd().split('\n').slice(-3).join('\n');
    return new RivalError(
      'crashed',
      `the process ended (${signal ?? code})${last === '' ? '' : `: ${last}`}`,
    );
  }

  private finish(error: RivalError): void {
    running.delete(this.process);
    this.ended ??= error;
    this.waiting?.reject(this.ended);
    this.waiting = undefined;
  }

  /** One at a time. Rejects with RivalError; after a time-out or a crash every later request does. */
  private request(request: Request, extraSeconds = 0): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) return reject(this.ended);
      const limit = this.options.timeout + extraSeconds;
      const timer = setTimeout(() => {
        this.ended = new RivalError('timeout', `no answer to "${request.do}" within ${limit} s`);
        this.process.kill('SIGKILL');
        this.finish(this.ended);
      }, limit * 1000);
      this.waiting = {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      if (this.options.python !== undefined) {
        this.process.stdin?.write(`${encodeRequest(request)}\n`);
        return;
      }
      this.process.send(request, (error) => {
        // The end of the process is told by `close`, which knows why; this only where it never comes.
        if (error !== null && this.process.exitCode === null && this.process.signalCode === null) {
          this.finish(new RivalError('crashed', error.message));
        }
      });
    });
  }

  load(request: Omit<Extract<Request, { do: 'load' }>, 'do'>): Promise<Loaded> {
    return this.request({ do: 'load', ...request }) as Promise<Loaded>;
  }
  compute(inputs: Extract<Request, { do: 'compute' }>['inputs']): Promise<Computed> {
    return this.request({ do: 'compute', inputs }) as Promise<Computed>;
  }
  measure(request: MeasureRequest): Promise<Measured> {
    return this.request({ do: 'measure', ...request }, request.seconds) as Promise<Measured>;
  }
  serve(request: ServeRequest, seconds: number): Promise<Served> {
    return this.request({ do: 'serve', ...request }, seconds) as Promise<Served>;
  }
  /** See Rival.ask. */
  ask(what: string, given: unknown, seconds: number): Promise<unknown> {
    return this.request({ do: 'ask', what, given }, seconds);
  }
  memory(): Promise<Memory> {
    return this.request({ do: 'memory' }) as Promise<Memory>;
  }

  /** Ends the process: asked first, so that what it holds is freed, then killed. Never rejects. */
  async end(): Promise<void> {
    if (this.ended === undefined) {
      await Promise.race([
        this.request({ do: 'dispose' }).catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 2000).unref()),
      ]);
    }
    this.kill();
  }

  kill(): void {
    this.ended ??= new RivalError('failed', 'the process was ended');
    this.process.kill('SIGKILL');
    this.finish(this.ended);
  }
}
