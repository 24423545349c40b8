/** Every case of tfmot's errors: what it refuses we refuse, in our words and before training; what it takes we take. */
import * as tf from '@tensorflow/tfjs-node';
import { describe, expect, it } from 'vitest';
import {
  ConstantSparsity,
  EspalierError,
  holdMasks,
  PolynomialDecay,
  pruneLowMagnitude,
  PruneForLatencyOnXNNPack,
  PruningSummaries,
} from '../../src/prune.js';
import { golden } from './golden.js';
import { toyModel } from './models.js';

const constant = (options: object) =>
  new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0, frequency: 1, ...options });
const decay = (options: object) =>
  new PolynomialDecay({
    ...{ initialSparsity: 0, finalSparsity: 0.5, beginStep: 0, endStep: 10, frequency: 1 },
    ...options,
  });
const model = (...layers: tf.layers.Layer[]) => tf.sequential({ layers });
const dense = (units = 4) => tf.layers.dense({ units, inputShape: [6] });
const prune = (options: object, on: unknown = model(dense())) => pruneLowMagnitude(on, options);
const blocks = (blockSize: number[], on: unknown) => prune({ blockSize }, on);

/** A model of one's own class: neither Sequential nor functional. */
class Subclassed {
  name = 'sub';
  call(): null {
    return null;
  }
}

/** Trains one step at 0.5, as `fit` in tfmot's cases. */
const train = async (p: ReturnType<typeof pruneLowMagnitude>) => {
  p.model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const x = tf.randomNormal([4, 6]);
  const y = p.model.predict(x) as tf.Tensor;
  return p.fit(x, y, { epochs: 2, batchSize: 2, verbose: 0 });
};
const every = { schedule: constant({ beginStep: 1 }) };

