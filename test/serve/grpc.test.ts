import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, onTestFinished, test } from 'vitest';
import { post, serve, type FakeDescription } from './fake.js';

function client(
  address: string,
  file = 'inference.proto',
  path = ['inference', 'GRPCInferenceService'],
): any {
  const proto = fileURLToPath(new URL(`../../proto/${file}`, import.meta.url));
  const definition = loadSync(proto, { keepCase: true, longs: Number, enums: String, defaults: true });
  let made: any = grpc.loadPackageDefinition(definition);
  for (const name of path) made = made[name];
  const stub = new made(address, grpc.credentials.createInsecure());
  onTestFinished(() => stub.close());
  return stub;
}

const call = (stub: any, method: string, request: object = {}, options: object = {}): Promise<any> =>
  new Promise((resolve, reject) =>
    stub[method](request, options, (error: Error | null, value: unknown) =>
      error === null ? resolve(value) : reject(error),
    ),
  );

async function start(files: Record<string, FakeDescription>, options = {}) {
  const made = await serve(files, options);
  return { ...made, stub: client(made.grpc) };
}

const typed = (data: number[], shape = [1, 4]) => ({
  model_name: 'sum',
  inputs: [{ name: 'x', datatype: 'FP32', shape, contents: { fp32_contents: data } }],
});
const raw = (bytes: Buffer, datatype = 'FP32', shape = [1, 4]) => ({
  model_name: 'sum',
  inputs: [{ name: 'x', datatype, shape }],
  raw_input_contents: [bytes],
});

