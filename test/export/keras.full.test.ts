/**
 * Keras itself loads what is exported, and predicts the same, zeros and all: Keras 2 (tf_keras) and Keras 3. Runs in the
 * suite `keras` of `npm run test:full`, which installs them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportModel, importModel } from '../../src/index.js';
import { Npy } from './npy.js';
import { forms, goldenCases, readPort, worstError } from '../import/golden-cases.js';

const path = process.env.ESPALIER_KERAS_PYTHONPATH ?? '';
const folder = mkdtempSync(join(tmpdir(), 'espalier-keras-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const goldens = (['models', 'quantized', 'keras3'] as const).flatMap((set) => goldenCases(set));

async function exportAll(run: string) {
  return Promise.all(
    goldens.map(async (golden) => {
      const id = join(folder, `${run}-${golden.name.replace('/', '-')}`);
      const source = join(golden.folder, forms(golden).at(-1)!);
      const exported = await exportModel(source, `${id}.h5`);
      const inputs = golden.inputs.map((port, i) => {
        const { shape, data } = readPort(golden, port);
        writeFileSync(`${id}.in${i}.npy`, Npy.encode(data, shape));
        return `${id}.in${i}.npy`;
      });
      const outputs = golden.outputs.map((_, i) => `${id}.out${i}.npy`);
      return { model: `${id}.h5`, inputs, outputs, exported, source };
    }),
  );
}

describe.skipIf(path === '')('exported .h5 files, loaded by Keras', () => {
  it.each(['2', '3'])(
    'Keras %s predicts what the golden models do',
    { timeout: 600_000 },
    async (version) => {
      const cases = await exportAll(version);
      // Keras 3 has no ThresholdedReLU, and 3.6 loads no LayerNormalization of two axes from a .h5 file of Keras 2.
      const able = cases.filter(
        ({ model }) => version === '2' || !/activations_core|layernorm_mlp/.test(model),
      );
      const { stdout, stderr, status } = spawnSync(
        process.env.ESPALIER_PYTHON ?? 'python3',
        [join(import.meta.dirname, 'keras_outputs.py')],
        {
          input: JSON.stringify(able),
          encoding: 'utf8',
          env: { ...process.env, PYTHONPATH: path, KERAS_CHECK: version },
          maxBuffer: 2 ** 26,
        },
      );
      expect(status, stderr.slice(-3000)).toBe(0);
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, number | string>);
      expect(lines).toHaveLength(able.length);
      for (const [i, { model, outputs, exported, source }] of able.entries()) {
        const golden = goldens.find(({ name }) => model.endsWith(`${version}-${name.replace('/', '-')}.h5`))!;
        expect(lines[i]!.version).toMatch(new RegExp(`^${version}\\.`));
        expect(lines[i]!.parameters).toBe(exported.parameters);
        expect(lines[i]!.zeros).toBe(exported.parameters - exported.nonZero);
        golden.outputs.forEach((port, j) => {
          const actual = Npy.decode(readFileSync(outputs[j]!));
          const worst = worstError(golden, actual, readPort(golden, port).data);
          expect(worst, `${golden.name}, from ${source}`).toBeLessThanOrEqual(1);
        });
        await expect(importModel(model)).resolves.toHaveProperty('layers');
      }
    },
  );
});
