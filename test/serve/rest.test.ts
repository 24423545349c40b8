import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { binaryBody, post, putModel, serve } from './fake.js';

const infer = (url: string, model = 'sum') => `${url}/v2/models/${model}/infer`;
const json = async (url: string, init?: RequestInit) => {
  const answer = await fetch(url, init);
  return { status: answer.status, json: (await answer.json()) as any };
};
const x = (data: unknown, shape = [1, 4], datatype = 'FP32') => ({
  inputs: [{ name: 'x', shape, datatype, data }],
});

describe('metadata and health', () => {
  test('server, model and version answer as the protocol says', async () => {
    const { url } = await serve({
      'sum/1/model.esp': {},
      'sum/10/model.esp': { scale: 2 },
      'sum/9/model.esp': {},
    });
    expect(await json(`${url}/v2/health/live`)).toEqual({ status: 200, json: { live: true } });
    expect(await json(`${url}/v2/health/ready`)).toEqual({ status: 200, json: { ready: true } });
    const server = await json(`${url}/v2`);
    expect(server.json).toMatchObject({ name: 'espalier', version: expect.any(String) });
    expect(server.json.extensions).toContain('binary_tensor_data');
    const model = {
      name: 'sum',
      versions: ['1', '9', '10'],
      platform: 'espalier',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
    };
    expect((await json(`${url}/v2/models/sum`)).json).toEqual(model);
    expect((await json(`${url}/v2/models/sum/versions/9`)).json).toEqual(model);
    expect((await json(`${url}/v2/models/sum/ready`)).json).toEqual({ name: 'sum', ready: true });
    expect((await json(`${url}/v2/models/sum/versions/9/ready`)).status).toBe(200);
    expect((await json(`${url}/v2/models/sum/config`)).json).toMatchObject({
      name: 'sum',
      max_batch_size: 64,
    });
  });

  test('what is not there is 404 in the error form of the protocol', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    for (const path of [
      '/v2/models/other',
      '/v2/models/other/ready',
      '/v2/models/sum/versions/2',
      '/v2/models/sum/versions/2/ready',
      '/v2/models/..%2f..%2fetc',
      '/v2/models/sum/versions/..%2f1',
      '/nowhere',
    ]) {
      const answer = await json(`${url}${path}`);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.json).toEqual({ error: expect.any(String) });
    }
    expect((await post(infer(url, 'other'), x([1, 2, 3, 4]))).status).toBe(404);
  });
});

