import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { importLayersModel } from '../../src/import/index.js';
import { runReference } from '../../src/reference/index.js';

/** Compares with tfjs on a batch of seeded inputs. */
async function compare(model: tf.LayersModel, batch = 3): Promise<void> {
  const network = await importLayersModel(model);
  const tensors = model.inputs.map((input, i) =>
    tf.randomUniform([batch, ...input.shape.slice(1).map((extent) => extent ?? 5)], -2, 2, 'float32', 7 + i),
  );
  const inputs = tensors.map((tensor) => ({
    shape: tensor.shape,
    data: new Float32Array(tensor.dataSync()),
  }));
  const expected = [model.predict(tensors.length === 1 ? tensors[0]! : tensors)].flat();
  const actual = runReference(network, inputs);
  expect(network.inputs.map(({ name }) => name)).toEqual(model.inputNames);
  expect(network.outputs.map(({ name }) => name)).toEqual(model.outputNames);
  expected.forEach((tensor, i) => {
    expect(actual[i]!.shape).toEqual(tensor.shape);
    const data = tensor.dataSync();
    actual[i]!.data.forEach((value, k) => expect(value).toBeCloseTo(data[k]!, 4));
  });
}

it('a Sequential in memory computes what tfjs computes', async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 7, inputShape: [5], activation: 'hardSigmoid' }),
      tf.layers.batchNormalization(),
      tf.layers.leakyReLU(),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: 6, activation: 'elu', useBias: false }),
      tf.layers.reshape({ targetShape: [2, 3] }),
      tf.layers.softmax({ axis: -1 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2 }),
    ],
  });
  await compare(model);
});

it('a functional model with a shared layer, several inputs and outputs computes what tfjs computes', async () => {
  const a = tf.input({ shape: [4], name: 'a' });
  const b = tf.input({ shape: [4], name: 'b' });
  const shared = tf.layers.dense({ units: 3, activation: 'tanh', name: 'shared' });
  const x = shared.apply(a) as tf.SymbolicTensor;
  const y = shared.apply(b) as tf.SymbolicTensor;
  const sum = tf.layers.add().apply([x, y]) as tf.SymbolicTensor;
  const both = tf.layers.concatenate().apply([x, sum, y]) as tf.SymbolicTensor;
  const head = tf.layers.dense({ units: 2, name: 'head' }).apply(both) as tf.SymbolicTensor;
  await compare(tf.model({ inputs: [a, b], outputs: [head, sum] }));
});

it('a nested model in memory computes what tfjs computes', async () => {
  const inner = tf.sequential({
    name: 'inner',
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3], activation: 'relu' }),
      tf.layers.dense({ units: 3 }),
    ],
  });
  const input = tf.input({ shape: [3] });
  const once = inner.apply(input) as tf.SymbolicTensor;
  const twice = inner.apply(once) as tf.SymbolicTensor;
  await compare(tf.model({ inputs: input, outputs: twice }));
});
