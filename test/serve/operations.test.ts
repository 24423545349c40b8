import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { configJsonSchema, createServer, espalierPlugin } from '../../src/serve.js';
import { fakeLoader, post, repositoryOf, serve } from './fake.js';

const body = { inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }] };

describe('operations', () => {
  test('tokens: health stays open, the rest asks for one', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} }, { auth: { tokens: ['a-long-secret'] } });
    const infer = (token?: string) =>
      post(`${url}/v2/models/sum/infer`, body, token === undefined ? {} : { authorization: token });
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    for (const token of [undefined, 'Bearer wrong', 'Bearer ', 'Basic a-long-secret']) {
      const refused = await infer(token);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    }
    expect((await infer('Bearer a-long-secret')).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await post(`${url}/v2/repository/models/sum/unload`, {})).status).toBe(401);
  });

  test('overload is 429 with Retry-After; a deadline is 503', async () => {
    const { url } = await serve(
      { 'sum/1/model.esp': { milliseconds: 50 } },
      { batching: { maxBatch: 1, maxQueue: 1 }, limits: { maxConcurrency: 6 } },
    );
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => post(`${url}/v2/models/sum/infer`, body)),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(6);
    expect(refused[0]!.headers.get('retry-after')).toBe('1');
    const first = post(`${url}/v2/models/sum/infer`, body);
    await new Promise((resolve) => setTimeout(resolve, 15));
    const late = await post(`${url}/v2/models/sum/infer`, { ...body, parameters: { timeout: 1000 } });
    expect([late.status, late.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await first).status).toBe(200);
  });

  test('slow headers and bodies that never end are cut off', async () => {
    const { server } = await serve(
      { 'sum/1/model.esp': {} },
      { limits: { headersTimeoutMs: 300, bodyTimeoutMs: 600 } },
    );
    const { port } = server.app.server.address() as { port: number };
    const half = (text: string) =>
      new Promise<string>((resolve) => {
        let answer = '';
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        socket.on('data', (chunk) => (answer += chunk.toString()));
        socket.on('close', () => resolve(answer));
      });
    const head = 'POST /v2/models/sum/infer HTTP/1.1\r\nHost: x\r\n';
    const answers = await Promise.all([half(head), half(`${head}Content-Length: 1000\r\n\r\n{`)]);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408/);
  });

  test('metrics name models, versions and codes', async () => {
    const { url } = await serve({ 'sum/3/model.esp': {} });
    await post(`${url}/v2/models/sum/infer`, body);
    await post(`${url}/v2/models/sum/infer`, {});
    await post(`${url}/v2/models/made-up/infer`, body);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('espalier_requests_total{model="sum",version="3",protocol="http",code="200"} 1');
    expect(text).toContain('espalier_requests_total{model="sum",version="3",protocol="http",code="400"} 1');
    expect(text).toContain('espalier_refused_total{protocol="http",code="404"} 1');
    expect(text).not.toContain('made-up');
    expect(text).toMatch(/espalier_batch_rows_count\{model="sum",version="3"\} 1/);
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  test('metrics count every request, many or few, and go on over a reload', async () => {
    const { url } = await serve({ 'sum/3/model.esp': {} });
    const text = async () => (await fetch(`${url}/metrics`)).text();
    for (const [rounds, total] of [
      [2, 2],
      [300, 302],
      [1, 303],
    ] as const) {
      for (let i = 0; i < rounds; i++) await post(`${url}/v2/models/sum/infer`, body);
      await post(`${url}/v2/repository/models/sum/load`, {});
      const found = await text();
      for (const name of [
        'requests_total',
        'request_seconds_count',
        'queue_seconds_count',
        'batch_rows_sum',
      ]) {
        expect(found).toMatch(new RegExp(`^espalier_${name}\\{.*\\} ${total}$`, 'm'));
      }
    }
  });

  test('the OpenAPI document has every path', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
      openapi: string;
      paths: object;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v2',
        '/v2/health/ready',
        '/v2/models/{model}/infer',
        '/v2/models/{model}/versions/{version}/infer',
        '/v2/repository/models/{model}/load',
      ]),
    );
  });

  test('a closing server answers what is under way', async () => {
    const { url, server } = await serve({ 'sum/1/model.esp': { milliseconds: 100 } });
    const open = Array.from({ length: 5 }, () => post(`${url}/v2/models/sum/infer`, body));
    await expect.poll(() => server.core.inFlight).toBe(5);
    const closed = server.close();
    expect((await Promise.all(open)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await closed;
    await expect(fetch(`${url}/v2/health/live`)).rejects.toThrow();
  });

  test('models in one’s own application', async () => {
    const app = Fastify();
    app.post('/own', async (request) => ({ got: request.body }));
    await app.register(espalierPlugin, {
      models: [await repositoryOf({ 'sum/1/model.esp': {} })],
      prefix: '/ml',
      loader: fakeLoader,
    });
    const answer = await app.inject({ method: 'POST', url: '/ml/v2/models/sum/infer', payload: body });
    expect(answer.json()).toMatchObject({ outputs: [{ data: [10, 11, 12] }] });
    expect((await app.inject({ method: 'POST', url: '/own', payload: { a: 1 } })).json()).toEqual({
      got: { a: 1 },
    });
    expect(app.espalier.ready).toBe(true);
    const [y] = await app.espalier.infer('sum', [new Float32Array([1, 2, 3, 4])], 1);
    expect(Array.from(y!)).toEqual([10, 11, 12]);
    await expect(app.espalier.infer('sum', [new Float32Array(3)], 1)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await app.close();
  });

  test('the plugin asks for the tokens of a file; an empty file opens nothing', async () => {
    const folder = await repositoryOf({ 'sum/1/model.esp': {} });
    const tokensFile = join(folder, '..', `tokens-${process.pid}`);
    writeFileSync(tokensFile, '# one a line\na-long-secret\n');
    const app = Fastify();
    await app.register(espalierPlugin, { models: [folder], auth: { tokensFile }, loader: fakeLoader });
    const infer = (headers: Record<string, string>) =>
      app.inject({ method: 'POST', url: '/v2/models/sum/infer', payload: body, headers });
    expect((await infer({})).statusCode).toBe(401);
    expect((await infer({ authorization: 'Bearer a-long-secret' })).statusCode).toBe(200);
    await app.close();
    writeFileSync(tokensFile, '\n');
    const open = Fastify();
    open.register(espalierPlugin, { models: [folder], auth: { tokensFile }, loader: fakeLoader });
    await expect(open.ready()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    writeFileSync(tokensFile, 'a-long-secret\nsecret\n');
    const short = Fastify();
    short.register(espalierPlugin, { models: [folder], auth: { tokensFile }, loader: fakeLoader });
    const refused = await Promise.resolve(short.ready()).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect((refused as Error).message).toMatch(
      /auth\.tokensFile: .*at least 8 characters, token 2 of .* has 6/,
    );
    expect((refused as Error).message).not.toContain('secret');
    rmSync(tokensFile);
  });

  test('rows of a reproducible model are loaded so, and joined without padding', async () => {
    const asked: object[] = [];
    const options = {
      loader: (source: string, given: object) => {
        asked.push(given);
        return fakeLoader(source, given);
      },
      modelSettings: { plain: { reproducible: false } },
      reproducible: true,
    };
    const { url } = await serve({ 'sum/1/model.esp': {}, 'plain/1/model.esp': {} }, options);
    expect(asked).toHaveLength(2);
    expect(asked).toContainEqual(expect.objectContaining({ reproducible: true, batchSizes: [1] }));
    expect(asked).toContainEqual(
      expect.objectContaining({ reproducible: false, batchSizes: expect.arrayContaining([1, 16, 64]) }),
    );
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [3, 4], data: new Array(12).fill(1) }];
    expect((await post(`${url}/v2/models/sum/infer`, { inputs })).json.outputs[0].shape).toEqual([3, 3]);
  });

  test('wrong settings are named; the published schema is that of the code', async () => {
    await expect(createServer({ models: ['x'], batching: { maxBatch: 0 } })).rejects.toThrow(
      /options\.batching\.maxBatch/,
    );
    await expect(createServer({ models: ['x'], nonsense: 1 } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const published = readFileSync(new URL('../../schemas/serve-config-1.json', import.meta.url), 'utf8');
    expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });
});