const CASES: Record<string, () => unknown> = {
  'const_target_1.0': () => constant({ targetSparsity: 1 }),
  'const_target_-0.1': () => constant({ targetSparsity: -0.1 }),
  const_target_nan: () => constant({ targetSparsity: NaN }),
  'const_begin_-1': () => constant({ beginStep: -1 }),
  'const_end_-2': () => constant({ endStep: -2 }),
  const_end_lt_begin: () => constant({ beginStep: 5, endStep: 4 }),
  const_freq_0: () => constant({ frequency: 0 }),
  'const_freq_-1': () => constant({ frequency: -1 }),
  const_ok_begin_eq_end: () => constant({ beginStep: 3, endStep: 3 }),
  const_ok_0: () => constant({ targetSparsity: 0 }),
  'poly_end_-1': () => decay({ endStep: -1 }),
  'poly_end_-3': () => decay({ endStep: -3 }),
  'poly_initial_1.0': () => decay({ initialSparsity: 1 }),
  'poly_final_1.0': () => decay({ finalSparsity: 1 }),
  'poly_final_1.5': () => decay({ finalSparsity: 1.5 }),
  poly_end_lt_begin: () => decay({ beginStep: 5, endStep: 4 }),
  poly_ok_begin_eq_end_constructor: () => decay({ beginStep: 5, endStep: 5 }),
  poly_ok_decreasing: () => decay({ initialSparsity: 0.8, finalSparsity: 0.2 }),
  poly_freq_0: () => decay({ frequency: 0 }),
  poly_ok_power_0: () => decay({ power: 0 }),
  poly_ok_power_neg: () => decay({ power: -2 }),
  pooling_SUM: () => prune({ blockPooling: 'SUM' }),
  block_conv2d: () =>
    blocks([2, 2], model(tf.layers.conv2d({ filters: 4, kernelSize: 3, inputShape: [6, 6, 2] }))),
  block_conv2d_1x1: () =>
    blocks([2, 2], model(tf.layers.conv2d({ filters: 4, kernelSize: 1, inputShape: [6, 6, 2] }))),
  block_conv1d: () =>
    blocks([2, 2], model(tf.layers.conv1d({ filters: 4, kernelSize: 3, inputShape: [6, 2] }))),
  block_ok_embedding_built: () =>
    blocks([2, 2], model(tf.layers.embedding({ inputDim: 10, outputDim: 8, inputLength: 4 }))),
  block_0: () => blocks([0, 1], model(dense())),
  block_3elems: () => blocks([1, 2, 3], model(dense())),
  block_larger_than_matrix: () => blocks([16, 16], model(dense())),
  unsupported_PReLU: () => prune({}, tf.layers.prelu()),
  unsupported_Rescaling: () => prune({}, tf.layers.rescaling({ scale: 2 })),
  unsupported_Bidirectional: () =>
    prune({}, tf.layers.bidirectional({ layer: tf.layers.lstm({ units: 2 }) })),
  model_with_unsupported_layer: () => prune({}, model(dense(), tf.layers.prelu())),
  subclassed_model: () => prune({}, new Subclassed()),
  not_a_layer_int: () => prune({}, 3),
  not_a_layer_str: () => prune({}, 'dense'),
  none: () => pruneLowMagnitude(null),
  list_with_int: () => prune({}, [dense(), 3]),
  ok_list: () => prune({}, [dense(), tf.layers.dense({ units: 2 })]),
  double_wrap_layer: () => {
    const layer = dense();
    prune(every, layer);
    return prune(every, layer);
  },
  ok_double_wrap_model: () => {
    const p = prune(every, toyModel());
    expect(pruneLowMagnitude(p.model)).toBe(p);
  },
  fit_poly_begin_eq_end: () => train(prune({ schedule: decay({ beginStep: 2, endStep: 2 }) })),
  mn_1elem: () => prune({ sparsityMByN: [2] }),
  mn_float: () => prune({ sparsityMByN: [2.5, 4] }),
  mn_int: () => prune({ sparsityMByN: 3 }),
  mn_str: () => prune({ sparsityMByN: 'ab' }),
  mn_ok_list: () => prune({ sparsityMByN: [2, 4] }),
  mn_4_2_fit: () => train(prune({ sparsityMByN: [4, 2] })),
  mn_conv1d_fit: () =>
    prune(
      { sparsityMByN: [2, 4] },
      model(tf.layers.conv1d({ filters: 2, kernelSize: 1, inputShape: [4, 3] })),
    ),
  mn_ok_dense_fit: () => train(prune({ ...every, sparsityMByN: [2, 4] })),
  // Layers are pruned without a model and none is attached: there is nothing to strip.
  strip_layer: () => prune({}, dense()).strip(),
  strip_subclass: () => prune({}, new Subclassed()),
  ok_strip_unpruned_model: () => holdMasks(toyModel()).strip(),
  summaries_empty_logdir: () => new PruningSummaries({ logDir: '' }),
  summaries_none_logdir: () => new PruningSummaries({ logDir: null as never }),
  policy_subclassed: () => prune({ policy: new PruneForLatencyOnXNNPack() }, new Subclassed()),
};

/** Where we differ, and why. */
const DIFFERENT: Record<string, 'refused' | 'taken'> = {
  // tfmot takes it and gives NaN in training (fit_poly_begin_eq_end).
  poly_ok_begin_eq_end_constructor: 'refused',
  // Wrappers are pruned by what they wrap, and layers with nothing to prune are passed over.
  unsupported_Bidirectional: 'taken',
  model_with_unsupported_layer: 'taken',
};

describe('tfmot’s errors in our words', () => {
  const cases = golden<Record<string, 'ok' | { message: string }>>('errors');

  it('every case is tried, but the one that cannot happen here', () => {
    // There is no callback to forget: fit_without_UpdatePruningStep is the behaviour test of that name.
    const absent = Object.keys(cases).filter((name) => !Object.hasOwn(CASES, name));
    expect(absent).toEqual(['fit_without_UpdatePruningStep']);
  });

  it.each(Object.keys(CASES))('%s', async (name) => {
    const refused = DIFFERENT[name] ? DIFFERENT[name] === 'refused' : cases[name] !== 'ok';
    const outcome = await (async () => CASES[name]!())().then(
      () => null,
      (error: unknown) => error,
    );
    if (!refused) return expect(outcome).toBeNull();
    expect(outcome).toBeInstanceOf(EspalierError);
    const { details, exitCode } = outcome as EspalierError;
    expect(exitCode).toBe(2);
    expect(details.parameter).toBeTruthy();
    expect(details.expected).toBeTruthy();
  });
});
