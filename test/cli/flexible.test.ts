/** Models whose inputs have flexible sizes, by the commands. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/index.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const LAYERS = [
  {
    class_name: 'Conv2D',
    config: {
      name: 'c',
      batch_input_shape: [null, null, null, 3],
      filters: 2,
      kernel_size: [3, 3],
      padding: 'same',
      use_bias: false,
    },
  },
  { class_name: 'GlobalAveragePooling2D', config: { name: 'g' } },
];

let folder: string;
const file = (name: string): string => join(folder, name);
const image = Float32Array.from({ length: 2 * 4 * 5 * 3 }, (_, i) => Math.sin(i));

function espalier(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 50_000 });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-flexible-'));
  const kernel = Float32Array.from({ length: 3 * 3 * 3 * 2 }, (_, i) => (i % 3 === 0 ? 0 : Math.cos(i)));
  writeFileSync(file('w.bin'), new Uint8Array(kernel.buffer));
  writeFileSync(
    file('model.json'),
    JSON.stringify({
      format: 'layers-model',
      modelTopology: { class_name: 'Sequential', config: { name: 's', layers: LAYERS } },
      weightsManifest: [
        { paths: ['w.bin'], weights: [{ name: 'c/kernel', shape: [3, 3, 3, 2], dtype: 'float32' }] },
      ],
    }),
  );
  writeFileSync(file('x.bin'), new Uint8Array(image.buffer));
  writeFileSync(file('rows.csv'), 'a,b\n1,2\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a model of flexible sizes', () => {
  it('is converted, its weights counted', () => {
    const { status, stdout } = espalier('convert', file('model.json'), file('m.esp'));
    expect(status).toBe(0);
    expect(stdout).toContain('36 of 54 weights');
  });

  it('runs on tensors whose shape is told', async () => {
    const args = ['run', file('model.json'), '--input', file('x.bin'), '--output-dir', folder];
    const { status } = espalier(...args, '--shape', '2,4,5,3');
    expect(status).toBe(0);
    const bytes = readFileSync(file('outputs.0.bin'));
    const model = await loadModel(file('model.json'));
    const expected = (await model.run({ data: image, shape: [2, 4, 5, 3] })) as { data: Float32Array };
    model.dispose();
    expect([...new Float32Array(new Uint8Array(bytes).buffer)]).toEqual([...expected.data]);
  });

  it.each([
    [[], 'whose sizes are flexible'],
    [['--shape', '2,4,5'], '?,?,?,3'],
    [['--shape', '2,4,5,1'], '?,?,?,3'],
    [['--shape', '3,4,5,3'], '720 bytes'],
    [['--shape', '2,4,0,3'], 'whole numbers above 0'],
    [['--shape', '2,4,5,3', '--shape', '2,4,5,3'], 'at most 1'],
  ])('is not run with %j', (shape, message) => {
    const args = ['run', file('model.json'), '--input', file('x.bin'), '--output-dir', folder];
    const { status, stderr } = espalier(...args, ...shape);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it('scores no tables', () => {
    const args = ['predict', file('model.json'), '--input', file('rows.csv'), '--output', file('y.csv')];
    const { status, stderr } = espalier(...args);
    expect(status).toBe(2);
    expect(stderr).toContain('whose sizes are fixed');
  });
});
