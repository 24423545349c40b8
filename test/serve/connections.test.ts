/** Clients as a server meets them: ten thousand at a time, half-open ones, and bodies that lie about their length. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { convertModel } from '../../src/index.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../golden/models/mlp_regression/model.json', import.meta.url));
/** Files that a process may open: Node takes the hard limit. */
const files = Number(spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout) || Infinity;

let port = 0;
let pid = 0;

beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), 'espalier-connections-'));
  await mkdir(join(root, 'm/1'), { recursive: true });
  await convertModel(GOLDEN, join(root, 'm/1/model.esp'));
  const child = spawn(process.execPath, [MAIN, 'serve', root, '--http-port', '0', '--no-grpc'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  pid = child.pid!;
  port = await new Promise<number>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /serving on http:\/\/[^ ]*:(\d+)/.exec(text);
      if (found !== null) resolve(Number(found[1]));
    });
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return async () => {
    child.kill('SIGKILL');
    await rm(root, { recursive: true, force: true });
  };
}, 30_000);

const body = JSON.stringify({
  inputs: [{ name: 'input_1', shape: [1, 10], datatype: 'FP32', data: new Array(10).fill(0.5) }],
});
const head = (length: number | string, more = '') =>
  `POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n${more}\r\n`;
const live = 'GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n';

async function open(): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** What the server answers until it closes the connection. */
async function talk(text: string, end = false): Promise<string> {
  const socket = await open();
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.write(text);
  if (end) socket.end();
  await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  socket.destroy();
  return answer;
}

async function serves(): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/models/m/infer`, { method: 'POST', body });
  expect(answer.status, await answer.clone().text()).toBe(200);
}

describe('connections', () => {
  test.skipIf(files < 11_000)(
    '10,000 held open (needs a hard limit of 11,000 open files)',
    async () => {
      const sockets: Socket[] = [];
      let answered = 0;
      for (let from = 0; from < 10_000; from += 500) {
        const some = await Promise.all(Array.from({ length: 500 }, open));
        sockets.push(...some);
        // Each is a client that has asked once and may ask again.
        await Promise.all(
          some.map(async (socket) => {
            socket.write(live);
            const [chunk] = (await once(socket, 'data')) as [Buffer];
            if (/^HTTP\/1.1 200/.test(chunk.toString())) answered += 1;
          }),
        );
      }
      expect(answered).toBe(10_000);
      await serves();
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const rss = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
      expect(rss).toBeLessThan(600);
      // None of them was closed meanwhile: the first and the last still get an answer.
      for (const socket of [sockets[0]!, sockets[9_999]!]) {
        socket.write(live);
        expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200/);
      }
      for (const socket of sockets) socket.resetAndDestroy();
      await serves();
    },
    60_000,
  );

  test('a client that closes its half after a whole request has left, as Node has it, or is answered', async () => {
    expect(await talk(head(body.length) + body, true)).toMatch(/^$|^HTTP\/1.1 200[^]*"outputs"/);
    await serves();
  });

  test('one that closes its half, or is gone, within a body leaves nothing behind', async () => {
    expect(await talk(head(body.length) + body.slice(0, 40), true)).not.toMatch(/^HTTP\/1.1 200/);
    for (let i = 0; i < 200; i++) {
      const socket = await open();
      socket.write(head(body.length) + body.slice(0, i % body.length));
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await serves();
    const inFlight = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return /^espalier_in_flight (\d+)/m.exec(metrics)?.[1];
    };
    await expect.poll(inFlight).toBe('0');
  });

  test('bodies that are shorter or longer than they say', async () => {
    // Cut off: JSON that ends early. The bytes after it are no request, whether they are still looked at or not.
    const short = await talk(head(body.length - 5) + body);
    expect(new Set(short.match(/HTTP\/1.1 \d+/g))).toEqual(new Set(['HTTP/1.1 400']));
    const long = await talk(`${head(body.length)}${body}GARBAGE\r\n\r\n`);
    // Node's parser may come to what follows before the answer is there.
    expect(long).toMatch(/^(?:HTTP\/1.1 200[^]*)?HTTP\/1.1 400/);
    for (const length of ['-1', '1e3', '0x10', '99999999999999999999', '10, 10']) {
      expect(await talk(head(length) + body), length).toMatch(/^HTTP\/1.1 4\d\d/);
    }
    // Two lengths, or a length and chunks: how requests are smuggled.
    expect(await talk(head(3, `Content-Length: ${body.length}\r\n`) + body)).toMatch(/^HTTP\/1.1 400/);
    expect(await talk(head(body.length, 'Transfer-Encoding: chunked\r\n') + body)).toMatch(/^HTTP\/1.1 400/);
    const chunked = 'POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await talk(`${chunked}5\r\n${body}\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1.1 400/);
    expect(await talk(`${chunked}zz\r\n${body}\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1.1 400/);
    // More of a binary tensor than there is, and less.
    for (const size of [39, 41, 4_000_000_000]) {
      const json = JSON.stringify({
        inputs: [
          {
            ...{ name: 'input_1', shape: [1, 10], datatype: 'FP32' },
            parameters: { binary_data_size: size },
          },
        ],
      });
      const header = `Inference-Header-Content-Length: ${json.length}\r\nConnection: close\r\n`;
      const answer = await talk(head(json.length + 40, header) + json + '\0'.repeat(40));
      expect(answer, String(size)).toMatch(/^HTTP\/1.1 400/);
    }
    await serves();
  });
});
