/**
 * The process that one rival lives in. It imports nothing but Node until it is told what to load, so that memory and
 * time are the rival's own, and it computes only while the parent asks for it.
 */
import { types } from 'node:util';
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { measure, serve, type MeasureRequest, type ServeRequest } from './loops.js';
import type { Rival, RivalContext, RivalInput, RivalOutputs } from './rival.js';

export type Request =
  | { do: 'load'; module: string; variant?: string; context: RivalContext }
  /** Sets the inputs of the calls to come and answers the outputs. */
  | { do: 'compute'; inputs: RivalInput[] }
  | ({ do: 'measure' } & MeasureRequest)
  | ({ do: 'serve' } & ServeRequest)
  /** Whatever else a built-in rival can tell. */
  | { do: 'ask'; what: string; given: unknown }
  | { do: 'memory' }
  | { do: 'dispose' };

export interface Loaded {
  name: string;
  versions: Record<string, string>;
  note?: string;
  loadMs: number;
}
export interface Computed {
  outputs: RivalOutputs;
  /** Of this one call, `prepare` included. */
  firstMs: number;
}
export interface Memory {
  /** Bytes. */
  rss: number;
  peakRss: number;
}
export type Answer = { ok: true; value: unknown } | { ok: false; message: string; code?: string };

type Call = () => RivalOutputs | Promise<RivalOutputs>;
let rival: Rival | undefined;
let call: Call | undefined;

async function load(request: Extract<Request, { do: 'load' }>): Promise<Loaded> {
  const started = performance.now();
  const url = existsSync(request.module) ? pathToFileURL(request.module).href : request.module;
  const found = (await import(url)) as Record<string, unknown>;
  const made = found['make'];
  const exported =
    request.variant !== undefined && typeof made === 'function'
      ? (made as (variant: string) => unknown)(request.variant)
      : (found['rival'] ?? found['default']);
  rival = checkRival(exported);
  await rival.load(request.context);
  const loadMs = performance.now() - started;
  return { name: rival.name, versions: rival.versions?.() ?? {}, note: rival.note?.(), loadMs };
}

function checkRival(value: unknown): Rival {
  const candidate = value as Partial<Rival> | null | undefined;
  for (const method of ['load', 'run', 'dispose'] as const) {
    if (typeof candidate?.[method] !== 'function') {
      throw new TypeError(
        `rival.${method}: expected a function, received ${typeof candidate?.[method]}; ` +
          'the module must export { name, load, run, dispose } as default or as `rival`',
      );
    }
  }
  if (typeof candidate?.name !== 'string' || candidate.name === '') {
    throw new TypeError(`rival.name: expected a name, received ${typeof candidate?.name}`);
  }
  return candidate as Rival;
}

async function compute(inputs: RivalInput[]): Promise<Computed> {
  const loaded = rival;
  if (loaded === undefined) throw new Error('nothing is loaded');
  const started = performance.now();
  call = loaded.prepare === undefined ? () => loaded.run(inputs) : await loaded.prepare(inputs);
  const outputs = await call();
  const firstMs = performance.now() - started;
  if (!Array.isArray(outputs) || !outputs.every((output) => types.isFloat32Array(output))) {
    throw new TypeError('run: expected an array of Float32Array, one for each output');
  }
  // Copies: a rival may answer with the buffers it writes into again.
  return { outputs: outputs.map((output) => output.slice()), firstMs };
}

function prepared(): Call {
  if (call === undefined) throw new Error('nothing is computed yet');
  return call;
}

async function ask(what: string, given: unknown): Promise<unknown> {
  if (rival?.ask === undefined) throw new Error(`${rival?.name ?? 'nothing'} answers no questions`);
  return rival.ask(what, given);
}

/** Linux carries getrusage's maximum over from the process that started this one: its own is in /proc. */
function peakRss(): number {
  let own: string | undefined;
  try {
    own = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  } catch {
    // Elsewhere there is no such file, and no such inheritance.
  }
  return (own === undefined ? process.resourceUsage().maxRSS : Number(own)) * 1024;
}

function memory(): Memory {
  return { rss: process.memoryUsage.rss(), peakRss: peakRss() };
}

async function answer(request: Request): Promise<unknown> {
  switch (request.do) {
    case 'load':
      return load(request);
    case 'compute':
      return compute(request.inputs);
    case 'measure':
      return measure(prepared(), request);
    case 'serve':
      return serve(prepared(), request);
    case 'ask':
      return ask(request.what, request.given);
    case 'memory':
      return memory();
    case 'dispose':
      call = undefined;
      await rival?.dispose();
      rival = undefined;
      return undefined;
  }
}

process.on('message', (request: Request) => {
  answer(request).then(
    (value) => process.send?.({ ok: true, value } satisfies Answer),
    (error: unknown) => {
      const { message, code } = error as { message?: string; code?: string };
      process.send?.({ ok: false, message: message ?? String(error), code } satisfies Answer);
    },
  );
});
// Ctrl-C reaches the whole group: the parent ends its children when it has what it wants to keep.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
