/** The short way of inference answers as the long one does, and leaves to it what is out of the ordinary. */
import { connect } from 'node:net';
import Fastify from 'fastify';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { espalierPlugin } from '../../src/serve.js';
import { Plans } from '../../src/serve/plans.js';
import { encodeInferResponse, parseInferRequest } from '../../src/serve/rest-codec.js';
import { portOf } from '../../src/serve/version.js';
import { binaryBody, fakeLoader, post, putModel, repositoryOf, serve } from './fake.js';

const MODELS = {
  'sum/1/model.esp': {},
  'sum/2/model.esp': { offset: 100 },
  'two/1/model.esp': { inputs: { a: [2], b: [1] }, outputs: { y: [1], z: [2, 2] } },
};

/** The same models behind the routes of Fastify alone. */
async function longWay(options: object = {}) {
  const app = Fastify();
  await app.register(espalierPlugin, {
    models: [await repositoryOf(MODELS)],
    loader: fakeLoader,
    ...options,
  });
  onTestFinished(() => app.close());
  return async (path: string, body: Buffer, headers: Record<string, string>) => {
    const answer = await app.inject({ method: 'POST', url: path, payload: body, headers });
    return { status: answer.statusCode, headers: answer.headers, body: answer.rawPayload.toString('latin1') };
  };
}

const json = (value: object) => ({
  body: Buffer.from(JSON.stringify(value)),
  headers: { 'content-type': 'application/json' },
});
const x = (rows: number) => ({
  name: 'x',
  shape: [rows, 4],
  datatype: 'FP32',
  parameters: { binary_data_size: 16 * rows },
});
const rows = (n: number) => Float32Array.from({ length: 4 * n }, (_, i) => i + 0.5);
const binary = { binary_data_output: true };

const CASES: [string, string, { body: Buffer; headers: Record<string, string> }][] = [
  [
    'JSON',
    '/v2/models/sum/infer',
    json({ id: 'ä-7', inputs: [{ ...x(1), parameters: {}, data: [1, 2, 3, 4] }] }),
  ],
  [
    'a version',
    '/v2/models/sum/versions/1/infer',
    binaryBody({ inputs: [x(2)], parameters: binary }, rows(2)),
  ],
  ['the newest', '/v2/models/sum/infer', binaryBody({ inputs: [x(2)], parameters: binary }, rows(2))],
  [
    'an id and parameters',
    '/v2/models/sum/infer',
    binaryBody({ id: 'ä', inputs: [x(1)], parameters: { ...binary, mine: 7 } }, rows(1)),
  ],
  ['binary in, JSON out', '/v2/models/sum/infer', binaryBody({ inputs: [x(3)] }, rows(3))],
  [
    'raw',
    '/v2/models/sum/infer',
    { body: Buffer.from(rows(2).buffer), headers: { 'inference-header-content-length': '0' } },
  ],
  [
    'two of each, in another order, one output asked for',
    '/v2/models/two/infer',
    binaryBody(
      {
        inputs: [
          { name: 'b', shape: [1, 1], datatype: 'FP32', parameters: { binary_data_size: 4 } },
          { name: 'a', shape: [1, 2], datatype: 'FP64', parameters: { binary_data_size: 16 } },
        ],
        outputs: [{ name: 'z', parameters: { binary_data: true } }, { name: 'y' }],
      },
      new Float32Array([3]),
      new Float64Array([1, 2]),
    ),
  ],
  [
    'more answer than is sent in one piece',
    '/v2/models/sum/infer',
    binaryBody({ inputs: [x(600)], parameters: binary }, rows(600)),
  ],
  ['a body that is cut', '/v2/models/sum/infer', binaryBody({ inputs: [x(2)] }, rows(1))],
  ['a body with more', '/v2/models/sum/infer', binaryBody({ inputs: [x(1)] }, rows(2))],
  ['a name of no input', '/v2/models/sum/infer', binaryBody({ inputs: [{ ...x(1), name: 'ü' }] }, rows(1))],
  ['no JSON', '/v2/models/sum/infer', { body: Buffer.from('{'), headers: {} }],
  [
    'an encoding that is none',
    '/v2/models/sum/infer',
    { body: Buffer.from('{'), headers: { 'content-encoding': 'gzip' } },
  ],
  ['a model that is none', '/v2/models/other/infer', json({})],
  ['a version that is none', '/v2/models/sum/versions/9/infer', json({})],
  [
    'a header longer than the body',
    '/v2/models/sum/infer',
    { body: Buffer.from('{}'), headers: { 'inference-header-content-length': '3' } },
  ],
];