describe('infer', () => {
  test('the newest version answers, another where it is named; id and parameters come back', async () => {
    const { url } = await serve({ 'sum/2/model.esp': { scale: 2 }, 'sum/10/model.esp': { scale: 10 } });
    const newest = await post(infer(url), { id: 'a1', parameters: { tag: 'x', n: 3 }, ...x([1, 2, 3, 4]) });
    expect(newest.status).toBe(200);
    expect(newest.json).toEqual({
      model_name: 'sum',
      model_version: '10',
      id: 'a1',
      parameters: { tag: 'x', n: 3 },
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 3], data: [100, 101, 102] }],
    });
    const older = await post(`${url}/v2/models/sum/versions/2/infer`, x([[1, 2, 3, 4]]));
    expect(older.json).toMatchObject({ model_version: '2', outputs: [{ data: [20, 21, 22] }] });
    expect(older.json).not.toHaveProperty('id');
  });

  test('binary in, binary out; and each mixed with JSON', async () => {
    const { url } = await serve({
      'sum/1/model.esp': { inputs: { a: [2], b: [2] }, outputs: { y: [1], z: [2] } },
    });
    const a = new Float32Array([1, 2, 3, 4]);
    const binary = (name: string, bytes: number) => ({
      name,
      shape: [2, 2],
      datatype: 'FP32',
      parameters: { binary_data_size: bytes },
    });
    const both = binaryBody(
      { inputs: [binary('a', 16), binary('b', 16)], parameters: { binary_data_output: true } },
      a,
      a,
    );
    const answer = await post(infer(url), both.body, both.headers);
    expect(answer.status).toBe(200);
    const length = Number(answer.headers.get('inference-header-content-length'));
    const header = JSON.parse(answer.bytes.subarray(0, length).toString());
    expect(header.outputs).toEqual([
      { name: 'y', datatype: 'FP32', shape: [2, 1], parameters: { binary_data_size: 8 } },
      { name: 'z', datatype: 'FP32', shape: [2, 2], parameters: { binary_data_size: 16 } },
    ]);
    const tail = answer.bytes.subarray(length);
    expect(Array.from({ length: 6 }, (_, i) => tail.readFloatLE(4 * i))).toEqual([6, 14, 7, 8, 15, 16]);

    const mixed = binaryBody(
      {
        inputs: [
          {
            name: 'b',
            shape: [2, 2],
            datatype: 'FP32',
            data: [
              [1, 2],
              [3, 4],
            ],
          },
          binary('a', 16),
        ],
        outputs: [{ name: 'z', parameters: { binary_data: true } }, { name: 'y' }],
      },
      a,
    );
    const second = await post(infer(url), mixed.body, mixed.headers);
    const cut = Number(second.headers.get('inference-header-content-length'));
    expect(JSON.parse(second.bytes.subarray(0, cut).toString()).outputs).toEqual([
      { name: 'z', datatype: 'FP32', shape: [2, 2], parameters: { binary_data_size: 16 } },
      { name: 'y', datatype: 'FP32', shape: [2, 1], data: [6, 14] },
    ]);
    expect(second.bytes.length - cut).toBe(16);
  });

  test('a body without a header is the only input', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const raw = Buffer.from(new Float32Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer);
    const headers = { 'inference-header-content-length': '0', 'content-type': 'application/octet-stream' };
    const answer = await post(infer(url), raw, headers);
    expect(answer.status).toBe(200);
    const length = Number(answer.headers.get('inference-header-content-length'));
    expect(answer.bytes.readFloatLE(length)).toBe(10);
    expect(answer.bytes.readFloatLE(length + 12)).toBe(26);
    expect((await post(infer(url), raw.subarray(0, 30), headers)).status).toBe(400);
  });

  test('classification answers the largest as value:index', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const body = { ...x([1, 0, 0, 0]), outputs: [{ name: 'y', parameters: { classification: 2 } }] };
    expect((await post(infer(url), body)).json.outputs).toEqual([
      { name: 'y', datatype: 'BYTES', shape: [1, 2], data: ['3.000000:2', '2.000000:1'] },
    ]);
  });

  test('gzip and deflate in and out; a bomb is 413', async () => {
    const { url } = await serve(
      { 'sum/1/model.esp': { outputs: { y: [900] } } },
      { limits: { maxBodyBytes: 100_000 } },
    );
    const body = gzipSync(JSON.stringify(x([1, 2, 3, 4])));
    const answer = await fetch(infer(url), {
      method: 'POST',
      body,
      headers: { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' },
    });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(((await answer.json()) as any).outputs[0].data[899]).toBe(909);
    const bomb = gzipSync(Buffer.alloc(200_000, ' '));
    expect((await post(infer(url), bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
    expect((await post(infer(url), Buffer.from('x'), { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await post(infer(url), x([1, 2, 3, 4]), { 'content-encoding': 'br' })).status).toBe(400);
    expect(gunzipSync(body).length).toBeGreaterThan(10);
  });
});

describe('refusals', () => {
  test('each is 400 with a message that names what is wrong', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const bad: [unknown, RegExp][] = [
      [Buffer.from('{"inputs":'), /not valid JSON/],
      [[], /JSON object/],
      [{}, /inputs: expected an array/],
      [{ inputs: [] }, /missing "x"/],
      [{ inputs: [1] }, /array of objects/],
      [{ inputs: [{ name: 'q', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }] }, /"q"/],
      [{ inputs: [x([1, 2, 3, 4]).inputs[0], x([1, 2, 3, 4]).inputs[0]] }, /sent twice/],
      [x([1, 2, 3]), /expected 4 elements .* received 3/],
      [x([1, 2, 3, 4], [1, 5]), /expected \[-1, 4\]/],
      [x([], [0, 4]), /at least 1/],
      [x([1, 2, 3, 4], [4]), /expected \[-1, 4\]/],
      [x([1, 2, 3, 4], [1.5, 4]), /array of integers/],
      [x([1, 2, 3, 4], 'x' as any), /array of integers/],
      [
        x([
          [1, 2],
          [3, 4],
        ]),
        /expected/,
      ],
      [x([1, 2, 3, 'a']), /a number/],
      [x([1, 2, 3, null]), /a number/],
      [x([1, 2, 3, 1e39]), /range of FP32/],
      [x(['a', 'b', 'c', 'd'], [1, 4], 'BYTES'), /BYTES/],
      [x([1, 2, 3, 4], [1, 4], 'FP8'), /one of BOOL/],
      [x([1, 2, 3, 4], [1, 4], 'FP16'), /only as binary/],
      [x([1, 2, 3, 256], [1, 4], 'UINT8'), /integer of UINT8/],
      [x([1, 2, 3, 1.5], [1, 4], 'INT32'), /integer of INT32/],
      [x([1, 2, 3, 16777217], [1, 4], 'INT32'), /16777217 .*no float32/],
      [x([1, 2, 3, 0.1], [1, 4], 'FP64'), /0\.1 .*no float32/],
      [x([1, 2, 3, 2], [1, 4], 'BOOL'), /BOOL/],
      [{ ...x([1, 2, 3, 4]), id: 7 }, /id/],
      [{ ...x([1, 2, 3, 4]), parameters: { a: {} } }, /parameters/],
      [{ ...x([1, 2, 3, 4]), parameters: { sequence_id: 4 } }, /sequence_id/],
      [{ ...x([1, 2, 3, 4]), outputs: [{ name: 'z' }] }, /"z"/],
      [
        { inputs: [{ ...x([1, 2, 3, 4]).inputs[0], parameters: { binary_data_size: 16 } }] },
        /Inference-Header/,
      ],
      [
        { inputs: [{ ...x([1, 2, 3, 4]).inputs[0], parameters: { shared_memory_region: 'a' } }] },
        /shared memory/,
      ],
    ];
    for (const [body, message] of bad) {
      const answer = await post(infer(url), body);
      expect([answer.status, answer.json.error]).toEqual([400, expect.stringMatching(message)]);
    }
    expect((await post(infer(url), x([1, 2, 3, 4]))).status).toBe(200);
  });

  test('binary bodies that lie about their lengths', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const input = (size: unknown, datatype = 'FP32') => ({
      inputs: [{ name: 'x', shape: [1, 4], datatype, parameters: { binary_data_size: size } }],
    });
    const data = new Float32Array(4);
    for (const size of [15, 17, 12, 20, -1, 1.5, '16', 1e30]) {
      const { body, headers } = binaryBody(input(size), data);
      expect((await post(infer(url), body, headers)).status).toBe(400);
    }
    const more = binaryBody(input(16), new Float32Array(5));
    expect((await post(infer(url), more.body, more.headers)).json.error).toMatch(/4 bytes after/);
    for (const length of ['100000', '-1', '1e1', 'x', '99999999999999999999']) {
      const { body } = binaryBody(input(16), data);
      const answer = await post(infer(url), body, { 'inference-header-content-length': length });
      expect([length, answer.status]).toEqual([length, 400]);
    }
    const wide = binaryBody(input(16, 'FP64'), data);
    expect((await post(infer(url), wide.body, wide.headers)).json.error).toMatch(/32 bytes/);
  });

  test('too large a body, too many tensors or elements are 413', async () => {
    const { url } = await serve(
      { 'sum/1/model.esp': {} },
      { limits: { maxBodyBytes: 2000, maxTensors: 2, maxTensorElements: 40 } },
    );
    expect((await post(infer(url), Buffer.alloc(3000, ' '))).status).toBe(413);
    expect((await post(infer(url), x(new Array(44).fill(0), [11, 4]))).status).toBe(413);
    const many = { inputs: Array.from({ length: 3 }, () => x([1, 2, 3, 4]).inputs[0]) };
    const answer = await post(infer(url), many);
    expect([answer.status, answer.json]).toEqual([413, { error: expect.stringMatching(/at most 2/) }]);
  });

  test('nothing of the engine or the file system is told', async () => {
    const { url, root } = await serve({ 'sum/1/model.esp': { fails: 'run' }, 'bad/1/model.esp': {} });
    const answer = await post(infer(url), x([1, 2, 3, 4]));
    expect([answer.status, answer.json]).toEqual([500, { error: 'internal error' }]);
    await putModel(root, 'bad/1/model.esp', { fails: 'load' });
    const load = await post(`${url}/v2/repository/models/bad/load`, {});
    expect([load.status, load.json.error]).toEqual([400, expect.stringMatching(/INVALID_MODEL/)]);
    expect(load.json.error).not.toContain(root);
  });
});

describe('whole numbers in JSON', () => {
  const body = (numbers: string, datatype: string, shape = '[1,4]') =>
    `{"id":"9007199254740993","inputs":[{"name":"x","shape":${shape},"datatype":"${datatype}","data":${numbers}}]}`;
  const send = async (url: string, text: string) => {
    const answer = await fetch(infer(url), {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json' },
    });
    return { status: answer.status, text: await answer.text() };
  };

  test('are taken as they are written, or refused', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const refused: [string, string, RegExp][] = [
      [
        '[1,9007199254740993,2,3]',
        'INT64',
        /element 1 is 9007199254740993 \(INT64\), which no float32 equals/,
      ],
      ['[[1,2,3,-9007199254740993]]', 'INT64', /element 3 is -9007199254740993/],
      ['[18446744073709551615,0,0,0]', 'UINT64', /element 0 is 18446744073709551615/],
      ['[9223372036854775807,0,0,0]', 'INT64', /element 0 is 9223372036854775807/],
      ['[9.007199254740993e15,0,0,0]', 'INT64', /element 0 is 9007199254740993/],
      ['[0.99999999999999999999,0,0,0]', 'INT8', /an integer of INT8/],
      ['[1.00000000000000000001,0,0,0]', 'BOOL', /an integer of BOOL/],
      ['[9223372036854775808,0,0,0]', 'INT64', /an integer of INT64/],
      ['[18446744073709551616,0,0,0]', 'UINT64', /an integer of UINT64/],
      ['[9007199254740992.5,0,0,0]', 'INT64', /an integer of INT64/],
    ];
    for (const [numbers, datatype, message] of refused) {
      const answer = await send(url, body(numbers, datatype));
      expect([numbers, answer.status]).toEqual([numbers, 400]);
      expect(answer.text).toMatch(message);
    }
  });

  test('that a float32 equals are taken, in any form', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    for (const [numbers, datatype] of [
      ['[9007199254740992,1,0,0]', 'INT64'],
      ['[-9223372036854775808,4611686018427387904e0,0,0]', 'INT64'],
      ['[[1.0000000000000000000,1e10,10.00e1,-0]]', 'INT64'],
      ['[9223372036854775808,0,0,0]', 'UINT64'],
      ['[1e0,0.0000000000000000000,true,false]', 'BOOL'],
      ['[4294967040,16777216,0,0]', 'UINT32'],
    ] as const) {
      const { status, text } = await send(url, body(numbers, datatype));
      expect([numbers, status, text]).toEqual([numbers, 200, text]);
    }
  });

  test('digits in strings and in other inputs do not matter', async () => {
    const { url } = await serve({ 'sum/1/model.esp': {} });
    const text = body('[1,2,3,4]', 'INT64').replace(
      '{',
      '{"parameters":{"a":"\\"9007199254740993","b":1.00000000000000000001},',
    );
    expect((await send(url, text)).status).toBe(200);
  });
});
