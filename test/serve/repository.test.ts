import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createServer } from '../../src/serve/server.js';
import { fakeLoader, loaded, post, putModel, repositoryOf, serve } from './fake.js';

const infer = (url: string, model = 'sum') =>
  post(`${url}/v2/models/${model}/infer`, {
    inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
  });
const value = async (url: string, model?: string) => (await infer(url, model)).json.outputs[0].data[0];
const load = (url: string, model = 'sum') => post(`${url}/v2/repository/models/${model}/load`, {});
const unload = (url: string, model = 'sum') => post(`${url}/v2/repository/models/${model}/unload`, {});
const index = async (url: string) => (await post(`${url}/v2/repository/index`, {})).json;

describe('the model repository', () => {
  test('folders, links and flat models are found; what is no model is passed over', async () => {
    const root = await repositoryOf({
      'a/1/model.esp': {},
      'a/2/anything.esp': { scale: 2 },
      'a/latest/model.esp': { scale: 3 },
      'a/007/model.esp': { scale: 3 },
      'flat/model.esp': { scale: 5 },
      'store/kept/model.esp': { scale: 6 },
      '.hidden/1/model.esp': {},
      'with space/1/model.esp': {},
      'empty/1/readme.txt': {},
    });
    await mkdir(join(root, 'linked'));
    await symlink(join(root, 'store', 'kept'), join(root, 'linked', '4'));
    const server = await createServer({
      models: [root],
      loader: fakeLoader,
      http: { port: 0 },
      log: { level: 'silent' },
      grpc: false,
    });
    const { http } = await server.listen();
    const url = `http://127.0.0.1:${http.port}`;
    expect((await index(url)).map((e: any) => `${e.name}/${e.version} ${e.state}`)).toEqual([
      'a/1 READY',
      'a/2 READY',
      'flat/1 READY',
      'linked/4 READY',
    ]);
    expect([await value(url, 'a'), await value(url, 'linked')]).toEqual([20, 60]);
    await server.close();
  });

  test('models one by one, under their own names', async () => {
    const root = await repositoryOf({
      'flights.esp': {},
      'm/model.esp': { scale: 2 },
      'k/model.json': { scale: 3 },
    });
    const models = [join(root, 'flights.esp'), join(root, 'm'), `other=${join(root, 'k/model.json')}`];
    const server = await createServer({
      models,
      loader: fakeLoader,
      http: { port: 0 },
      log: { level: 'silent' },
      grpc: false,
    });
    const { http } = await server.listen();
    const url = `http://127.0.0.1:${http.port}`;
    expect(await Promise.all(['flights', 'm', 'other'].map((name) => value(url, name)))).toEqual([
      10, 20, 30,
    ]);
    await server.close();
    const one = {
      loader: fakeLoader,
      http: { port: 0 },
      log: { level: 'silent' as const },
      grpc: false as const,
    };
    const named = await createServer({ ...one, models: [join(root, 'm')], modelName: 'served' });
    const at = (await named.listen()).http.port;
    expect(await value(`http://127.0.0.1:${at}`, 'served')).toBe(20);
    await named.close();
    await expect(createServer({ ...one, models: [join(root, 'm'), `m=${join(root, 'k')}`] })).rejects.toThrow(
      /two models/,
    );
    await expect(createServer({ ...one, models: [join(root, 'no')] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(createServer({ ...one, models: [] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('load and unload by API; a name is never a path', async () => {
    const { url, root } = await serve({ 'sum/1/model.esp': {} });
    await putModel(root, 'sum/2/model.esp', { scale: 2 });
    await putModel(root, 'new/1/model.esp', { scale: 7 });
    expect(await value(url)).toBe(10);
    expect((await load(url)).status).toBe(200);
    expect((await load(url, 'new')).status).toBe(200);
    expect([await value(url), await value(url, 'new')]).toEqual([20, 70]);
    expect((await unload(url)).status).toBe(200);
    expect((await infer(url)).status).toBe(404);
    expect((await fetch(`${url}/v2/models/sum/ready`)).status).toBe(503);
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    expect((await index(url)).filter((e: any) => e.name === 'sum')[0]).toMatchObject({
      state: 'UNAVAILABLE',
      reason: 'unloaded',
    });
    expect((await post(`${url}/v2/repository/index`, { ready: true })).json.length).toBe(1);
    expect((await load(url)).status).toBe(200);
    expect(await value(url)).toBe(20);
    for (const name of ['none', '..', '%2e%2e%2fsum', 'sum%2f1', '.']) {
      expect([name, (await load(url, name)).status]).toEqual([name, 404]);
    }
    expect(
      (await post(`${url}/v2/repository/models/sum/load`, { parameters: { config: '{}' } })).status,
    ).toBe(400);
  });

  test('control can be switched off', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} }, { repositoryControl: false });
    expect((await unload(url)).status).toBe(404);
    expect(await value(url)).toBe(10);
  });

  test('polling finds new, changed and vanished versions; a broken one does not end the old', async () => {
    const { url, root, server } = await serve({ 'sum/1/model.esp': {} }, { pollSeconds: 0.02 });
    const first = loaded.at(-1)!;
    await putModel(root, 'next.esp', { scale: 3 });
    await rename(join(root, 'next.esp'), join(root, 'sum/1/model.esp'));
    await expect.poll(() => value(url)).toBe(30);
    expect(first.isDisposed()).toBe(true);
    await putModel(root, 'sum/1/model.esp', { fails: 'load' });
    await expect.poll(() => server.core.repository.failures.has('sum')).toBe(true);
    expect(await value(url)).toBe(30);
    expect((await load(url)).status).toBe(400);
    await putModel(root, 'sum/2/model.esp', { scale: 4 });
    await expect.poll(() => value(url)).toBe(40);
    await rm(join(root, 'sum/2'), { recursive: true });
    await expect.poll(() => value(url)).toBe(30);
  });

  test('the newest versions only, where settings say so', async () => {
    const { url } = await serve(
      { 'sum/1/model.esp': {}, 'sum/2/model.esp': {}, 'sum/3/model.esp': {} },
      { modelSettings: { sum: { versions: 2 } } },
    );
    expect(((await (await fetch(`${url}/v2/models/sum`)).json()) as any).versions).toEqual(['2', '3']);
  });

  test('reloads under load fail no request, and every old model is disposed of', async () => {
    const { url, root } = await serve(
      { 'sum/1/model.esp': { milliseconds: 1 } },
      { batching: { maxBatch: 2 } },
    );
    const before = loaded.length;
    let stop = false;
    let answered = 0;
    const wrong: unknown[] = [];
    const client = async () => {
      while (!stop) {
        const answer = await infer(url);
        if (answer.status === 200) answered += 1;
        else wrong.push(answer.json);
      }
    };
    const clients = Array.from({ length: 3 }, client);
    for (let i = 0; i < 15; i++) {
      if (i % 5 === 0) await putModel(root, 'sum/1/model.esp', { milliseconds: 1, offset: i });
      expect((await load(url)).status).toBe(200);
    }
    stop = true;
    await Promise.all(clients);
    expect(wrong).toEqual([]);
    expect(answered).toBeGreaterThan(20);
    await expect.poll(() => loaded.slice(before - 1).filter((model) => !model.isDisposed()).length).toBe(1);
  });

  test('ready only when loaded and warmed; no model that loads is an error', async () => {
    const root = await repositoryOf({ 'good/1/model.esp': {}, 'bad/1/model.esp': { fails: 'load' } });
    const options = {
      loader: fakeLoader,
      http: { port: 0 },
      log: { level: 'silent' as const },
      grpc: false as const,
    };
    const server = await createServer({ ...options, models: [root] });
    const { http } = await server.listen();
    const url = `http://127.0.0.1:${http.port}`;
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(503);
    expect((await fetch(`${url}/v2/models/good/ready`)).status).toBe(200);
    expect((await fetch(`${url}/v2/models/bad/ready`)).status).toBe(503);
    expect(loaded.at(-1)!.runs.slice(0, 3)).toEqual([1, 2, 4]);
    await server.close();
    const none = await createServer({ ...options, models: [join(root, 'bad/1/model.esp')] });
    await expect(none.listen()).rejects.toMatchObject({ code: 'INVALID_MODEL' });
  });

  test('ready stays ready while each model has a version that serves', async () => {
    const { url, root } = await serve({ 'sum/1/model.esp': {} });
    const ready = async () => (await fetch(`${url}/v2/health/ready`)).status;
    expect(await ready()).toBe(200);
    await putModel(root, 'sum/2/model.esp', { fails: 'load' });
    expect((await load(url)).status).toBe(400);
    expect(await ready()).toBe(200);
    await putModel(root, 'other/1/model.esp', { fails: 'load' });
    expect((await fetch(`${url}/v2/repository/models/other/load`, { method: 'POST' })).status).toBe(400);
    expect(await ready()).toBe(200);
    const index = (await (
      await fetch(`${url}/v2/repository/index`, { method: 'POST', body: '{}' })
    ).json()) as { name: string; version: string; state: string }[];
    expect(index.map(({ name, version, state }) => `${name} ${version} ${state}`)).toEqual([
      'other 1 UNAVAILABLE',
      'sum 1 READY',
      'sum 2 UNAVAILABLE',
    ]);
  });
});
