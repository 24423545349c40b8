/** What is exported computes what was imported: read again by our importer and the plain reference. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { convertModel, exportModel, importModel } from '../../src/index.js';
import { EspalierError } from '../../src/errors.js';
import { KERAS_CODECS } from '../../src/keras/codecs.js';
import { networkOfProgram } from '../../src/export/from-program.js';
import { readProgram } from '../../src/file/read.js';
import { KINDS } from '../../src/network/layers/registry.js';
import type { Network } from '../../src/network/types.js';
import { runReference } from '../../src/reference/index.js';
import { GOLDEN, forms, goldenCases, readPort, worstError, type Golden } from '../import/golden-cases.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-export-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function expectGolden(golden: Golden, network: Network): void {
  const inputs = golden.inputs.map((port) => readPort(golden, port));
  const outputs = runReference(network, inputs);
  golden.outputs.forEach((port, i) => {
    expect(outputs[i]!.shape).toEqual(port.shape);
    expect(worstError(golden, outputs[i]!.data, readPort(golden, port).data)).toBeLessThanOrEqual(1);
  });
}

function zeros(network: Network): number {
  const tensors = new Set(network.layers.flatMap(({ weights }) => Object.values(weights)));
  return [...tensors].reduce((sum, { data }) => sum + data.filter((value) => value === 0).length, 0);
}

const cases = (['models', 'quantized', 'keras3'] as const).flatMap((set) =>
  goldenCases(set).map((golden) => ({ name: golden.name, golden, form: forms(golden)[0]! })),
);

describe('every golden network, exported and read again', () => {
  it.each(cases)('$name as .h5', async ({ golden, form }) => {
    const source = join(golden.folder, form);
    const path = join(folder, `${golden.name.replace('/', '-')}.h5`);
    const exported = await exportModel(source, path);
    expect(exported.format).toBe('h5');
    const again = await importModel(path);
    expectGolden(golden, again);
    expect(zeros(again)).toBeGreaterThanOrEqual(zeros(await importModel(source)));
  });

  it.each(cases)('$name as TFJS, or refused by name', async ({ golden, form }) => {
    const path = join(folder, golden.name.replace('/', '-'));
    try {
      await exportModel(join(golden.folder, form), path, { format: 'tfjs' });
    } catch (error) {
      expect((error as EspalierError).code).toBe('UNSUPPORTED_LAYER');
      expect((error as Error).message).toMatch(/^layer \w+ \((UpSampling2D|GRU)\): .* in TensorFlow\.js/);
      expect(existsSync(path)).toBe(false);
      return;
    }
    expectGolden(golden, await importModel(path));
  });

  it.each(cases)('$name through .esp, or refused by name', async ({ golden, form }) => {
    let program;
    try {
      program = readProgram(await convertModel(join(golden.folder, form)));
      expectGolden(golden, networkOfProgram(program));
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      expect(error.code).toBe('UNSUPPORTED_LAYER');
      if (program !== undefined) expect(error.message).toMatch(/^operation \S+ \(\w+\): /);
    }
  });
});

describe('exportModel', () => {
  it('exports an .esp file as .h5', async () => {
    const golden = cases.find(({ name }) => name === 'models/bn_first')!.golden;
    const esp = join(folder, 'bn.esp');
    await convertModel(join(golden.folder, 'model.h5'), esp);
    await exportModel(esp, join(folder, 'from-esp.h5'));
    expectGolden(golden, await importModel(join(folder, 'from-esp.h5')));
  });

  it('leaves nothing but what it tells, and replaces an older model', async () => {
    const models = join(GOLDEN, 'models');
    const path = join(folder, 'replaced');
    await exportModel(join(models, 'prelu/model.h5'), path);
    const exported = await exportModel(join(models, 'mlp_regression/model.h5'), path);
    expect(readdirSync(path).sort()).toEqual(
      exported.files.map((file) => file.path.slice(path.length + 1)).sort(),
    );
    expect(exported.parameters).toBe(897);
  });

  it('names what is wrong', async () => {
    const model = join(GOLDEN, 'models/prelu/model.h5');
    const file = join(folder, 'a-file');
    writeFileSync(file, 'x');
    await expect(exportModel(model, '')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(exportModel(model, join(folder, 'x'), { format: 'onnx' as never })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(exportModel({} as Network, join(folder, 'x'))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(exportModel(model, file)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(exportModel(join(folder, 'none'), join(folder, 'x'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(readFileSync(file, 'utf8')).toBe('x');
  });

  it('knows every kind of the registry but those that no Keras 2 has', () => {
    const missing = KINDS.filter((kind) => KERAS_CODECS[kind].write === undefined);
    expect(missing).toEqual(['RMSNormalization']);
  });
});
