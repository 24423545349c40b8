import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pruneLowMagnitude, PruningSummaries } from '../../src/prune.js';
import { golden } from './golden.js';
import { goldenData, goldenModel, goldenOptions, toyData, toyModel, training } from './models.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'espalier-tensorboard-'))));
afterAll(async () => rm(folder, { recursive: true, force: true }));

type Events = Record<string, Record<string, [number, number][]>>;

/** Read by TensorBoard's own reader: tag → [step, value or number of buckets] of each event; and the tag's plugin. */
function read(logDir: string): { events: Events; plugins: Record<string, Record<string, string>> } {
  const program = `
import json, os, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray
out, plugins = {}, {}
for name in sorted(os.listdir(sys.argv[1])):
    events = EventAccumulator(os.path.join(sys.argv[1], name), size_guidance={'tensors': 0, 'scalars': 0})
    events.Reload()
    out[name], plugins[name] = {}, {}
    for tag in events.Tags()['scalars']:
        out[name][tag] = [[e.step, e.value] for e in events.Scalars(tag)]
        plugins[name][tag] = 'none: a simple value of TensorFlow 1'
    for tag in events.Tags()['tensors']:
        plugins[name][tag] = events.SummaryMetadata(tag).plugin_data.plugin_name
        values = [(e.step, make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
        out[name][tag] = [[s, float(v) if v.ndim == 0 else len(v)] for s, v in values]
print(json.dumps({'events': out, 'plugins': plugins}))`;
  const { stdout, stderr } = spawnSync(process.env.ESPALIER_PYTHON ?? 'python3', ['-c', program, logDir], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: process.env.ESPALIER_PYTHONPATH },
  });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout) as ReturnType<typeof read>;
}

describe('TensorBoard reads', () => {
  it('tfmot’s tags and values, and what tfmot lacks', async () => {
    const want =
      golden<Record<string, { tensors: Events[string]; plugin: Record<string, string> }>>('tensorboard');
    const run = training.cases.find(({ name }) => name === 'sgd_poly_f2')!;
    const { x, y } = goldenData(run);
    const p = pruneLowMagnitude(goldenModel(run), goldenOptions(run));
    const logDir = join(folder, 'golden');
    await p.fit(x, y, {
      ...{ batchSize: 8, epochs: 3, shuffle: false, verbose: 0 },
      validationData: [x.slice(0, 16), y.slice(0, 16)],
      callbacks: [new PruningSummaries({ logDir })] as never,
    });
    const { events: got, plugins } = read(logDir);
    for (const [file, { tensors, plugin }] of Object.entries(want)) {
      const name = file.split('/')[0]!;
      for (const [tag, events] of Object.entries(tensors)) {
        if (tag === 'keras') continue; // the graph
        expect(Object.keys(got[name]!), tag).toContain(tag);
        expect([tag, plugins[name]![tag]]).toEqual([tag, plugin[tag]]);
        expect(got[name]![tag]!.map(([step]) => step)).toEqual(events.map(([step]) => step));
        // The golden log validates on data that is not in the file.
        if (name === 'validation') continue;
        got[name]![tag]!.forEach(([, value], i) => expect(value).toBeCloseTo(events[i]![1], 4));
      }
    }
    const { metrics } = got;
    expect(metrics!['sparsity/d1/kernel']).toEqual([
      [6, 0.6796875],
      [12, 0.75],
      [18, 0.75],
    ]);
    expect(metrics!['sparsity/model']!.at(-1)).toEqual([18, 0.75]);
    expect(plugins['metrics']!['weights/d2/kernel']).toBe('histograms');
    expect(metrics!['weights/d2/kernel']).toEqual([
      [6, 30],
      [12, 30],
      [18, 30],
    ]);
  });

  it('each layer’s sparsity every N steps, if asked', async () => {
    const { x, y } = toyData();
    const p = pruneLowMagnitude(toyModel(), { onUnreachedEnd: 'warn', onWarning: () => undefined });
    const logDir = join(folder, 'steps');
    const callbacks = [new PruningSummaries(logDir, { updateFreq: 2, histograms: false })] as never;
    await p.fitDataset(tfDataset(x, y), { epochs: 1, batchesPerEpoch: 4, verbose: 0, callbacks });
    const { metrics, train } = read(logDir).events;
    expect(metrics!['sparsity/d1/kernel']!.map(([step]) => step)).toEqual([2, 4, 4]);
    expect(train!['batch_loss']!.map(([step]) => step)).toEqual([2, 4]);
    expect(Object.keys(metrics!).some((tag) => tag.startsWith('weights/'))).toBe(false);
  });
});

function tfDataset(x: tf.Tensor, y: tf.Tensor) {
  return tf.data
    .zip({ xs: tf.data.array(x.arraySync() as number[][]), ys: tf.data.array(y.arraySync() as number[][]) })
    .batch(16) as never;
}

it('wrong arguments are refused', () => {
  for (const bad of ['', undefined, null, 3]) {
    expect(() => new PruningSummaries({ logDir: bad as never })).toThrow(
      /logDir: expected a non-empty string/,
    );
    expect(() => new PruningSummaries(bad as never)).toThrow(/logDir/);
  }
  expect(() => new PruningSummaries({ logDir: 'x', updateFreq: 0 })).toThrow(/updateFreq/);
  expect(() => new PruningSummaries('x').setModel(toyModel())).toThrow(/pruneLowMagnitude/);
});
