/**
 * The short way of inference over HTTP: requests of the common form go from Node's HTTP server straight to the
 * exchange, for a core that has just run a network has nothing of the longer way in its caches any more. Whatever is
 * out of the ordinary is left to Fastify, which answers it the long way.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Exchange, failureAnswer, type HttpAnswer, type ExchangeOptions } from './exchange.js';
import type { ServedVersion } from './version.js';

export interface ShortcutOptions extends ExchangeOptions {
  readonly authorize: ((authorization: string | undefined) => void) | undefined;
  /** False where Fastify must see every request: its log, or hooks that an application added. */
  readonly open: () => boolean;
}

interface Asked {
  readonly model: string;
  readonly version: string | undefined;
  /** What would serve it now; it may be another once the body is there. */
  readonly served: ServedVersion;
}

const INFER = /^\/v2\/models\/([A-Za-z0-9_][A-Za-z0-9._-]{0,127})(?:\/versions\/([0-9]{1,20}))?\/infer$/;

/** Listens in the place of `long`, which gets what is not taken here. */
export function shortcut(options: ShortcutOptions, long: RequestListener): RequestListener {
  const { core } = options;
  return (request, response) => {
    const asked = options.open() ? askedFor(request) : undefined;
    if (asked === undefined) long(request, response);
    else take(asked, request, response);
  };

  /** What a request of the common form asks for, where that is served. */
  function askedFor(request: IncomingMessage): Asked | undefined {
    if (request.method !== 'POST' || !core.loaded) return undefined;
    const { headers } = request;
    const length = headers['content-length'];
    if (length === undefined || headers['transfer-encoding'] !== undefined || headers.upgrade !== undefined)
      return undefined;
    // Longer bodies are refused the long way.
    if (Number(length) > core.limits.maxBodyBytes) return undefined;
    const found = INFER.exec(request.url ?? '');
    if (found === null) return undefined;
    const [, model = '', version] = found;
    const served = core.repository.peek(model, version);
    return served === undefined ? undefined : { model, version, served };
  }

  function take({ model, version, served }: Asked, request: IncomingMessage, response: ServerResponse): void {
    const { headers } = request;
    let exchange: Exchange;
    try {
      options.authorize?.(headers.authorization);
      // The body of a request that would be refused all the same is not waited for.
      served.batcher.refuseIfFull();
      exchange = new Exchange(options, headers);
    } catch (error) {
      const answer = failureAnswer(core, error);
      send(response, answer);
      core.metrics.refused('http', answer.status);
      return;
    }
    // Comes after the answer, and also where the client went away before it.
    response.once('close', () => exchange.close(response.writableFinished));
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    request.on('data', (chunk: Buffer) => {
      if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
    });
    request.on('end', () => {
      const body = more === undefined ? (first ?? EMPTY) : Buffer.concat(more);
      exchange.infer(model, version, body, (answer) => send(response, answer));
    });
  }
}

const EMPTY = Buffer.alloc(0);

function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  if (response.destroyed) return;
  const length = typeof body === 'string' ? Buffer.byteLength(body, 'latin1') : body.length;
  response.writeHead(status, [...headers, 'content-length', String(length)]);
  response.end(body, 'latin1');
}