describe('inference.GRPCInferenceService', () => {
  test('health and metadata', async () => {
    const { stub, grpc: address } = await start({ 'sum/1/model.esp': {}, 'sum/2/model.esp': {} });
    expect(await call(stub, 'ServerLive')).toEqual({ live: true });
    expect(await call(stub, 'ServerReady')).toEqual({ ready: true });
    expect(await call(stub, 'ModelReady', { name: 'sum' })).toEqual({ ready: true });
    expect((await call(stub, 'ServerMetadata')).name).toBe('espalier');
    expect(await call(stub, 'ModelMetadata', { name: 'sum', version: '2' })).toEqual({
      name: 'sum',
      versions: ['1', '2'],
      platform: 'espalier',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
    });
    const { config } = await call(stub, 'ModelConfig', { name: 'sum' });
    expect(config).toMatchObject({ max_batch_size: 64, input: [{ data_type: 'TYPE_FP32', dims: [4] }] });
    const health = client(address, 'health.proto', ['grpc', 'health', 'v1', 'Health']);
    expect(await call(health, 'Check')).toEqual({ status: 'SERVING' });
    await expect(call(stub, 'ModelReady', { name: 'none' })).rejects.toMatchObject({ code: 5 });
  });

  test('typed contents answer typed, raw contents answer raw; id and parameters come back', async () => {
    const { stub } = await start({ 'sum/1/model.esp': {} });
    const answer = await call(stub, 'ModelInfer', {
      ...typed([1, 2, 3, 4]),
      id: 'q1',
      parameters: { tag: { string_param: 'x' }, n: { int64_param: 3 } },
    });
    expect(answer).toMatchObject({ model_name: 'sum', model_version: '1', id: 'q1' });
    expect(answer.parameters).toEqual({ tag: { string_param: 'x' }, n: { int64_param: 3 } });
    expect(answer.outputs[0]).toMatchObject({
      name: 'y',
      shape: [1, 3],
      contents: { fp32_contents: [10, 11, 12] },
    });
    const bytes = Buffer.from(new Float32Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer);
    const second = await call(stub, 'ModelInfer', raw(bytes, 'FP32', [2, 4]));
    expect(second.outputs[0]).toMatchObject({ name: 'y', datatype: 'FP32', shape: [2, 3] });
    expect(second.raw_output_contents[0].readFloatLE(12)).toBe(26);
    const doubles = await call(
      stub,
      'ModelInfer',
      raw(Buffer.from(new Float64Array([1, 2, 3, 4]).buffer), 'FP64'),
    );
    expect(doubles.raw_output_contents[0].readFloatLE(0)).toBe(10);
  });

  test('each datatype has its own contents', async () => {
    const { stub } = await start({ 'sum/1/model.esp': {} });
    const send = (datatype: string, contents: object) =>
      call(stub, 'ModelInfer', {
        model_name: 'sum',
        inputs: [{ name: 'x', datatype, shape: [1, 4], contents }],
      });
    const value = async (datatype: string, contents: object) =>
      (await send(datatype, contents)).outputs[0].contents.fp32_contents[0];
    expect(await value('INT8', { int_contents: [1, -2, 3, 4] })).toBe(6);
    expect(await value('UINT32', { uint_contents: [1, 2, 3, 4] })).toBe(10);
    expect(await value('INT64', { int64_contents: [1, -2, 3, 4] })).toBe(6);
    expect(await value('UINT64', { uint64_contents: [1, 2, 3, 4] })).toBe(10);
    expect(await value('BOOL', { bool_contents: [true, false, true, true] })).toBe(3);
    expect(await value('FP64', { fp64_contents: [0.5, 1, 2, 4] })).toBe(7.5);
    const refused: [string, object, RegExp][] = [
      ['FP64', { fp64_contents: [0.1, 1, 2, 4] }, /no float32/],
      ['INT64', { int64_contents: ['9007199254740993', 1, 2, 4] }, /no float32/],
      ['INT8', { int_contents: [128, 1, 2, 4] }, /INT8/],
      ['FP32', { int_contents: [1, 1, 2, 4] }, /fp32_contents/],
      ['FP16', { fp32_contents: [1, 1, 2, 4] }, /raw_input_contents/],
      ['BYTES', { bytes_contents: [Buffer.from('a')] }, /BYTES/],
      ['FP32', { fp32_contents: [1, 1, 2] }, /expected 4/],
    ];
    for (const [datatype, contents, details] of refused) {
      await expect(send(datatype, contents)).rejects.toMatchObject({
        code: 3,
        details: expect.stringMatching(details),
      });
    }
  });

  test('failures have the matching status', async () => {
    const { stub } = await start(
      { 'sum/1/model.esp': { milliseconds: 80 }, 'bad/1/model.esp': { fails: 'run' } },
      { batching: { maxQueue: 1, maxBatch: 1 }, limits: { maxBodyBytes: 4096 } },
    );
    const fails = (request: object, options?: object) =>
      expect(call(stub, 'ModelInfer', request, options)).rejects;
    await fails({ ...typed([1, 2, 3, 4]), model_name: 'none' }).toMatchObject({ code: 5 });
    await fails({ ...typed([1, 2, 3, 4]), model_version: '7' }).toMatchObject({ code: 5 });
    await fails(raw(Buffer.alloc(12))).toMatchObject({ code: 3 });
    await fails({
      ...raw(Buffer.alloc(16)),
      raw_input_contents: [Buffer.alloc(16), Buffer.alloc(16)],
    }).toMatchObject({
      code: 3,
    });
    await fails(typed(new Array(2000).fill(1), [500, 4])).toMatchObject({ code: 8 });
    const many = Array.from({ length: 6 }, () =>
      call(stub, 'ModelInfer', typed([1, 2, 3, 4])).catch((e) => e.code),
    );
    expect((await Promise.all(many)).filter((code) => code === 8).length).toBeGreaterThan(0);
    const first = call(stub, 'ModelInfer', typed([1, 2, 3, 4]));
    // Until it runs it fills the queue of one.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await fails(typed([1, 2, 3, 4]), { deadline: Date.now() + 30 }).toMatchObject({ code: 4 });
    await first;
    for (let i = 0; i < 8; i++) await call(stub, 'ModelInfer', { ...typed([1, 2, 3, 4]), model_name: 'bad' });
    await fails({ ...typed([1, 2, 3, 4]), model_name: 'bad' }).toMatchObject({
      code: 13,
      details: 'internal error',
    });
  });

  test('the stream answers in order, a failure in its own message', async () => {
    const { stub } = await start({ 'sum/1/model.esp': {} });
    const stream = stub.ModelStreamInfer();
    const answers: any[] = [];
    const done = new Promise((resolve) => stream.on('end', resolve));
    stream.on('data', (answer: any) => answers.push(answer));
    for (let i = 0; i < 100; i++) {
      stream.write({ ...typed(i === 50 ? [1] : [i, 0, 0, 0]), id: String(i) });
    }
    stream.end();
    await done;
    expect(answers.map((a) => a.infer_response.id)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
    expect(answers[50].error_message).toMatch(/expected 4/);
    expect(answers[99].infer_response.outputs[0].contents.fp32_contents[0]).toBe(99);
  });

  test('repository and statistics', async () => {
    const { stub, url } = await start({ 'sum/1/model.esp': {} });
    await call(stub, 'ModelInfer', typed([1, 2, 3, 4]));
    await post(`${url}/v2/models/sum/infer`, {
      inputs: [{ name: 'x', shape: [2, 4], datatype: 'FP32', data: [1, 2, 3, 4, 5, 6, 7, 8] }],
    });
    const { model_stats: stats } = await call(stub, 'ModelStatistics', { name: 'sum' });
    expect(stats[0]).toMatchObject({ name: 'sum', inference_count: 3, execution_count: 2 });
    expect(stats[0].batch_stats.map((b: any) => b.batch_size)).toEqual([1, 2]);
    await call(stub, 'RepositoryModelUnload', { model_name: 'sum' });
    const { models } = await call(stub, 'RepositoryIndex');
    expect(models).toEqual([{ name: 'sum', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' }]);
    expect((await call(stub, 'RepositoryIndex', { ready: true })).models).toEqual([]);
    await call(stub, 'RepositoryModelLoad', { model_name: 'sum' });
    expect(await call(stub, 'ModelReady', { name: 'sum' })).toEqual({ ready: true });
    await expect(call(stub, 'RepositoryModelLoad', { model_name: '../sum' })).rejects.toMatchObject({
      code: 5,
    });
  });
});

describe('bytes that are no message', () => {
  /** Sends the bytes as they are. */
  const send = (address: string, bytes: Buffer, method = 'ModelInfer'): Promise<unknown> => {
    const stub = new grpc.Client(address, grpc.credentials.createInsecure());
    onTestFinished(() => stub.close());
    return new Promise((resolve, reject) =>
      stub.makeUnaryRequest(
        `/inference.GRPCInferenceService/${method}`,
        (value: Buffer) => value,
        (value: Buffer) => value,
        bytes,
        (error, value) => (error === null ? resolve(value) : reject(error)),
      ),
    );
  };
  const field = (number: number, wireType: number, ...content: (number | Buffer)[]): Buffer =>
    Buffer.concat([
      Buffer.of(number * 8 + wireType),
      ...content.map((c) => (typeof c === 'number' ? Buffer.of(c) : c)),
    ]);
  const text = (number: number, value: string): Buffer => field(number, 2, value.length, Buffer.from(value));

  test('are INVALID_ARGUMENT, which names the field', async () => {
    const { grpc: address } = await start({ 'sum/1/model.esp': {} });
    const input = Buffer.concat([text(1, 'x'), text(2, 'FP32'), field(3, 2, 2, 1, 4)]);
    const cases: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /model_name: expected the name of a model/],
      [text(3, 'id'), /model_name: expected the name of a model/],
      [
        field(1, 2, 200, 1, Buffer.from('sum')),
        /message\.model_name: .* a length of 200 bytes where 3 are left/,
      ],
      [field(1, 0, 5), /message\.model_name: .* wire type 0, not 2/],
      [field(1, 3), /message\.model_name: .* wire type 3/],
      [Buffer.concat([text(1, 'sum'), field(9, 7)]), /message\.9: .* wire type 7/],
      [Buffer.of(8), /message\.model_name: .* wire type 0/],
      [Buffer.of(0, 1), /field number/],
      [Buffer.alloc(11, 0xff), /more than ten bytes/],
      // A field of the input that goes beyond it, though not beyond the message.
      [
        Buffer.concat([text(1, 'sum'), field(5, 2, 3, 10, 9, 120), text(6, 'longer than that')]),
        /message\.inputs\.name: .* a length of 9 bytes where 1 are left/,
      ],
      [Buffer.concat([text(1, 'sum'), field(5, 2, input.length + 2, input, 0x2d, 1)]), /wire type 5, not 2/],
    ];
    for (const [bytes, message] of cases) {
      await expect(send(address, bytes), bytes.toString('hex')).rejects.toMatchObject({
        code: grpc.status.INVALID_ARGUMENT,
        details: expect.stringMatching(message),
      });
    }
    for (const method of ['ModelMetadata', 'ModelConfig', 'ModelReady', 'RepositoryModelLoad']) {
      await expect(send(address, Buffer.alloc(0), method), method).rejects.toMatchObject({ code: 3 });
      await expect(send(address, Buffer.of(10, 9, 1), method), method).rejects.toMatchObject({ code: 3 });
    }
  });

  test('a sound message passes with unknown fields, and with packed and single numbers', async () => {
    const { grpc: address } = await start({ 'sum/1/model.esp': {} });
    const floats = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
    for (const shape of [field(3, 2, 2, 1, 4), Buffer.concat([field(3, 0, 1), field(3, 0, 4)])]) {
      const input = Buffer.concat([text(1, 'x'), text(2, 'FP32'), shape]);
      const message = Buffer.concat([
        ...[text(1, 'sum'), field(5, 2, input.length, input), field(7, 2, 16, floats)],
        ...[
          field(14, 0, 0xff, 1),
          field(14, 5, Buffer.alloc(4)),
          field(14, 1, Buffer.alloc(8)),
          text(15, 'more'),
        ],
      ]);
      expect(await send(address, message)).toBeInstanceOf(Buffer);
    }
  });
});
