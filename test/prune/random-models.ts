/** Small networks by a seed: nested, shared, normalised, frozen at random. */
import * as tf from '@tensorflow/tfjs-node';

/** mulberry32: numbers in [0, 1) by a seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const WIDTH = 6;

/** Fills every weight by the seed, moving statistics too (variances above 0). */
function fill(model: tf.LayersModel, seed: number): void {
  model.weights.forEach((weight, i) => {
    const values = tf.randomUniform(weight.shape as number[], 0.1, 1, 'float32', seed * 100 + i);
    const signed = weight.originalName.endsWith('variance') ? values : values.sub(0.55);
    weight.write(signed);
  });
}

export interface RandomModel {
  model: tf.LayersModel;
  /** What was drawn, for a message. */
  drawn: string;
}

/** Takes and gives WIDTH features. All BatchNormalization layers are frozen, and no layer draws at random. */
export function randomModel(seed: number): RandomModel {
  const draw = random(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(draw() * items.length)]!;
  const drawn: string[] = [];
  const norms: tf.layers.Layer[] = [];
  let count = 0;
  const dense = () =>
    tf.layers.dense({
      name: `d${seed}_${count++}`,
      units: WIDTH,
      activation: pick(['relu', 'tanh', 'linear'] as const),
    });
  const shared = dense();
  const layer = (depth: number): tf.layers.Layer => {
    const kind = pick(['dense', 'dense', 'norm', 'shared', 'nested', 'functional', 'prelu'] as const);
    drawn.push(kind);
    if (kind === 'norm') {
      const norm = tf.layers.batchNormalization({ name: `n${seed}_${count++}` });
      norms.push(norm);
      return norm;
    }
    if (kind === 'prelu') return tf.layers.prelu({ name: `p${seed}_${count++}` });
    if (kind === 'shared') return shared;
    if (kind === 'dense' || depth > 2) return dense();
    const name = `m${seed}_${count++}`;
    const input = tf.input({ shape: [WIDTH] });
    let x: tf.SymbolicTensor = input;
    // Layers of the same name in two models are other layers.
    const inner = tf.layers.dense({ name: 'same', units: WIDTH, activation: 'tanh' });
    x = inner.apply(x) as tf.SymbolicTensor;
    for (let i = Math.floor(draw() * 3); i > 0; i--) x = layer(depth + 1).apply(x) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: x, name });
    if (draw() < 0.4) {
      model.trainable = false;
      drawn.push('frozen model');
    }
    return model;
  };
  const input = tf.input({ shape: [WIDTH] });
  let x: tf.SymbolicTensor = input;
  const layers = Array.from({ length: 2 + Math.floor(draw() * 3) }, () => layer(0));
  for (const one of layers) x = one.apply(x) as tf.SymbolicTensor;
  if (draw() < 0.5) x = shared.apply(x) as tf.SymbolicTensor;
  const output = tf.layers.dense({ name: 'head', units: WIDTH }).apply(x) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: output, name: `random${seed}` });
  const nested = layers.flatMap((one) => (one as unknown as { layers?: tf.layers.Layer[] }).layers ?? [one]);
  for (const one of nested) {
    if (draw() >= 0.25) continue;
    one.trainable = false;
    drawn.push(`frozen ${one.name}`);
  }
  for (const norm of norms) norm.trainable = false;
  fill(model, seed);
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
  return { model, drawn: drawn.join(', ') };
}
