/**
 * One inference over HTTP, from its headers to its answer. Fastify's route and the short way of our own server
 * (`shortcut.ts`) share it: they bring the body and send the answer.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { acceptedEncoding, compress, decompress } from './compression.js';
import type { InferenceCore } from './core.js';
import { failureOf } from './failures.js';
import { encodeInferResponse, headerLength, parseInferRequest, type EncodedResponse } from './rest-codec.js';
import { headerGetter, startSpan, traceId, type InferSpan } from './tracing.js';
import type { InferRequest } from './types.js';
import type { ServedVersion } from './version.js';

export interface ErrorLog {
  error(details: object, message: string): void;
}

export interface ExchangeOptions {
  readonly core: InferenceCore;
  readonly compression: boolean;
  readonly log: ErrorLog;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names and values in turn, but for content-length. */
  readonly headers: string[];
  /** Text stands for bytes, one a character. */
  readonly body: Buffer | string;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** Smaller tensors are worth one more copy to send them in one piece with their header. */
const SMALL = 4096;

/** What is told of a failure. */
export function failureAnswer(core: InferenceCore, error: unknown): HttpAnswer {
  const { status, message, retryAfter } = failureOf(error);
  const headers = ['content-type', JSON_TYPE];
  if (retryAfter !== undefined) headers.push('retry-after', String(retryAfter));
  if (status === 401) headers.push('www-authenticate', 'Bearer');
  if (core.draining) headers.push('connection', 'close');
  return { status, headers, body: Buffer.from(JSON.stringify({ error: message })).toString('latin1') };
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #headers: IncomingHttpHeaders;
  readonly #leave: () => void;
  readonly #began = performance.now();
  readonly #span: InferSpan | undefined;
  #served: ServedVersion | undefined;
  #cancel: (() => void) | undefined;
  #send: ((answer: HttpAnswer) => void) | undefined;

  /** Before the body is read: throws OVERLOADED where the server has enough to do. `close` must follow. */
  constructor(options: ExchangeOptions, headers: IncomingHttpHeaders) {
    this.#leave = options.core.enter();
    this.#options = options;
    this.#headers = headers;
    this.#span = startSpan('ModelInfer', headers, headerGetter, { 'rpc.system': 'http' });
  }

  /** The answer is sent, or (`finished` false) the client went away before it. */
  close(finished: boolean): void {
    this.#leave();
    if (!finished) this.#cancel?.();
  }

  /** Ends what the trace tells of a request that was answered otherwise. */
  end(status: number, error: unknown): void {
    this.#span?.end(status, error);
  }

  /** Runs the body and sends its answer, once; errors are answers too. */
  infer(model: string, version: string | undefined, body: Buffer, send: (answer: HttpAnswer) => void): void {
    this.#send = send;
    let served: ServedVersion;
    try {
      served = this.#options.core.find(model, version);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#served = served;
    served.retain();
    const encoding = this.#headers['content-encoding'];
    if (encoding === undefined) this.#run(served, body);
    else {
      decompress(body, encoding, this.#options.core.limits.maxBodyBytes).then(
        (bytes) => this.#run(served, bytes),
        (error: unknown) => this.#fail(error),
      );
    }
  }

  /** Sends what is told of an error, and counts it. */
  #fail(error: unknown): void {
    const { core, log } = this.#options;
    const answer = failureAnswer(core, error);
    const { status } = answer;
    if (status >= 500 && status !== 503) {
      log.error({ err: error, traceId: traceId(this.#headers.traceparent) }, 'request failed');
    }
    this.#send?.(answer);
    const served = this.#served;
    if (served === undefined) core.metrics.refused('http', status);
    else {
      served.release();
      core.answered(served, 'http', status, false, performance.now() - this.#began);
    }
    this.#span?.end(status, error);
  }

  #run(served: ServedVersion, body: Buffer): void {
    try {
      const jsonLength = headerLength(this.#headers['inference-header-content-length'], body.length);
      const { core } = this.#options;
      const request = parseInferRequest(body, jsonLength, served, core.limits, served.plans);
      this.#span?.model(served.name, served.version, request.rows);
      this.#cancel = core.start(served, request, (error, tensors) => {
        if (tensors === undefined) this.#fail(error);
        else this.#answer(served, request, tensors);
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  #answer(served: ServedVersion, request: InferRequest, tensors: readonly Float32Array[]): void {
    let encoded: EncodedResponse;
    try {
      encoded = encodeInferResponse(
        {
          model: served.name,
          version: served.version,
          id: request.id,
          parameters: request.parameters,
          rows: request.rows,
          tensors,
          outputs: request.outputs,
          plan: request.plan,
        },
        served.outputs,
      );
    } catch (error) {
      this.#fail(error);
      return;
    }
    const wish = this.#options.compression
      ? acceptedEncoding(this.#headers['accept-encoding'], encoded.length)
      : undefined;
    if (wish === undefined) this.#finish(served, encoded, wholeOf(encoded), undefined);
    else {
      compress(Buffer.concat(encoded.parts), wish).then(
        (bytes) => this.#finish(served, encoded, bytes, wish),
        (error: unknown) => this.#fail(error),
      );
    }
  }

  #finish(
    served: ServedVersion,
    encoded: EncodedResponse,
    body: Buffer | string,
    encoding: string | undefined,
  ): void {
    const { core } = this.#options;
    const headers =
      encoded.headerLength === undefined
        ? ['content-type', JSON_TYPE]
        : [
            'content-type',
            'application/octet-stream',
            'inference-header-content-length',
            String(encoded.headerLength),
          ];
    if (encoding !== undefined) headers.push('content-encoding', encoding);
    // On a server that drains, clients look for another one.
    if (core.draining) headers.push('connection', 'close');
    this.#send?.({ status: 200, headers, body });
    served.release();
    // The client has its answer before it is counted.
    core.answered(served, 'http', 200, true, performance.now() - this.#began);
    this.#span?.end(200);
  }
}

/** Small answers as text of one byte a character: Node sends that in one piece with its headers. */
function wholeOf({ parts, length }: EncodedResponse): Buffer | string {
  if (length > SMALL) return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  let text = '';
  for (const part of parts) text += part.toString('latin1');
  return text;
}
