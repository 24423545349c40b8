/** Networks of any source as tfjs models: they predict what Keras does, or are refused by the layer's name. */
import { join } from 'node:path';
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { importLayersModel, importModel } from '../../src/import/index.js';
import { runReference } from '../../src/reference/index.js';
import { layersModelOf, toLayersModel } from '../../src/train/layers-model.js';
import { loadTensorFlow } from '../../src/tensorflow/load.js';
import { forms, goldenCases, readPort, worstError } from '../import/golden-cases.js';

/** What tfjs has no layer for, or none that computes the same. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'models/upsample_bilinear': /UpSampling2D\): bilinear/,
  'keras3/k3_conv1d_gru': /GRU\): reset_after=True/,
};

describe.each(['models', 'quantized', 'keras3'] as const)('golden %s', (set) => {
  for (const golden of goldenCases(set)) {
    it.each(forms(golden))(
      `${golden.name} %s: tfjs predicts what Keras does, or it is refused`,
      async (file) => {
        const tensorflow = await loadTensorFlow();
        const { tf } = tensorflow;
        const network = await importModel(join(golden.folder, file));
        let model: LayersModel;
        try {
          model = await layersModelOf(tensorflow, network);
        } catch (error) {
          expect(error).toBeInstanceOf(EspalierError);
          expect((error as EspalierError).code).toBe('UNSUPPORTED_LAYER');
          expect(REFUSED[golden.name], (error as Error).message).toBeDefined();
          expect((error as Error).message).toMatch(REFUSED[golden.name]!);
          return;
        }
        expect(REFUSED[golden.name]).toBeUndefined();
        const inputs = golden.inputs.map((port) => {
          const { shape, data } = readPort(golden, port);
          return tf.tensor(data, [...shape], port.dtype === 'int32' ? 'int32' : 'float32');
        });
        const outputs = ([model.predict(inputs)] as (Tensor | Tensor[])[]).flat();
        golden.outputs.forEach((port, i) => {
          expect(outputs[i]!.shape).toEqual(port.shape);
          expect(worstError(golden, outputs[i]!.dataSync(), readPort(golden, port).data)).toBeLessThanOrEqual(
            1,
          );
        });
        // And back: what tfjs would save computes the same.
        const again = await importLayersModel(model);
        const values = golden.inputs.map((port) => readPort(golden, port));
        runReference(again, values).forEach(({ data }, i) => {
          expect(worstError(golden, data, readPort(golden, golden.outputs[i]!).data)).toBeLessThanOrEqual(1);
        });
        model.dispose();
        tf.dispose([...inputs, ...outputs]);
      },
    );
  }
});

describe('toLayersModel', () => {
  it('is from the door of training', async () => {
    const door = await import('../../src/prune.js');
    expect(door.toLayersModel).toBe(toLayersModel);
  });
});
