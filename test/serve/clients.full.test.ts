/**
 * Clients that others wrote against a running `espalier serve`: tritonclient (JSON, binary tensors, gRPC), those of the
 * kserve package, curl, grpcurl, and schemathesis on the OpenAPI document. Runs in the suite `clients` of
 * `npm run test:full`, which installs those of Python.
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

const GRPCURL = process.env.ESPALIER_GRPCURL ?? 'grpcurl';

/** The smallest OpenTelemetry there can be, given to the server by --import: spans go to standard error. */
const SPANS = (api: string) => `
import { propagation, trace } from ${JSON.stringify(api)};
propagation.setGlobalPropagator({
  fields: () => ['traceparent'],
  inject: () => undefined,
  extract(context, carrier, getter) {
    const [, traceId, spanId] = String(getter.get(carrier, 'traceparent')).split('-');
    return spanId === undefined ? context : trace.setSpanContext(context, { traceId, spanId, traceFlags: 1 });
  },
});
trace.setGlobalTracerProvider({
  getTracer: () => ({
    startSpan(name, options, context) {
      const span = { name, attributes: { ...options.attributes }, parent: trace.getSpanContext(context) };
      return {
        isRecording: () => true,
        setAttributes: (more) => Object.assign(span.attributes, more),
        setAttribute: (key, value) => (span.attributes[key] = value),
        setStatus: () => undefined,
        end: () => process.stderr.write('SPAN ' + JSON.stringify(span) + '\\n'),
      };
    },
  }),
});
`;

interface Span {
  readonly name: string;
  readonly attributes: Record<string, unknown>;
  readonly parent?: { readonly traceId: string; readonly spanId: string };
}

let http = '';
let grpc = '';
let model: Model;
let errors = '';
const spansOf = (trace: string) =>
  errors
    .split('\n')
    .filter((line) => line.startsWith('SPAN '))
    .map((line) => JSON.parse(line.slice(5)) as Span)
    .filter(({ parent }) => parent?.traceId === trace);

beforeAll(async () => {
  if (path === '') return undefined;
  const root = await mkdtemp(join(tmpdir(), 'espalier-clients-'));
  await mkdir(join(root, 'm/1'), { recursive: true });
  await convertModel(GOLDEN, join(root, 'm/1/model.esp'));
  await copyFile(join(root, 'm/1/model.esp'), join(root, 'own.esp'));
  model = await loadModel(join(root, 'own.esp'));
  await rm(join(root, 'own.esp'));
  // Outside of the folder of models.
  const hook = join(await mkdtemp(join(tmpdir(), 'espalier-spans-')), 'spans.mjs');
  await writeFile(hook, SPANS(import.meta.resolve('@opentelemetry/api')));
  const child = spawn(
    process.execPath,
    ['--import', hook, MAIN, 'serve', root, '--http-port', '0', '--grpc-port', '0'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
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
    await rm(dirname(hook), { recursive: true, force: true });
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

  it('the clients of kserve get what runSync gives, and their traceparent arrives over REST and gRPC', async () => {
    const rows = Array.from({ length: 7 }, (_, seed) => row(seed));
    const trace = '5e'.repeat(16);
    const traceparent = `00-${trace}-${'ab'.repeat(8)}-01`;
    const asked = { http, grpc, model: 'm', rows, input: model.inputs[0]!.name, traceparent };
    const script = join(import.meta.dirname, 'clients.kserve.py');
    const { status, text } = await run(python, [script], JSON.stringify(asked));
    expect(status, text).toBe(0);
    const {
      'rest error': restError,
      'grpc error': grpcError,
      ...answers
    } = JSON.parse(text.trim().split('\n').at(-1)!) as Record<
      string,
      { id: string; shape: number[]; dtype: string; data: number[] }[]
    >;
    expect(JSON.stringify(restError)).toMatch(/400/);
    expect(grpcError).toEqual(['INVALID_ARGUMENT']);
    expect(Object.keys(answers).sort()).toEqual(['grpc', 'grpc raw', 'rest binary', 'rest json']);
    for (const [kind, all] of Object.entries(answers)) {
      expect(
        all.map(({ shape }) => shape[0]),
        kind,
      ).toEqual([1, 7]);
      for (const answer of all) {
        expect(answer.id, kind).toBe('an id');
        expect(answer.data, kind).toEqual(expected(rows.slice(0, answer.shape[0])));
      }
    }
    // Two requests of each kind, every span a child of the client's.
    await expect.poll(() => spansOf(trace).length).toBe(8);
    for (const { parent, attributes } of spansOf(trace)) {
      expect(parent!.spanId).toBe('ab'.repeat(8));
      expect(attributes).toMatchObject({ 'espalier.model': 'm' });
    }
    const statuses = spansOf(trace).map(({ attributes }) => attributes['espalier.status']);
    expect(statuses.filter((status) => status === 'OK')).toHaveLength(4);
  });

  it.skipIf(spawnSync(GRPCURL, ['-version']).status !== 0)(
    'grpcurl (on the PATH, or ESPALIER_GRPCURL) gets what runSync gives, with a trace of its own',
    async () => {
      const proto = ['-import-path', fileURLToPath(new URL('../../proto', import.meta.url))];
      const trace = '6f'.repeat(16);
      const call = (method: string, body: object, more: string[] = []) =>
        run(
          GRPCURL,
          [
            ...['-plaintext', ...proto, '-proto', 'inference.proto', ...more, '-d', '@', grpc],
            `inference.GRPCInferenceService/${method}`,
          ],
          JSON.stringify(body),
        );
      const ready = await call('ModelReady', { name: 'm' });
      expect(JSON.parse(ready.text)).toEqual({ ready: true });
      const { name } = model.inputs[0]!;
      const input = { name, datatype: 'FP32', shape: [1, width()] };
      const typed = { model_name: 'm', inputs: [{ ...input, contents: { fp32_contents: row(3) } }] };
      const bytes = Buffer.from(Float32Array.from(row(3)).buffer).toString('base64');
      const raw = { model_name: 'm', inputs: [input], raw_input_contents: [bytes] };
      const header = ['-H', `traceparent: 00-${trace}-${'cd'.repeat(8)}-01`];
      interface Answer {
        outputs: { contents?: { fp32Contents: number[] } }[];
        rawOutputContents?: string[];
      }
      const first = JSON.parse((await call('ModelInfer', typed, header)).text) as Answer;
      const [plain] = first.outputs;
      expect(Array.from(Float32Array.from(plain!.contents!.fp32Contents))).toEqual(expected([row(3)]));
      const second = JSON.parse((await call('ModelInfer', raw, header)).text) as Answer;
      const answered = Uint8Array.from(Buffer.from(second.rawOutputContents![0]!, 'base64'));
      expect(Array.from(new Float32Array(answered.buffer))).toEqual(expected([row(3)]));
      await expect.poll(() => spansOf(trace).length).toBe(2);
      const wrong = await call('ModelInfer', { ...typed, model_name: 'nobody' });
      expect(wrong.status).not.toBe(0);
      expect(wrong.text).toMatch(/Code: NotFound/);
    },
  );

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
