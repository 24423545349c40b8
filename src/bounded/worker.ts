/** The thread of runBounded: does one job after the other and answers with its result or its error, as plain data. */
import { types } from 'node:util';
import { parentPort } from 'node:worker_threads';
import { asEspalierError } from '../door.js';
import type { ErrorCode, ErrorDetails } from '../errors.js';

export interface JobRequest {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  /** The source as the user named it. */
  readonly what: string;
}

export type JobAnswer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: ErrorDetails;
      readonly cause: unknown;
    };

/** Smaller buffers are copied: they may lie in a pool that cannot be handed over. */
const WORTH_HANDING_OVER = 64 * 1024;

/** The buffers of a result, each once: they are handed over, not copied. */
function buffersOf(
  value: unknown,
  found = new Set<ArrayBuffer>(),
  seen = new Set<object>(),
): Set<ArrayBuffer> {
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  if (ArrayBuffer.isView(value)) {
    const { buffer } = value;
    if (types.isArrayBuffer(buffer) && buffer.byteLength >= WORTH_HANDING_OVER) found.add(buffer);
    return found;
  }
  for (const inner of Object.values(value)) buffersOf(inner, found, seen);
  return found;
}

function failure(error: unknown, what: string): JobAnswer {
  const ours = asEspalierError(error, what);
  const { code, message, details } = ours;
  const cause = ours.cause instanceof Error ? ours.cause.stack : ours.stack;
  return { ok: false, code, message, details: plain(details), cause };
}

/** Details are for people and logs: what cannot be sent goes as text. */
function plain(details: ErrorDetails): ErrorDetails {
  try {
    return structuredClone(details);
  } catch {
    return Object.fromEntries(Object.entries(details).map(([key, value]) => [key, String(value)]));
  }
}

/** Hands buffers over where they can be; some cannot (the memory of a WebAssembly module): then all is copied. */
function answer(message: JobAnswer & { ok: true }): void {
  try {
    parentPort?.postMessage(message, [...buffersOf(message.value)]);
  } catch (error) {
    if ((error as Error).name !== 'DataCloneError') throw error;
    parentPort?.postMessage(message);
  }
}

parentPort?.on('message', ({ module, name, args, what }: JobRequest) => {
  void (async () => {
    try {
      const functions = (await import(module)) as Record<string, (...given: unknown[]) => Promise<unknown>>;
      const value = await functions[name]!(...args);
      answer({ ok: true, value });
    } catch (error) {
      parentPort?.postMessage(failure(error, what));
    }
  })();
});