describe('the short way', () => {
  test('answers byte for byte as the long one does, again and again', async () => {
    const { url } = await serve(MODELS);
    const long = await longWay();
    for (const [name, path, { body, headers }] of [...CASES, ...CASES]) {
      const answer = await post(`${url}${path}`, body, { 'accept-encoding': 'identity', ...headers });
      const expected = await long(path, body, { 'content-type': 'application/json', ...headers });
      const shown = ['content-type', 'content-length', 'inference-header-content-length', 'retry-after'];
      expect([answer.status, answer.bytes.toString('latin1')], name).toEqual([
        expected.status,
        expected.body,
      ]);
      expect(
        shown.map((header) => answer.headers.get(header)),
        name,
      ).toEqual(
        shown.map((header) =>
          expected.headers[header] === undefined ? null : String(expected.headers[header]),
        ),
      );
    }
  });

  test('compresses an answer that asks for it', async () => {
    const { url } = await serve(MODELS);
    const { body, headers } = binaryBody({ inputs: [x(600)], parameters: binary }, rows(600));
    const plain = await post(`${url}/v2/models/sum/infer`, body, {
      ...headers,
      'accept-encoding': 'identity',
    });
    const packed = await post(`${url}/v2/models/sum/infer`, body, { ...headers, 'accept-encoding': 'gzip' });
    expect([plain.headers.get('content-encoding'), packed.headers.get('content-encoding')]).toEqual([
      null,
      'gzip',
    ]);
    expect(packed.bytes.equals(plain.bytes)).toBe(true);
  });

  test('a refusal comes before the body', async () => {
    const { server } = await serve(
      { 'sum/1/model.esp': { milliseconds: 200 } },
      { limits: { maxConcurrency: 1 } },
    );
    const { port } = server.app.server.address() as { port: number };
    const first = post(
      `http://127.0.0.1:${port}/v2/models/sum/infer`,
      json({ inputs: [{ ...x(1), parameters: {}, data: [1, 2, 3, 4] }] }).body,
    );
    await expect.poll(() => server.core.inFlight).toBe(1);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('POST /v2/models/sum/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{'),
      );
      socket.once('data', (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 429 /);
    expect(answer).toMatch(/retry-after: 1\r\n/i);
    expect((await first).status).toBe(200);
  });

  test('a request that is broken off gives its place back', async () => {
    const { server, url } = await serve({ 'sum/1/model.esp': {} }, { limits: { maxConcurrency: 1 } });
    const { port } = server.app.server.address() as { port: number };
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('POST /v2/models/sum/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{'),
    );
    await expect.poll(() => server.core.inFlight).toBe(1);
    socket.destroy();
    await expect.poll(() => server.core.inFlight).toBe(0);
    expect(
      (
        await post(
          `${url}/v2/models/sum/infer`,
          json({ inputs: [{ ...x(1), parameters: {}, data: [1, 2, 3, 4] }] }).body,
        )
      ).status,
    ).toBe(200);
  });

  test('a body that comes in pieces, and one without a length, are answered', async () => {
    const { server, url } = await serve(MODELS);
    const { port } = server.app.server.address() as { port: number };
    const { body, headers } = binaryBody({ inputs: [x(600)], parameters: binary }, rows(600));
    const whole = await post(`${url}/v2/models/sum/infer`, body, headers);
    const length = headers['inference-header-content-length'];
    const pieces = await new Promise<Buffer>((resolve, reject) => {
      const send = async () => {
        socket.write(
          `POST /v2/models/sum/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\nInference-Header-Content-Length: ${length}\r\nContent-Length: ${body.length}\r\n\r\n`,
        );
        for (let at = 0; at < body.length; at += 3000) {
          socket.write(body.subarray(at, at + 3000));
          await new Promise((done) => setTimeout(done, 2));
        }
      };
      const socket = connect(port, '127.0.0.1', () => void send());
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('end', () => resolve(Buffer.concat(chunks)));
      socket.on('error', reject);
    });
    expect(pieces.subarray(pieces.indexOf('\r\n\r\n') + 4).equals(whole.bytes)).toBe(true);
    const chunked = await fetch(`${url}/v2/models/sum/infer`, {
      method: 'POST',
      headers,
      body: new Blob([new Uint8Array(body)]).stream(),
      duplex: 'half',
    });
    expect(Buffer.from(await chunked.arrayBuffer()).equals(whole.bytes)).toBe(true);
  });

  test('hooks of an application see every request', async () => {
    const { createServer } = await import('../../src/serve.js');
    const server = await createServer({
      loader: fakeLoader,
      models: [await repositoryOf(MODELS)],
      http: { port: 0 },
      grpc: false,
      log: { level: 'silent' },
    });
    onTestFinished(() => server.close());
    let seen = 0;
    server.app.addHook('onRequest', async () => void (seen += 1));
    const { http } = await server.listen();
    await post(`http://127.0.0.1:${http.port}/v2/models/sum/infer`, json({}).body);
    expect(seen).toBe(1);
  });

  test('a version that is loaded anew answers the headers that the old one knew', async () => {
    const { url, root } = await serve({ 'sum/1/model.esp': {} });
    const { body, headers } = binaryBody({ inputs: [x(1)], parameters: binary }, rows(1));
    const ask = () => post(`${url}/v2/models/sum/infer`, body, headers);
    await ask();
    await putModel(root, 'sum/1/model.esp', { inputs: { x: [5] } });
    expect((await post(`${url}/v2/repository/models/sum/load`, {})).status).toBe(200);
    expect(await ask()).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('[-1, 5]') as string },
    });
  });
});

