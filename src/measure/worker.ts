/**
 * The process that one rival lives in. It imports nothing but Node until it is told what to load, so that memory and
 * time are the rival's own, and it computes only while the parent asks for it.
 */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Rival, RivalContext, RivalInput, RivalOutputs } from './rival.js';

export type Request =
  | { do: 'load'; module: string; variant?: string; context: RivalContext }
  /** Sets the inputs of the calls to come and answers the outputs. */
  | { do: 'compute'; inputs: RivalInput[] }
  /** At least `warmUp` calls, then calls for `seconds` and at least `atLeast` samples. */
  | { do: 'measure'; warmUp: number; seconds: number; atLeast: number }
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
export interface Measured {
  /** Microseconds a call; where callsPerSample > 1 each number is the mean of that many calls in a loop. */
  samples: Float64Array;
  callsPerSample: number;
}
export interface Memory {
  /** Bytes. */
  rss: number;
  peakRss: number;
}
export type Answer = { ok: true; value: unknown } | { ok: false; message: string; code?: string };

/** Shorter samples than this drown in the clock (about 0.05 µs to read it): calls are looped to reach it. */
const SHORTEST_SAMPLE_US = 20;

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
  if (!Array.isArray(outputs) || !outputs.every((output) => output instanceof Float32Array)) {
    throw new TypeError('run: expected an array of Float32Array, one for each output');
  }
  // Copies: a rival may answer with the buffers it writes into again.
  return { outputs: outputs.map((output) => output.slice()), firstMs };
}

async function measure(request: Extract<Request, { do: 'measure' }>): Promise<Measured> {
  if (call === undefined) throw new Error('nothing is computed yet');
  const timed = call;
  let isAsync = false;
  let quickest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < Math.max(request.warmUp, 1); i++) {
    const started = performance.now();
    const answer = timed();
    if (answer instanceof Promise) {
      isAsync = true;
      await answer;
    }
    quickest = Math.min(quickest, performance.now() - started);
  }
  return isAsync ? measureAsync(timed, request) : measureSync(timed, request, quickest * 1000);
}

async function measureAsync(timed: Call, request: { seconds: number; atLeast: number }): Promise<Measured> {
  const samples: number[] = [];
  const end = performance.now() + request.seconds * 1000;
  let now = performance.now();
  while (now < end || samples.length < request.atLeast) {
    await timed();
    const after = performance.now();
    samples.push((after - now) * 1000);
    now = performance.now();
  }
  return { samples: Float64Array.from(samples), callsPerSample: 1 };
}

function measureSync(timed: Call, request: { seconds: number; atLeast: number }, guessUs: number): Measured {
  let callsPerSample = 1;
  if (guessUs < SHORTEST_SAMPLE_US) {
    // A single call cannot be timed: how long a thousand take tells how many make a sample.
    const started = performance.now();
    for (let i = 0; i < 1000; i++) void timed();
    const each = (performance.now() - started) * 1000 * 1e-3;
    callsPerSample = Math.max(1, Math.ceil(SHORTEST_SAMPLE_US / Math.max(each, 0.001)));
  }
  const samples: number[] = [];
  const end = performance.now() + request.seconds * 1000;
  let now = performance.now();
  while (now < end || samples.length < request.atLeast) {
    for (let i = 0; i < callsPerSample; i++) void timed();
    const after = performance.now();
    samples.push(((after - now) * 1000) / callsPerSample);
    now = performance.now();
  }
  return { samples: Float64Array.from(samples), callsPerSample };
}

function memory(): Memory {
  return { rss: process.memoryUsage.rss(), peakRss: process.resourceUsage().maxRSS * 1024 };
}

async function answer(request: Request): Promise<unknown> {
  switch (request.do) {
    case 'load':
      return load(request);
    case 'compute':
      return compute(request.inputs);
    case 'measure':
      return measure(request);
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
