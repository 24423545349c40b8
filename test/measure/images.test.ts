/** Convolutional networks for rivals: they answer what Keras does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { programOf } from '../../src/convert.js';
import { toOnnx } from '../../src/export/onnx/index.js';
import type { Rival } from '../../src/measure/race/rival.js';
import { rival as onnxruntime } from '../../src/measure/rivals/onnxruntime.js';
import { rival as tfjsNode } from '../../src/measure/rivals/tfjs-node.js';
import { toTfjs } from '../../src/export/tfjs-of-program.js';
import { goldenCases, readPort, worstError } from '../import/golden-cases.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-rivals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NAMES = ['bn_first', 'cnn_small', 'resnet_like', 'separable', 'mobilenet_v1_025_96'];
const goldens = [...goldenCases('models'), ...goldenCases('quantized')].filter(({ name }) =>
  [...NAMES, 'squeeze_excite', 'mobilenet_v2_035_96_uint8'].includes(name.split('/')[1]!),
);

describe.each(['onnxruntime', 'tfjs-node'])('%s', (kind) => {
  it.each(goldens)('$name', async (golden) => {
    const program = await programOf(
      join(golden.folder, golden.name.startsWith('models') ? 'model.h5' : 'model.json'),
    );
    const room = mkdtempSync(join(folder, 'm-'));
    const [onnx, tfjs] = [join(room, 'model.onnx'), join(room, 'model.json')];
    const rival: Rival = kind === 'onnxruntime' ? onnxruntime : tfjsNode;
    if (kind === 'onnxruntime') writeFileSync(onnx, await toOnnx(program));
    else {
      const { manifest, weights } = toTfjs(program);
      writeFileSync(tfjs, JSON.stringify(manifest));
      writeFileSync(join(room, 'weights.bin'), weights);
    }
    const ports = (list: typeof program.inputs) =>
      list.map(({ name, shape }) => ({ name, shape: [...shape] }));
    const files = kind === 'onnxruntime' ? { esp: '', onnx } : { esp: '', tfjs };
    await rival.load({ files, inputs: ports(program.inputs), outputs: ports(program.outputs), threads: 1 });
    const inputs = golden.inputs.map((port, i) => {
      const { shape, data } = readPort(golden, port);
      return { name: program.inputs[i]!.name, shape: [...shape], data };
    });
    const outputs = await rival.run(inputs);
    golden.outputs.forEach((port, i) => {
      expect(worstError(golden, outputs[i]!, readPort(golden, port).data)).toBeLessThanOrEqual(1);
    });
    await rival.dispose();
  });
});

it('refuses a gather by its name', async () => {
  const odd = goldenCases('models').find(({ name }) => name.endsWith('cnn_odd_geometry'))!;
  const program = await programOf(join(odd.folder, 'model.h5'));
  await expect(toOnnx(program)).rejects.toMatchObject({ code: 'UNSUPPORTED_LAYER' });
  expect(() => toTfjs(program)).toThrow(/cropping2d \(gather\)/);
});
