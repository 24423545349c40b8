/** What takes turns in bench:kernels: our own engine and its dense rivals, each one Dense layer (matrix, bias, relu). */
import { createRequire } from 'node:module';
import { csrFromDense, loadModel } from '../../dist/index.js';
import { toOnnx } from '../../dist/export/onnx/index.js';
import { seededRandom } from '../../dist/measure/race/statistics.js';
import { onednn } from './native.mjs';

/** Weights [rows × cols], each kept with probability 1 - sparsity. */
export function randomWeights(rows, cols, sparsity) {
  const random = seededRandom(rows * 31 + cols * 7 + Math.round(sparsity * 1000));
  const dense = new Float32Array(rows * cols);
  for (let i = 0; i < dense.length; i++) {
    const keep = random() >= sparsity;
    const weight = random() - 0.5;
    if (keep) dense[i] = weight / Math.sqrt(cols);
  }
  return dense;
}

/** A program of one layer with these weights, row-major. */
export function layerProgram(rows, cols, dense) {
  const { rowPtr, colIdx, values } = csrFromDense(dense, rows, cols);
  return {
    version: 1,
    name: `dense ${rows}x${cols}`,
    values: [{ features: cols }, { features: rows }],
    inputs: [{ name: 'x', shape: [null, cols], dtype: 'float32', value: 0 }],
    outputs: [{ name: 'y', shape: [null, rows], dtype: 'float32', value: 1 }],
    operations: [
      {
        op: 'linear',
        name: 'dense',
        input: 0,
        output: 1,
        positions: 1,
        weight: { format: 'csr', rows, cols, rowPtr, colIdx, values },
        bias: new Float32Array(rows).fill(0.01),
        activation: { kind: 'relu', alpha: 0, beta: 0 },
      },
    ],
  };
}

const inputOf = (batch, cols) => new Float32Array(batch * cols).map((_, i) => ((i * 37) % 101) / 101 - 0.5);

/** A candidate: `call` takes turns with the others. */
export async function ours(name, bytes, batch, cols, rows, extra = {}) {
  const model = await loadModel(bytes, { threads: 1, batchSizes: [batch], ...extra });
  const y = new Float32Array(batch * rows);
  return { name, model, call: model.bind({ inputs: inputOf(batch, cols), outputs: y }), y };
}

export async function onnxruntime(program, batch, cols) {
  const ort = await import('onnxruntime-node');
  const session = await ort.InferenceSession.create(await toOnnx(program), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', inputOf(batch, cols), [batch, cols]) };
  return { name: 'onnxruntime-node', call: () => session.run(feeds), release: () => session.release() };
}

/** The layers of a multi-layer perceptron, or of one layer, with weights of tfjs-node's own. */
export async function tfjs(units, batch) {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node');
  const model = tf.sequential();
  units.slice(1).forEach((rows, i) => {
    const activation = i < units.length - 2 || units.length === 2 ? 'relu' : 'linear';
    model.add(tf.layers.dense({ units: rows, inputShape: [units[i]], activation }));
  });
  const x = tf.randomNormal([batch, units[0]]);
  const call = () => {
    const y = model.predict(x, { batchSize: batch });
    y.dataSync();
    y.dispose();
  };
  return { name: 'tfjs-node', call, release: () => model.dispose() };
}

/** Those of the dense rivals that are there and not in `without`, which takes up the names of the others. */
export async function rivals(program, units, batch, without) {
  const [cols, rows] = [units[0], units.at(-1)];
  const made = [];
  for (const [name, make] of [
    ['onnxruntime-node', () => onnxruntime(program, batch, cols)],
    ['oneDNN', () => (units.length === 2 ? onednn(rows, cols, batch) : undefined)],
    ['tfjs-node', () => tfjs(units, batch)],
  ]) {
    if (without.has(name)) continue;
    try {
      const rival = await make();
      if (rival !== undefined) made.push(rival);
    } catch (error) {
      without.add(name);
      console.log(`${name} is left out: ${String(error.message).split('\n')[0]}`);
    }
  }
  return made;
}

/** Copies of a model that take turns, so that no cache holds the weights that come next. */
export function rotating(name, copies) {
  let next = 0;
  return {
    name,
    cold: true,
    call: () => copies[(next = (next + 1) % copies.length)].call(),
    release: () => copies.forEach((copy) => copy.model.dispose()),
  };
}
