/** Running other programs for set-up: their output is kept for the message that tells of a failure. */
import { spawn, type ChildProcess } from 'node:child_process';

export interface CommandResult {
  /** The exit code, or the signal that ended it, or 127 where it could not be started. */
  code: number | string;
  output: string;
}

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds after which the program is ended. */
  timeout?: number;
}

/** What runs now: ended with this process, also where only it gets the signal. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill();
});

/** Runs a program without a shell and without standard input. Never rejects: the code tells. */
export function runTool(
  command: string,
  args: string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeout,
      killSignal: 'SIGKILL',
    });
    running.add(child);
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const output = () => Buffer.concat(chunks).toString('utf8');
    const finish = (result: CommandResult) => {
      running.delete(child);
      resolve(result);
    };
    child.on('error', (error) => finish({ code: 127, output: `${output()}${error.message}` }));
    child.on('close', (code, signal) => finish({ code: code ?? signal ?? 1, output: output() }));
  });
}

/** The last lines of an output, for a message. */
export function tail(output: string, lines = 15): string {
  return output.trimEnd().split('\n').slice(-lines).join('\n');
}
