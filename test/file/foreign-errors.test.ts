/** What is wrong with a file is told by an error of ours, whatever the part that finds it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileNetwork } from '../../src/convert.js';
import { parseEsp } from '../../src/file/esp.js';
import { writeProgram } from '../../src/file/write.js';
import { loadModel } from '../../src/index.js';
import { predict } from '../../src/predict/predict.js';
import { writeSafetensors } from '../../src/safetensors.js';
import { createServer } from '../../src/serve/server.js';
import { NetworkBuilder } from '../support/networks.js';
import { mlp, random } from '../support/programs.js';

let folder: string;
let esp: string;
const bytes = writeProgram(mlp([10, 4, 2], 0.5).program);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-errors-'));
  esp = join(folder, 'm.esp');
  await writeFile(esp, bytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ours = (code: string, message: RegExp) => ({
  name: 'EspalierError',
  code,
  message: expect.stringMatching(message),
});

describe('files that lie', () => {
  it('an .esp file without an input', async () => {
    const { tensors, json } = parseEsp(bytes);
    const file = writeSafetensors({
      metadata: { format: 'espalier', program: JSON.stringify({ ...json, inputs: [] }) },
      tensors: [...tensors],
    });
    await expect(loadModel(file)).rejects.toMatchObject(ours('INVALID_MODEL', /inputs.*one or more/));
  });

  it.each(['(-1, 10)', '(2.5, 10)', '(1e99, 10)'])('an .npy file of shape %s', async (shape) => {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
    const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
    const input = join(folder, 'x.npy');
    await writeFile(input, Buffer.concat([head, Buffer.from(header), Buffer.alloc(400)]));
    const output = join(folder, 'y.csv');
    await expect(predict({ model: esp, input, output })).rejects.toMatchObject(ours('INVALID_DATA', /npy/));
    expect(existsSync(output)).toBe(false);
  });

  it('sizes of layers that no memory holds', async () => {
    const b = new NetworkBuilder(random(1));
    const x = b.input([8, 8, 1]);
    const size: [number, number] = [10_000, 10_000];
    const settings = { size, interpolation: 'bilinear', halfPixelCenters: true } as const;
    const network = b.finish(b.add('UpSampling2D', settings, x));
    await expect(compileNetwork(network)).rejects.toMatchObject(
      ours('LIMIT_EXCEEDED', /UpSampling2D.*at most/),
    );
  });
});

describe('what the system refuses', () => {
  it.runIf(existsSync('/proc/self/mem'))('a file that cannot be read', async () => {
    await expect(loadModel('/proc/self/mem')).rejects.toMatchObject(ours('IO_FAILED', /\/proc\/self\/mem/));
  });

  it('TLS files that are no PEM, or do not belong together', async () => {
    const text = join(folder, 'text.pem');
    await writeFile(text, 'no certificate');
    const options = { models: [esp], http: { port: 0 }, log: { level: 'silent' as const } };
    await expect(createServer({ ...options, tls: { cert: text, key: text } })).rejects.toMatchObject(
      ours('INVALID_ARGUMENT', /^tls\.cert: expected .*text\.pem to be a certificate in PEM/),
    );
  });
});
