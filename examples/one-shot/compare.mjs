/**
 * One-shot pruning of trained networks that we did not train, without their training data: outputs against dense, by
 * magnitude and activation-aware. Calibration and test inputs are different ones of the same kind.
 *
 *   npm run build && node examples/one-shot/compare.mjs [--only mobilenet|deeplc] [--folder DIR] [--json FILE]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-node';
import { pruneOneShot, toLayersModel } from '../../dist/prune.js';
import { runReference } from '../../dist/reference/index.js';
import { deeplc, mobileNet, peptides, photoCrops } from './models.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    folder: { type: 'string', default: join(homedir(), '.cache', 'espalier', 'one-shot') },
    json: { type: 'string' },
  },
});
mkdirSync(values.folder, { recursive: true });
const SPARSITIES = [0.3, 0.5, 0.7];

/** Root of the mean squared difference over the dense outputs' own deviation; mean correlation; same first class. */
function compare(dense, pruned, width) {
  const mean = dense.reduce((a, b) => a + b, 0) / dense.length;
  let [squares, spread, same] = [0, 0, 0];
  dense.forEach((value, i) => {
    squares += (value - pruned[i]) ** 2;
    spread += (value - mean) ** 2;
  });
  const first = (data, row) => {
    const own = data.subarray(row * width, (row + 1) * width);
    return own.indexOf(Math.max(...own));
  };
  const rows = dense.length / width;
  for (let row = 0; row < rows; row++) if (first(dense, row) === first(pruned, row)) same++;
  return { error: Math.sqrt(squares / spread), agree: width === 1 ? null : same / rows };
}

async function* cases() {
  if (values.only !== 'deeplc') {
    const model = await toLayersModel(await mobileNet(values.folder));
    const calibration = photoCrops(tf, values.folder, 16, 1);
    const test = photoCrops(tf, values.folder, 32, 2);
    const run = (m) => m.predict(test, { batchSize: 16 }).dataSync();
    // The first convolution has 864 weights, which see the image itself: it stays dense.
    yield {
      name: 'nsfwjs MobileNetV2',
      model,
      calibration,
      run,
      width: 5,
      skip: [model.layers[1].name, 'Conv1'],
    };
  }
  if (values.only !== 'mobilenet') {
    const network = await deeplc(values.folder);
    const calibration = peptides(network, 32, 1);
    const test = peptides(network, 64, 2);
    yield {
      name: 'deeplc',
      model: network,
      calibration,
      run: (n) => runReference(n, test)[0].data,
      width: 1,
    };
  }
}

const results = [];
for await (const { name, model, calibration, run, width, skip = [] } of cases()) {
  const present = new Set(model.layers.map((layer) => layer.name));
  const dense = Float32Array.from(run(model));
  for (const method of ['magnitude', 'activation-aware']) {
    for (const sparsity of SPARSITIES) {
      const pruned = pruneOneShot(model, {
        ...{ sparsity, method, skip: skip.filter((layer) => present.has(layer)) },
        ...(method === 'magnitude' ? {} : { calibration }),
      });
      const { error, agree } = compare(dense, Float32Array.from(run(pruned)), width);
      results.push({ name, method, sparsity, error, agree });
      const same = agree === null ? '' : `, same class ${(100 * agree).toFixed(1)} %`;
      console.log(`${name}, ${method}, ${sparsity}: error ${error.toFixed(3)}${same}`);
      pruned.dispose?.();
    }
  }
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