describe('headers that come again', () => {
  const ports = {
    inputs: [portOf({ name: 'x', shape: [null, 2], dtype: 'float32' })],
    outputs: [
      portOf({ name: 'y', shape: [null, 1], dtype: 'float32' }),
      portOf({ name: 'i', shape: [null, 2], dtype: 'int32' }),
    ],
  };
  const limits = { maxTensors: 4, maxTensorElements: 100 };

  test('any requests in any order are read and answered as without what was kept', () => {
    const request = fc.record({
      rows: fc.integer({ min: 1, max: 4 }),
      id: fc.option(fc.constantFrom('a', 'ä'), { nil: undefined }),
      binaryOutput: fc.boolean(),
      one: fc.boolean(),
      extra: fc.constantFrom(0, 0, 0, -4, 4),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 12 }), (requests) => {
        const plans = new Plans();
        requests.forEach(({ rows: n, id, binaryOutput, one, extra }, turn) => {
          const header = Buffer.from(
            JSON.stringify({
              id,
              parameters: { binary_data_output: binaryOutput },
              inputs: [
                { name: 'x', shape: [n, 2], datatype: 'FP32', parameters: { binary_data_size: 8 * n } },
              ],
              ...(one ? { outputs: [{ name: 'i' }] } : {}),
            }),
          );
          const body = Buffer.concat([header, Buffer.alloc(8 * n + extra, turn)]);
          const read = (kept?: Plans) => {
            try {
              const found = parseInferRequest(body, header.length, ports, limits, kept);
              const tensors = [new Float32Array(n).fill(turn), new Float32Array(2 * n).fill(-turn)];
              const { parts, length, headerLength } = encodeInferResponse(
                { ...found, model: 'm', version: '1', tensors },
                ports.outputs,
              );
              const { plan: _plan, inputs, ...rest } = found;
              return {
                rest,
                inputs: inputs.map((data) => Buffer.from(data as Uint8Array).toString('hex')),
                answer: Buffer.concat(parts).toString('latin1'),
                length,
                headerLength,
              };
            } catch (error) {
              return (error as Error).message;
            }
          };
          expect(read(plans)).toEqual(read());
        });
      }),
    );
  });

  test('no more than so many are kept, and none with an id', () => {
    const plans = new Plans();
    const ask = (id: string | undefined, mine: number) => {
      const header = Buffer.from(
        JSON.stringify({
          id,
          parameters: { mine },
          inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } }],
        }),
      );
      parseInferRequest(Buffer.concat([header, Buffer.alloc(8)]), header.length, ports, limits, plans);
    };
    for (let i = 0; i < 10; i++) ask(`id-${i}`, 0);
    expect(plans.size).toBe(0);
    for (let i = 0; i < 1000; i++) ask(undefined, i);
    expect(plans.size).toBe(64);
  });
});
