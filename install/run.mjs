/**
 * Running commands: output goes to a log, a line on the screen tells what runs and for how long, the end of the
 * log is shown when it fails.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** What runs now: ended with this process, also where only it gets the signal. */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * On Ctrl-C and SIGTERM ends what runs and exits with 130 once that is gone, for it would meet the next run (npm goes
 * on installing when it is asked to stop: after two seconds it is not asked again).
 */
export function exitOnInterrupt(message) {
  let interrupted = false;
  const stop = () => {
    if (interrupted) return;
    interrupted = true;
    if (message !== undefined) console.error(`\n${message}`);
    for (const child of running) child.kill('SIGTERM');
    const deadline = Date.now() + 2_000;
    setInterval(() => {
      if (running.size === 0 || Date.now() > deadline) process.exit(130);
    }, 50);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

export class CommandFailed extends Error {
  constructor(command, code, tail) {
    super(`${command} failed (${code})`);
    this.code = code;
    this.tail = tail;
  }
}

export function seconds(milliseconds) {
  const total = milliseconds / 1000;
  return total < 60 ? `${total.toFixed(1)} s` : `${Math.floor(total / 60)} min ${Math.round(total % 60)} s`;
}

/**
 * Runs a command. Options: cwd, env, log (file that gets the output), show (pass the output through as well),
 * quiet (no progress line), label, timeout in ms. Resolves with { code, output } where `allowFailure` is set or the
 * code is 0; rejects with CommandFailed otherwise. `output` holds at most the last 4 MB.
 */
export function run(command, args, options = {}) {
  const { cwd, env, log, show = false, quiet = false, label, timeout, allowFailure = false } = options;
  const started = Date.now();
  if (log !== undefined) mkdirSync(dirname(log), { recursive: true });
  const file = log === undefined ? undefined : createWriteStream(log, { flags: 'a' });
  file?.write(`$ ${[command, ...args].join(' ')}\n`);
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

  running.add(child);

  const chunks = [];
  let size = 0;
  let lastLine = '';
  const collect = (stream) => (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size > 4 << 20 && chunks.length > 1) size -= chunks.shift().length;
    file?.write(chunk);
    if (show) stream.write(chunk);
    const lines = chunk
      .toString()
      .split('\n')
      .filter((line) => line.trim() !== '');
    if (lines.length > 0) lastLine = lines.at(-1).trim();
  };
  child.stdout.on('data', collect(process.stdout));
  child.stderr.on('data', collect(process.stderr));

  const interactive = process.stdout.isTTY && !quiet && !show;
  const every = interactive ? 250 : 30_000;
  const ticker =
    quiet || show
      ? undefined
      : setInterval(() => {
          const time = seconds(Date.now() - started);
          if (interactive) {
            const width = (process.stdout.columns ?? 80) - 1;
            process.stdout.write(`\r\x1b[K${`      ${time}  ${lastLine}`.slice(0, width)}`);
          } else {
            process.stdout.write(`      ${label ?? command}: ${time} …\n`);
          }
        }, every);
  const timer = timeout === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), timeout);

  return new Promise((resolve, reject) => {
    const finish = (code) => {
      running.delete(child);
      clearInterval(ticker);
      clearTimeout(timer);
      if (interactive) process.stdout.write('\r\x1b[K');
      file?.end();
      const output = Buffer.concat(chunks).toString();
      if (code === 0 || allowFailure) resolve({ code, output });
      else {
        reject(
          new CommandFailed(
            label ?? [command, ...args].join(' '),
            code,
            output.trimEnd().split('\n').slice(-40).join('\n'),
          ),
        );
      }
    };
    child.on('error', (error) => {
      collect(process.stderr)(Buffer.from(`${command}: ${error.message}\n`));
      finish(127);
    });
    child.on('close', (code, signal) => finish(code ?? signal));
  });
}
