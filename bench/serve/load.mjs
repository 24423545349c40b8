/** A load generator over plain sockets, cheap enough that one core asks more than a server on another can answer. */
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** A POST of these bytes, ready to be written; the header of the binary extension where `jsonLength` is given. */
export function requestOf(path, body, jsonLength) {
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: bench',
    'Content-Type: application/octet-stream',
    `Content-Length: ${body.length}`,
    ...(jsonLength === undefined ? [] : [`Inference-Header-Content-Length: ${jsonLength}`]),
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

/** One kept connection: `ask` answers { status, milliseconds }, or rejects where a request gets no whole answer. */
class Connection {
  #socket;
  #waiting;
  #text = Buffer.alloc(0);
  #began = 0;

  constructor(port) {
    this.port = port;
  }

  async open() {
    if (this.#socket !== undefined && !this.#socket.destroyed) return;
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) => reject(Object.assign(error, { unsent: true })));
    });
    this.#socket = socket;
    this.#text = Buffer.alloc(0);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#waiting?.reject(new Error('closed before the answer')));
  }

  #read(chunk) {
    this.#text = this.#text.length === 0 ? chunk : Buffer.concat([this.#text, chunk]);
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#text.latin1Slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)[1]);
    if (this.#text.length < end + 4 + length) return;
    this.#text = Buffer.alloc(0);
    const waiting = this.#waiting;
    // 408 to a connection that nothing was asked on.
    if (waiting === undefined) return this.close();
    this.#waiting = undefined;
    if (/connection: close/i.test(head)) this.close();
    waiting.resolve({ status: Number(head.slice(9, 12)), milliseconds: performance.now() - this.#began });
  }

  async ask(request, due) {
    await this.open();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#began = due ?? performance.now();
      this.#socket.write(request);
    });
  }

  close() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

function tell(answers, failed, seconds) {
  const of = (status) =>
    answers
      .filter((a) => a.status === status)
      .map(({ milliseconds }) => milliseconds)
      .sort((a, b) => a - b);
  const [good, refused] = [of(200), of(429)];
  return {
    perSecond: good.length / seconds,
    p50: quantile(good, 0.5),
    p99: quantile(good, 0.99),
    answered: good.length,
    refused: refused.length,
    refusedP50: quantile(refused, 0.5),
    refusedP99: quantile(refused, 0.99),
    other: answers.length - good.length - refused.length,
    failed,
  };
}

/** Every connection asks as soon as it is answered. */
export async function closedLoop(port, request, { connections, seconds, stop = () => false }) {
  const answers = [];
  let failed = 0;
  const began = performance.now();
  const one = async () => {
    const connection = new Connection(port);
    while (performance.now() - began < seconds * 1000 && !stop()) {
      try {
        answers.push(await connection.ask(request));
      } catch (error) {
        if (error.unsent) break;
        failed += 1;
      }
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, one));
  return tell(answers, failed, (performance.now() - began) / 1000);
}

/**
 * Requests come at random (Poisson) at a rate, whether or not those before are answered, over `most` connections, which
 * are all open before: a busy server accepts one a turn. A request's time counts from when it was due.
 */
export async function openLoop(port, request, { perSecond, seconds, most = 256 }) {
  const answers = [];
  const free = Array.from({ length: most }, () => new Connection(port));
  await Promise.all(free.map((connection) => connection.open()));
  const open = new Set();
  let [failed, made, unsent] = [0, free.length, 0];
  const began = performance.now();
  const gap = () => (-1000 * Math.log(1 - Math.random())) / perSecond;
  let due = began + gap();
  while (performance.now() - began < seconds * 1000) {
    for (; due <= performance.now(); due += gap()) {
      const connection = free.pop() ?? (made < most ? (made++, new Connection(port)) : undefined);
      if (connection === undefined) {
        unsent += 1;
        continue;
      }
      const asked = connection
        .ask(request, due)
        .then((answer) => answers.push(answer))
        .catch(() => (failed += 1))
        .finally(() => {
          free.push(connection);
          open.delete(asked);
        });
      open.add(asked);
    }
    // Not a timer: those are a millisecond late, and the core is ours.
    await turn();
  }
  await Promise.all(open);
  for (const connection of free) connection.close();
  return { ...tell(answers, failed, seconds), unsent };
}

/** Rounds of servers in turn, by their names: each over 32 connections, then over one. */
export async function inTurn(servers, request, rounds, seconds) {
  const found = Object.fromEntries(Object.keys(servers).map((name) => [name, { many: [], one: [] }]));
  for (let i = -1; i < rounds; i++) {
    for (const [name, { port }] of Object.entries(servers)) {
      const many = await closedLoop(port, request, { connections: 32, seconds });
      const one = await closedLoop(port, request, { connections: 1, seconds: seconds / 2 });
      // The first round warms up.
      if (i >= 0) {
        found[name].many.push(many);
        found[name].one.push(one);
      }
    }
  }
  return found;
}
