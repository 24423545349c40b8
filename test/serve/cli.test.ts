/** `espalier serve` as a user starts it, with the engine and a real model: one process, many, signals. */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { convertModel, loadModel, type Model } from '../../src/index.js';
import { endlessHeap } from '../support/endless.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../golden/models/mlp_regression/model.json', import.meta.url));
let esp = '';
let model: Model;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-cli-'));
  esp = join(folder, 'model.esp');
  await convertModel(GOLDEN, esp);
  model = await loadModel(esp);
  return () => rm(folder, { recursive: true, force: true });
});

async function start(args: string[]): Promise<{
  url: string;
  child: ChildProcess;
  root: string;
  ended: Promise<number | null>;
  log: (words: string) => { pid: number }[];
}> {
  expect(existsSync(MAIN), 'npm run build:ts comes first').toBe(true);
  const root = await mkdtemp(join(tmpdir(), 'espalier-repository-'));
  await mkdir(join(root, 'm/1'), { recursive: true });
  await copyFile(esp, join(root, 'm/1/model.esp'));
  const child = spawn(
    process.execPath,
    [MAIN, 'serve', root, '--http-port', '0', '--grpc-port', '0', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await rm(root, { recursive: true, force: true });
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /serving on (\S+)/.exec(text);
      if (found !== null) resolve(found[1]!);
    });
    child.on('exit', () => reject(new Error(`it ended: ${errors}`)));
  });
  /** What the server logged with these words. */
  const log = (words: string) =>
    errors
      .split('\n')
      .filter((line) => line.includes(words))
      .map((line) => JSON.parse(line) as { pid: number });
  return { url, child, root, ended, log };
}

const features = () => (model.inputs[0]!.shape.slice(1) as number[]).reduce((a, b) => a * b, 1);
async function check(url: string, alone = true, signal?: AbortSignal): Promise<void> {
  const data = Array.from({ length: features() }, (_, i) => Math.fround(Math.sin(i)));
  const port = model.inputs[0]!;
  const answer = await fetch(`${url}/v2/models/m/infer`, {
    method: 'POST',
    ...(signal === undefined ? {} : { signal }),
    body: JSON.stringify({
      inputs: [{ name: port.name, shape: [1, ...port.shape.slice(1)], datatype: 'FP32', data }],
    }),
  });
  const json = (await answer.json()) as { outputs: { data: number[] }[] };
  const expected = Array.from(model.runSync(Float32Array.from(data)) as Float32Array);
  // Bit for bit: a lone request runs as runSync does. Joined ones are summed in another order.
  if (alone) expect(json.outputs[0]!.data).toEqual(expected);
  else json.outputs[0]!.data.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
}

describe('espalier serve', () => {
  test('one process answers as runSync does, and ends with 0 on SIGTERM', async () => {
    const { url, child, ended } = await start([]);
    await check(url);
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('workers share the port, metrics are those of all', async () => {
    const { url, child, ended } = await start(['--workers', '2']);
    await Promise.all(Array.from({ length: 8 }, () => check(url, false)));
    const requests = async () => {
      const text = await (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text();
      return Number(/espalier_requests_total\{.*code="200".*\} (\d+)/.exec(text)?.[1]);
    };
    expect(await requests()).toBe(8);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('a worker that is killed is replaced, again and again, and nobody else notices', async () => {
    const { url, child, ended, log } = await start(['--workers', '2']);
    const listening = () => log('worker listens').map(({ pid }) => pid);
    // Standard output may be ahead of the log.
    await expect.poll(() => listening().length, { timeout: 30_000 }).toBe(2);
    const failed: Error[] = [];
    for (let killed = 1; killed <= 3; killed++) {
      process.kill(listening().at(-1)!, 'SIGKILL');
      const asked = Array.from({ length: 20 }, async (_, i) => {
        await sleep(10 * i);
        await check(url, false, AbortSignal.timeout(20_000)).catch((error: Error) => failed.push(error));
      });
      await expect.poll(() => listening().length, { timeout: 30_000 }).toBe(2 + killed);
      await Promise.all(asked);
    }
    expect(new Set(listening()).size).toBe(5);
    expect(log('could not be started')).toEqual([]);
    // Those that were on their way to a worker when it died, and they are told so: none waits in vain.
    expect(failed.length).toBeLessThan(10);
    expect(failed.filter(({ name }) => name === 'TimeoutError')).toEqual([]);
    // The new ones take part in what is told to all, and drain.
    expect((await fetch(`${url}/v2/repository/models/m/load`, { method: 'POST' })).status).toBe(200);
    await check(url);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('a model that its reader cannot end keeps nobody waiting', async () => {
    const { url, child, root, ended } = await start([]);
    const whole = await readFile(`${import.meta.dirname}/../golden/models/activations_core/model.h5`);
    await mkdir(join(root, 'endless/1'), { recursive: true });
    await writeFile(join(root, 'endless/1/model.h5'), endlessHeap(whole));
    const load = fetch(`${url}/v2/repository/models/endless/load`, { method: 'POST' }).catch(
      (error: Error) => error,
    );
    // It is being read by now, for ten seconds and more.
    await sleep(500);
    expect((await fetch(`${url}/v2/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    await check(url);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await load;
  });

  test('SIGHUP makes a server look for models: a new version takes over', async () => {
    const { url, child, root, ended } = await start([]);
    const versions = async () =>
      ((await (await fetch(`${url}/v2/models/m`)).json()) as { versions: string[] }).versions;
    expect(await versions()).toEqual(['1']);
    await mkdir(join(root, 'm/2'));
    await copyFile(esp, join(root, 'm/2/model.esp.part'));
    await rename(join(root, 'm/2/model.esp.part'), join(root, 'm/2/model.esp'));
    child.kill('SIGHUP');
    await expect.poll(versions, { timeout: 20_000 }).toContain('2');
    await check(url);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('wrong settings and models end with 2 and a message', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-config-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const config = join(folder, 'c.yaml');
    await writeFile(config, 'batching:\n  maxBatch: 0\n');
    await writeFile(join(folder, 'bad.esp'), 'no model');
    await expect(start(['--config', config])).rejects.toThrow(/settings\.batching\.maxBatch/);
    const child = spawn(process.execPath, [
      MAIN,
      'serve',
      join(folder, 'bad.esp'),
      '--http-port',
      '0',
      '--no-grpc',
    ]);
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(2);
    expect(errors).toMatch(/no model could be loaded/);
  });
});
