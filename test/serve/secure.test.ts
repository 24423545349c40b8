/** TLS and mTLS over HTTP and gRPC, with certificates that openssl makes for the test; traces of OpenTelemetry. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, type ChannelCredentials, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Context,
  type SpanContext,
} from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createServer } from '../../src/serve/server.js';
import { post, serve } from './fake.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-tls-'));
const at = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(at(name));
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

/** A certificate of that authority, for 127.0.0.1. */
function certificate(name: string, authority: string): void {
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    `${name}.key`,
  ];
  openssl('req', ...key, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const signer = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...signer,
    '-days',
    '2',
    '-extfile',
    'names',
    '-out',
    `${name}.crt`,
  );
}

beforeAll(() => {
  for (const authority of ['ca', 'other']) {
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      `${authority}.key`,
    ];
    openssl('req', '-x509', ...key, '-subj', `/CN=${authority}`, '-days', '2', '-out', `${authority}.crt`);
  }
  certificate('server', 'ca');
  certificate('client', 'ca');
  certificate('stranger', 'other');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const body = { inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }] };

/** Status and body over HTTPS, trusting our authority only; rejects where the connection is refused. */
function secure(url: string, identity?: string): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const own = identity === undefined ? {} : { cert: read(`${identity}.crt`), key: read(`${identity}.key`) };
    const asked = request(`${url}/v2/models/sum/infer`, {
      method: 'POST',
      ca: read('ca.crt'),
      agent: false,
      ...own,
    });
    asked.on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode!, json: JSON.parse(text) }));
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
}

const proto = fileURLToPath(new URL('../../proto/inference.proto', import.meta.url));
const { inference } = loadPackageDefinition(loadSync(proto)) as never as {
  inference: { GRPCInferenceService: new (address: string, credentials: ChannelCredentials) => Client };
};
/** What ServerReady answers. */
function ready(address: string, channel: ChannelCredentials): Promise<{ ready: boolean }> {
  const client = new inference.GRPCInferenceService(address, channel);
  onTestFinished(() => client.close());
  return new Promise((resolve, reject) => {
    const call = (client as never as Record<string, (...args: unknown[]) => void>).ServerReady!;
    call.call(
      client,
      {},
      { deadline: Date.now() + 10_000 },
      (error: Error | null, answer: { ready: boolean }) => (error === null ? resolve(answer) : reject(error)),
    );
  });
}

describe('TLS', () => {
  test('the server shows its certificate; plain HTTP gets nothing', async () => {
    const tls = { cert: at('server.crt'), key: at('server.key') };
    const { url, grpc } = await serve({ 'sum/1/model.esp': {} }, { tls });
    const https = url.replace('http:', 'https:');
    expect(await secure(https)).toMatchObject({ status: 200, json: { outputs: [{ data: [10, 11, 12] }] } });
    await expect(fetch(`${url}/v2/health/live`)).rejects.toThrow();
    // An authority that the client does not know: the certificate is really checked above.
    await expect(fetch(`${https}/v2/health/live`)).rejects.toThrow();
    expect(await ready(grpc, credentials.createSsl(read('ca.crt')))).toEqual({ ready: true });
    await expect(ready(grpc, credentials.createInsecure())).rejects.toThrow();
  });

  test('files that are no PEM, or do not belong together, are refused by setting and path', async () => {
    const sound = { cert: at('server.crt'), key: at('server.key') };
    const wrong = at('wrong.pem');
    writeFileSync(wrong, 'not a PEM');
    const cases = [
      { tls: { ...sound, cert: wrong }, parameter: 'tls.cert', path: wrong },
      { tls: { ...sound, key: wrong }, parameter: 'tls.key', path: wrong },
      { tls: { ...sound, ca: wrong }, parameter: 'tls.ca', path: wrong },
      { tls: { ...sound, key: at('client.key') }, parameter: 'tls.key', path: at('client.key') },
    ];
    for (const { tls, parameter, path } of cases) {
      const refused = await createServer({ models: [folder], tls }).catch((error: unknown) => error as Error);
      expect(refused).toMatchObject({
        name: 'EspalierError',
        code: 'INVALID_ARGUMENT',
        details: { parameter },
      });
      expect((refused as Error).message).toContain(path);
    }
  });

  test('with a ca, only clients with a certificate of it get in', async () => {
    const tls = { cert: at('server.crt'), key: at('server.key'), ca: at('ca.crt') };
    const { url, grpc } = await serve({ 'sum/1/model.esp': {} }, { tls });
    const https = url.replace('http:', 'https:');
    expect((await secure(https, 'client')).status).toBe(200);
    await expect(secure(https)).rejects.toThrow();
    await expect(secure(https, 'stranger')).rejects.toThrow();
    const channel = (name: string) =>
      credentials.createSsl(read('ca.crt'), read(`${name}.key`), read(`${name}.crt`));
    expect(await ready(grpc, channel('client'))).toEqual({ ready: true });
    await expect(ready(grpc, credentials.createSsl(read('ca.crt')))).rejects.toThrow();
    await expect(ready(grpc, channel('stranger'))).rejects.toThrow();
  });

  test('a file that is not there is named by its setting', async () => {
    const tls = { cert: at('nothing.crt'), key: at('server.key') };
    await expect(serve({ 'sum/1/model.esp': {} }, { tls })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^tls\.cert: cannot read/) as string,
    });
  });
});

test('a span is made as a child of traceparent, over HTTP and with its outcome', async () => {
  const spans: { parent: SpanContext | undefined; attributes: Record<string, unknown>; error: boolean }[] =
    [];
  // The smallest SDK there can be: W3C propagation, and a tracer that records.
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject: () => undefined,
    extract(context: Context, carrier: unknown, getter) {
      const [, traceId, spanId] = String(getter.get(carrier, 'traceparent')).split('-');
      return trace.setSpanContext(context, {
        traceId: traceId!,
        spanId: spanId!,
        traceFlags: 1,
        isRemote: true,
      });
    },
  });
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan(_name: string, options?: { attributes?: object }, context: Context = ROOT_CONTEXT) {
        const attributes: Record<string, unknown> = { ...options?.attributes };
        let error = false;
        return {
          isRecording: () => true,
          setAttributes: (more: object) => Object.assign(attributes, more),
          setAttribute: (key: string, value: unknown) => (attributes[key] = value),
          setStatus: ({ code }: { code: SpanStatusCode }) => (error = code === SpanStatusCode.ERROR),
          end: () => spans.push({ parent: trace.getSpanContext(context), attributes, error }),
        };
      },
    }),
  } as never);
  onTestFinished(() => {
    propagation.disable();
    trace.disable();
  });
  const { url } = await serve({ 'sum/2/model.esp': {} });
  const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  await post(`${url}/v2/models/sum/infer`, body, { traceparent });
  await post(`${url}/v2/models/sum/infer`, { inputs: [] }, { traceparent });
  expect(spans).toHaveLength(2);
  for (const { parent } of spans) {
    expect(parent).toMatchObject({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) });
  }
  expect(spans[0]).toMatchObject({
    error: false,
    attributes: {
      'espalier.model': 'sum',
      'espalier.model.version': '2',
      'espalier.rows': 1,
      'espalier.status': 200,
    },
  });
  expect(spans[1]).toMatchObject({ error: true, attributes: { 'espalier.status': 400 } });
});
