import * as tf from '@tensorflow/tfjs-node';
import { describe, expect, it } from 'vitest';
import { ConstantSparsity, pruneLowMagnitude, PruneForLatencyOnXNNPack } from '../../src/prune.js';
import { golden } from './golden.js';

interface Case {
  name: string;
  cls: string;
  topology: object | null;
  pruned?: string[];
  error?: { message: string };
}
const cases = golden<Case[]>('policy').filter(({ topology }) => topology);

/** A network like MobileNet that tfjs can make. */
function convolutions(middle: (x: tf.SymbolicTensor) => tf.SymbolicTensor = (x) => x) {
  const input = tf.input({ shape: [16, 16, 3] });
  const apply = (layer: tf.layers.Layer, x: tf.SymbolicTensor) => layer.apply(x) as tf.SymbolicTensor;
  let x = apply(tf.layers.zeroPadding2d({ padding: 1 }), input);
  x = apply(tf.layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, name: 'stem' }), x);
  x = apply(tf.layers.batchNormalization({}), x);
  x = apply(tf.layers.reLU({ maxValue: 6 }), x);
  x = apply(tf.layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }), x);
  x = apply(tf.layers.conv2d({ filters: 12, kernelSize: 1, name: 'pw1' }), x);
  x = middle(x);
  x = apply(tf.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }), x);
  x = apply(tf.layers.dense({ units: 5, name: 'head' }), x);
  return tf.model({ inputs: input, outputs: x });
}

describe('PruneForLatencyOnXNNPack is that of tfmot', () => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', (_, { cls, topology, pruned, error }) => {
    const select = () => new PruneForLatencyOnXNNPack().select({ class_name: cls, config: topology });
    if (error) expect(select).toThrow(error.message);
    else expect(select()).toEqual(pruned);
  });

  it.each(cases.map((c) => [c.name, c] as const))(
    '%s, made by tfjs where it can',
    async (_, { cls, topology, pruned, error }) => {
      const model = await tf.models
        .modelFromJSON({ class_name: cls, config: topology } as never)
        .catch(() => null);
      const select = () => new PruneForLatencyOnXNNPack().select(model ?? { cls, topology });
      if (error) expect(select).toThrow(error.message);
      else expect(select()).toEqual(pruned);
    },
  );

  it('on a model in memory, and prunes what it names', () => {
    const model = convolutions();
    expect(new PruneForLatencyOnXNNPack().select(model)).toEqual(['pw1']);
    const schedule = new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1, frequency: 1 });
    const p = pruneLowMagnitude(model, { schedule, policy: new PruneForLatencyOnXNNPack() });
    expect(p.layers).toEqual(['pw1']);
  });

  it('finds inputs among the keyword arguments of operations', () => {
    const layer = (class_name: string, name: string, config: object, inbound: unknown[]) => ({
      ...{ class_name, name, config: { name, ...config }, inbound_nodes: inbound },
    });
    const conv = (name: string, size: number, stride: number, from: string) =>
      layer('Conv2D', name, { filters: 4, kernel_size: [size, size], strides: [stride, stride] }, [
        [[from, 0, 0, {}]],
      ]);
    // y = stem + 1.0 * stem, as tf_keras writes it; then a convolution that the policy does not take.
    const layers = [
      layer('InputLayer', 'in', { batch_input_shape: [null, 8, 8, 3] }, []),
      layer(
        'ZeroPadding2D',
        'pad',
        {
          padding: [
            [1, 1],
            [1, 1],
          ],
        },
        [[['in', 0, 0, {}]]],
      ),
      conv('stem', 3, 2, 'pad'),
      layer('TFOpLambda', 'scale', { function: 'math.multiply' }, [['stem', 0, 0, { y: 1 }]]),
      layer('TFOpLambda', 'sum', { function: '__operators__.add' }, [['stem', 0, 0, { y: ['scale', 0, 0] }]]),
      conv('strided', 1, 2, 'sum'),
      layer('GlobalAveragePooling2D', 'gap', {}, [[['strided', 0, 0, {}]]]),
    ];
    const config = { layers, input_layers: [['in', 0, 0]], output_layers: [['gap', 0, 0]] };
    expect(() => new PruneForLatencyOnXNNPack().select({ class_name: 'Functional', config })).toThrow(
      /^Layer Conv2D is not supported .*"strided"/,
    );
  });

  it('names the layer that is in the way', () => {
    const model = convolutions(
      (x) => tf.layers.maxPooling2d({ poolSize: 2, name: 'pool' }).apply(x) as tf.SymbolicTensor,
    );
    expect(() => new PruneForLatencyOnXNNPack().select(model)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_LAYER',
        message:
          'Layer MaxPooling2D is not supported for the PruneForLatencyOnXNNPack pruning policy: "pool"',
      }),
    );
  });

  it('refuses what is no model', () => {
    for (const bad of [null, 3, {}, { layers: [] }, { class_name: 'Sequential', config: { layers: [3] } }]) {
      expect(() => new PruneForLatencyOnXNNPack().select(bad)).toThrow(
        expect.objectContaining({ code: 'INVALID_MODEL' }),
      );
    }
  });
});
