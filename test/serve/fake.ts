/**
 * Models for tests of serving that need no engine: a "model.esp" here is JSON, and what it computes is plain to see:
 * output k, feature j = scale * (sum of all inputs of the row) + offset + k + j. Delays and failures can be asked for.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ModelLoader, ServableModel, ServableTensor } from '../../src/serve/types.js';
import { EspalierError } from '../../src/errors.js';
import { createServer, type InferenceServer, type ServerOptions } from '../../src/serve/server.js';

export interface FakeDescription {
  inputs?: Record<string, number[]>;
  outputs?: Record<string, number[]>;
  scale?: number;
  offset?: number;
  milliseconds?: number;
  /** "load": the loader rejects. "run": each run rejects, from the first request on. */
  fails?: 'load' | 'run';
}

export interface FakeModel extends ServableModel {
  readonly runs: number[];
  readonly most: () => number;
  readonly isDisposed: () => boolean;
}

export const loaded: FakeModel[] = [];

export function fakeModel(description: FakeDescription = {}): FakeModel {
  const { inputs = { x: [4] }, outputs = { y: [3] }, scale = 1, offset = 0, milliseconds = 0 } = description;
  const ports = (record: Record<string, number[]>) =>
    Object.entries(record).map(([name, shape]) => ({ name, shape: [null, ...shape], dtype: 'float32' }));
  const runs: number[] = [];
  let disposed = false;
  let running = 0;
  let most = 0;
  return {
    inputs: ports(inputs),
    outputs: ports(outputs),
    runs,
    most: () => most,
    isDisposed: () => disposed,
    async run(tensors: ServableTensor[]) {
      if (disposed) throw new EspalierError('DISPOSED', 'the model is disposed of');
      running += 1;
      most = Math.max(most, running);
      const rows = tensors[0]!.shape[0]!;
      runs.push(rows);
      if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
      running -= 1;
      if (disposed) throw new Error('disposed of while it ran');
      if (description.fails === 'run' && runs.length > 9) throw new Error('/secret/path of the engine');
      const sums = Array.from({ length: rows }, (_, row) =>
        tensors.reduce((sum, { data }) => {
          const features = data.length / rows;
          return sum + data.subarray(row * features, (row + 1) * features).reduce((a, b) => a + b, 0);
        }, 0),
      );
      const answers = Object.entries(outputs).map(([name, shape], k) => {
        const features = shape.reduce((a, b) => a * b, 1);
        const data = Float32Array.from(
          { length: rows * features },
          (_, i) => scale * sums[Math.floor(i / features)]! + offset + k + (i % features),
        );
        return [name, data] as const;
      });
      return answers.length === 1 ? answers[0]![1] : Object.fromEntries(answers);
    },
    dispose() {
      disposed = true;
    },
  };
}

export const fakeLoader: ModelLoader = async (source) => {
  const description = JSON.parse(await readFile(source, 'utf8')) as FakeDescription;
  if (description.fails === 'load') {
    throw new EspalierError('INVALID_MODEL', `${source}: expected a model`, { parameter: source });
  }
  const model = fakeModel(description);
  loaded.push(model);
  return model;
};

/** A folder of fake models: keys are paths under it. */
export async function repositoryOf(files: Record<string, FakeDescription>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'espalier-serve-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [path, description] of Object.entries(files)) await putModel(root, path, description);
  return root;
}

export async function putModel(root: string, path: string, description: FakeDescription): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), JSON.stringify(description));
}

/** A server over fake models on free ports, closed when the test ends. */
export async function serve(
  files: Record<string, FakeDescription>,
  options: ServerOptions = {},
): Promise<{ server: InferenceServer; url: string; root: string; grpc: string }> {
  const root = await repositoryOf(files);
  const server = await createServer({
    loader: fakeLoader,
    models: [root],
    http: { port: 0 },
    grpc: { port: 0 },
    log: { level: 'silent' },
    ...options,
  });
  onTestFinished(() => server.close());
  const { http, grpc } = await server.listen();
  return { server, root, url: `http://127.0.0.1:${http.port}`, grpc: `127.0.0.1:${grpc?.port}` };
}

/** POST of JSON, or of bytes where `body` is a Buffer. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; json: any; bytes: Buffer }> {
  const raw = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const answer = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(raw),
    headers: { 'content-type': 'application/json', ...headers },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const isJson = answer.headers.get('content-type')?.includes('json') === true;
  return {
    status: answer.status,
    headers: answer.headers,
    json: isJson ? JSON.parse(bytes.toString('utf8')) : undefined,
    bytes,
  };
}

/** A request of the binary extension: the JSON, then the tensors. */
export function binaryBody(header: object, ...tensors: (ArrayBufferView | Buffer)[]) {
  const json = Buffer.from(JSON.stringify(header));
  const tails = tensors.map((t) => Buffer.from(t.buffer, t.byteOffset, t.byteLength));
  return {
    body: Buffer.concat([json, ...tails]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    },
  };
}
