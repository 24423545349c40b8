/**
 * Clients that others wrote against a running `espalier serve`: tritonclient (JSON, binary tensors, gRPC), curl, and
 * schemathesis on the OpenAPI document. Runs in the suite `clients` of `npm run test:full`, which installs them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { convertModel, loadModel, type Model } from '../../src/index.js';

const path = process.env.ESPALIER_CLIENTS_PYTHONPATH ?? '';
const python = process.env.ESPALIER_PYTHON ?? 'python3';
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../golden/models/mlp_regression/model.json', import.meta.url));

let http = '';
let grpc = '';
let model: Model;

beforeAll(async () => {
  if (path === '') return undefined;
  const root = await mkdtemp(join(tmpdir(), 'espalier-clients-'));
  await mkdir(join(root, 'm/1'), { recursive: true });
  await convertModel(GOLDEN, join(root, 'm/1/model.esp'));
  await copyFile(join(root, 'm/1/model.esp'), join(root, 'own.esp'));
  model = await loadModel(join(root, 'own.esp'));
  await rm(join(root, 'own.esp'));
  const child = spawn(process.execPath, [MAIN, 'serve', root, '--http-port', '0', '--grpc-port', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  [http, grpc] = await new Promise<[string, string]>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /http:\/\/(\S+) and gRPC (\S+)/.exec(text);
      if (found !== null) resolve([found[1]!, found[2]!]);
    });
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return async () => {
    child.kill('SIGTERM');
    await rm(root, { recursive: true, force: true });
  };
});

/** A program of another process, while the event loop of this one goes on. */
function run(command: string, args: string[], input = ''): Promise<{ status: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    // schemathesis keeps a folder of its own where it runs.
    const child = spawn(command, args, { cwd: tmpdir(), env: { ...process.env, PYTHONPATH: path } });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('exit', (status) => resolve({ status, text }));
    child.stdin.end(input);
  });
}

const width = () => model.inputs[0]!.shape[1]!;
const row = (seed: number) => Array.from({ length: width() }, (_, i) => Math.fround(Math.sin(seed + i)));
const expected = (rows: number[][]) =>
  Array.from(
    (
      model.runSync([{ data: Float32Array.from(rows.flat()), shape: [rows.length, width()] }]) as unknown as {
        data: Float32Array;
      }
    ).data,
  );

describe.skipIf(path === '')('clients that others wrote', () => {
  it('tritonclient gets what runSync gives, over JSON, binary tensors and gRPC', async () => {
    const rows = Array.from({ length: 7 }, (_, seed) => row(seed));
    const script = join(import.meta.dirname, 'clients.py');
    const { status, text } = await run(python, [script], JSON.stringify({ http, grpc, model: 'm', rows }));
    expect(status, text).toBe(0);
    const {
      'http error': httpError,
      'grpc error': grpcError,
      ...answers
    } = JSON.parse(text.trim().split('\n').at(-1)!) as Record<
      string,
      { id: string; shape: number[]; dtype: string; data: number[] }[]
    >;
    expect(JSON.stringify(httpError)).toMatch(/\[404\].*nobody/);
    expect(JSON.stringify(grpcError)).toMatch(/INVALID_ARGUMENT/);
    expect(Object.keys(answers).sort()).toEqual([
      'grpc',
      'http binary',
      'http deflate',
      'http gzip',
      'http json',
    ]);
    for (const [kind, all] of Object.entries(answers)) {
      for (const answer of all) {
        const own = expected(rows.slice(0, answer.shape[0]));
        expect(answer, kind).toEqual({
          id: 'an id',
          shape: [answer.shape[0], own.length / answer.shape[0]!],
          dtype: 'float32',
          data: own,
        });
      }
      expect(all.map(({ shape }) => shape[0])).toContain(7);
    }
  });

  it.skipIf(spawnSync('curl', ['--version']).status !== 0)('the curl line of the docs', async () => {
    const docs = await readFile(new URL('../../docs/serving.md', import.meta.url), 'utf8');
    const [, shown] = /```sh\n(curl [^`]+)```/.exec(docs)!;
    const { name } = model.inputs[0]!;
    const asked = shown!
      .replace('127.0.0.1:8080', http)
      .replace('models/flights/', 'models/m/')
      .replace('"x"', JSON.stringify(name))
      .replace('[1, 4]', `[1, ${width()}]`)
      .replace('[1, 2, 3, 4]', JSON.stringify(row(1)));
    const { status, text } = await run('sh', ['-c', asked.replace('curl ', 'curl --silent --show-error ')]);
    expect(status, text).toBe(0);
    const { outputs } = JSON.parse(text) as { outputs: { data: number[] }[] };
    expect(outputs[0]!.data).toEqual(expected([row(1)]));
  });

  it(
    'schemathesis finds no answer outside of the OpenAPI document, and no 500',
    { timeout: 120_000 },
    async () => {
      // Names made up would all be answered by 404: the requests go to the model that is there.
      const settings = join(await mkdtemp(join(tmpdir(), 'espalier-schemathesis-')), 'schemathesis.toml');
      await writeFile(settings, '[parameters]\n"path.model" = "m"\n"path.version" = "1"\n');
      const { status, text } = await run(python, [
        ...['-m', 'schemathesis.cli', '--config-file', settings, 'run', `http://${http}/openapi.json`],
        ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '20', '--seed', '8', '--no-color'],
        // Unloading the only model would leave nothing to ask.
        ...['--exclude-path-regex', '/unload$'],
        ...['--checks', 'not_a_server_error,status_code_conformance,content_type_conformance'],
        ...['--checks', 'response_schema_conformance'],
      ]);
      await rm(dirname(settings), { recursive: true });
      expect(status, text.slice(-6000)).toBe(0);
    },
  );
});
